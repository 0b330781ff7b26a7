//! Decay chains through the service: the same bytes as in process, and every fault of a header named.

use dosegrid::api::{ServerConfig, pb};
use dosegrid::domain::{BiologicalWeighting, Daughters, DoseRequest, InGrowth, Method};
use dosegrid::physics::{chain, nuclide};
use tonic::Code;

use super::bad_headers::cases;
use super::streaming::{assert_same, in_process, local};
use super::{Message, Server, bytes_of, check_cases, chunk, good_activity, good_density, good_header, messages, small};

/// Actinium-225 with two daughters that moved.
fn request(method: Method, daughters: Daughters) -> DoseRequest {
    let plain = super::streaming::request([13, 11, 7], method.clone());
    let named = |name| nuclide::find(name).expect("a known nuclide");
    let apart = [named("Bi-213"), named("Pb-209")];
    let source = |name, apart: &[_]| chain::source(named(name), daughters, apart).expect("a daughter");
    let activity = || plain.activity().clone();
    DoseRequest::builder(activity(), source("Ac-225", &apart), method)
        .daughter(source("Bi-213", &apart[1..]), activity())
        .daughter(source("Pb-209", &[]), activity())
        .density(plain.density().expect("given").clone())
        .weighting(BiologicalWeighting { alpha: 5.0, recoil: 1.5 })
        .build()
        .expect("a good request")
}

#[tokio::test(flavor = "multi_thread")]
async fn doses_of_several_maps_are_those_of_the_same_process() {
    let server = Server::start(ServerConfig::default()).await;
    let client = server.client().await;
    let growth = Daughters::InGrowth(InGrowth { integration_time_s: 2e6, effective_half_life_s: Some(4e5) });
    for daughters in [Daughters::Equilibrium, Daughters::ParentOnly, growth] {
        let request = request(local(), daughters);
        let result = client.compute(&request, |_| {}).await.expect("a dose");
        assert!(result.weighted.is_some());
        assert_eq!(result.provenance.source.daughters.as_deref(), Some(daughters.name()));
        assert_same(result, in_process(&request));
    }
}

fn map(nuclide: &str, shape: [u32; 3]) -> pb::DaughterMap {
    let header = good_header();
    pb::DaughterMap {
        nuclide: nuclide.into(),
        activity: Some(super::volume(shape, pb::ElementType::Float32)),
        activity_unit: header.activity_unit,
    }
}

fn in_growth(header: &mut pb::ComputeHeader, integration_time_s: f64) {
    let growth = pb::InGrowth { integration_time_s, effective_half_life_s: None };
    header.daughters = Some(pb::Daughters { daughters: Some(pb::daughters::Daughters::InGrowth(growth)) });
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_are_refused_with_every_field() {
    check_cases(cases(&[
        (
            "more than are taken: the rest is not looked at",
            |h| {
                h.daughter_maps = vec![map("Bi-213", [4, 3, 2]); 16];
                h.daughter_maps.extend(vec![pb::DaughterMap::default(); 4]);
            },
            &["daughter_maps", "daughter_maps"],
        ),
        ("no daughter", |h| h.daughter_maps = vec![map("Bi-213", [4, 3, 2])], &["daughter_maps"]),
        (
            "bad maps",
            |h| {
                h.nuclide = "225Ac".into();
                let nothing = pb::DaughterMap::default();
                h.daughter_maps = vec![map("Bi-213", [4, 3, 3]), map("Bi-2131", [4, 3, 2]), nothing];
            },
            &[
                "daughter_maps[1].nuclide",
                "daughter_maps[2].nuclide",
                "daughter_maps[2].activity",
                "daughter_maps[2].activity_unit",
                "daughter_maps[0].activity.grid",
            ],
        ),
        (
            "the same daughter twice",
            |h| {
                h.nuclide = "Ac-225".into();
                h.daughter_maps = vec![map("Bi-213", [4, 3, 2]); 2];
            },
            &["daughter_maps"],
        ),
        ("no kind of daughters", |h| h.daughters = Some(pb::Daughters { daughters: None }), &["daughters"]),
        ("time of 0", |h| in_growth(h, 0.0), &["daughters.in_growth"]),
        ("time without end", |h| in_growth(h, f64::INFINITY), &["daughters.in_growth"]),
        (
            "weights",
            |h| {
                h.biological_weighting = Some(pb::BiologicalWeighting { alpha: Some(-1.0), recoil: Some(f64::NAN) });
            },
            &["biological_weighting.alpha", "biological_weighting.recoil"],
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_go_to_the_map_of_their_index() {
    let server = Server::start(small()).await;
    let client = server.raw().await;
    let header = || {
        let mut header = good_header();
        header.nuclide = "Ac-225".into();
        header.daughter_maps = vec![map("Bi-213", [4, 3, 2]), map("Pb-209", [4, 3, 2])];
        header
    };
    let daughter = |index, values: &[f32]| {
        let Message::Chunk(mut chunk) = chunk(pb::VolumeRole::DaughterActivity, 0, bytes_of(values)) else {
            unreachable!("a chunk")
        };
        chunk.index = index;
        Message::Chunk(chunk)
    };
    let send = |more: Vec<Message>| {
        let all = messages(header(), &good_activity(), &good_density()).into_iter().chain(more);
        super::compute(client.clone(), super::stream_of(all.collect()))
    };
    let (one, two) = (vec![1e9f32; 24], vec![2e9f32; 24]);
    let in_order = send(vec![daughter(0, &one), daughter(1, &two)]).await.expect("a dose");
    let turned = send(vec![daughter(1, &two), daughter(0, &one)]).await.expect("a dose");
    assert_eq!(in_order, turned);
    let swapped = send(vec![daughter(0, &two), daughter(1, &one)]).await.expect("a dose");
    assert_ne!(in_order.dose, swapped.dose);
    let missing = send(vec![daughter(0, &one)]).await.expect_err("a map is missing");
    assert_eq!(super::reason_and_fields(&missing).1, ["daughter_maps[1].activity"]);
    let unknown = send(vec![daughter(2, &one)]).await.expect_err("there is no third map");
    assert_eq!(
        (unknown.code(), super::reason_and_fields(&unknown).1),
        (Code::InvalidArgument, vec!["chunk.volume".into()])
    );
}
