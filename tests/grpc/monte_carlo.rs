//! Monte Carlo through the service: the same bytes as in process, what comes beside the dose, bad options, callers who
//! go away.

mod bad_materials;
mod bad_options;

use std::io::Cursor;

use dosegrid::api::{ServerConfig, pb};
use dosegrid::domain::{
    Control, DoseError, DoseRequest, DoseResult, Emission, EmissionSpectrum, Extras, LabelMap, LabelMaps,
    MaterialTable, Medium, Method, MonteCarloOptions, Particle, Progress, Region, Source, Stage, StopRule,
    TargetUncertainty,
};
use dosegrid::domain::{Material, MaterialDefinition};
use dosegrid::formats::tally;
use dosegrid::method::{merge, merged_dose};
use dosegrid::physics::material::{self};

use super::lifecycle::leave_in;
use super::streaming::{assert_same, in_process};
use super::{Server, bytes_of, compute, good_activity, good_density, good_header, small, stream_of};

fn options(histories: u64) -> MonteCarloOptions {
    let stop = StopRule { histories: Some(histories), ..StopRule::default() };
    MonteCarloOptions { stop, extras: Extras { uncertainty: true, tally: true }, ..MonteCarloOptions::default() }
}

fn request(shape: [u64; 3], options: MonteCarloOptions) -> DoseRequest {
    super::streaming::request(shape, Method::MonteCarlo(Box::new(options)))
}

/// Equal to the last bit, but for how long it took.
fn assert_same_transport(mut a: DoseResult, mut b: DoseResult) {
    for result in [&mut a, &mut b] {
        result.provenance.monte_carlo.as_mut().expect("a transport").histories_per_s = None;
    }
    assert_same(a, b);
}

/// A material that the tables do not have, with fractions that do not quite sum to 1.
fn plastic() -> Material {
    let definition = MaterialDefinition {
        name: "plastic".into(),
        source: "a test".into(),
        nominal_density_g_cm3: 1.05,
        density_range_g_cm3: None,
        mean_excitation_energy_ev: 68.7,
        mass_fractions: [("H".to_owned(), 0.0774), ("C".to_owned(), 0.9225)].into(),
    };
    Material::new(definition).expect("a good material")
}

/// Everything that can be asked for.
fn full_request() -> DoseRequest {
    let plain = request([9, 7, 5], options(2000));
    let labels = |of: fn(usize) -> f32| {
        let mut index = 0;
        let map = plain.activity().decays().map(|_| (of(index), index += 1).0);
        LabelMap::new(&map).expect("labels")
    };
    let maps = LabelMaps {
        regions: Some(labels(|i| f32::from(u16::from(i % 3 == 1)) * 65_535.0)),
        materials: Some(labels(|i| if i % 2 == 0 { 0.0 } else { 300.0 })),
    };
    let water = material::find("water").expect("known").clone();
    let table = MaterialTable::new(vec![(0, plastic()), (300, water)]).expect("a good table");
    let line = |particle, low_mev, high_mev| Emission { particle, low_mev, high_mev, yield_per_decay: 0.7 };
    let spectrum = vec![line(Particle::Electron, 0.0, 1.0 / 3.0), line(Particle::Photon, 0.1, 0.1)];
    let source = Source::with_emissions(None, EmissionSpectrum::new(spectrum).expect("good")).expect("a source");
    let options = MonteCarloOptions {
        medium: Medium::Map(table),
        seed: u64::MAX,
        first_history: 12_345,
        stop: StopRule {
            target: Some(TargetUncertainty { relative: 1e-6, region: Region::Label(65_535) }),
            time_limit_s: Some(3600.0),
            ..options(2000).stop
        },
        ..options(2000)
    };
    let method = Method::MonteCarlo(Box::new(options));
    let density = plain.density().expect("given").clone();
    let builder = DoseRequest::builder(plain.activity().clone(), source, method);
    builder.density(density).labels(maps).build().expect("a good request")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transport_is_that_of_the_same_process_to_the_last_bit() {
    let server = Server::start(ServerConfig::default()).await;
    let client = server.client().await;
    for request in [request([5, 1, 9], options(1000)), full_request()] {
        let result = client.compute(&request, |_| {}).await.expect("a dose");
        assert!(result.uncertainty.is_some() && result.tally.is_some());
        assert_same_transport(result, in_process(&request));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_sent() {
    let server = Server::start(ServerConfig::default()).await;
    let plain = MonteCarloOptions { extras: Extras::default(), ..options(100) };
    let result = server.client().await.compute(&request([5, 4, 3], plain), |_| {}).await.expect("a dose");
    assert_eq!((result.uncertainty, result.tally), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn tallies_of_a_server_can_be_merged() {
    let server = Server::start(ServerConfig::default()).await;
    let mut header = good_header();
    let header_of = |first_history, histories| {
        let method = pb::MonteCarloMethod {
            histories: Some(histories),
            first_history,
            return_tally: true,
            ..Default::default()
        };
        header.method = Some(pb::Method { method: Some(pb::method::Method::MonteCarlo(method)) });
        header.clone()
    };
    let headers = [(0, 500), (500, 1000), (0, 1500)].map({
        let mut header_of = header_of;
        move |(first, histories)| header_of(first, histories)
    });
    let mut answers = Vec::new();
    for header in headers {
        let given = super::messages(header, &good_activity(), &good_density());
        answers.push(compute(server.raw().await, stream_of(given)).await.expect("a dose"));
    }
    let record = |number: usize| tally::decode(Cursor::new(&answers[number].tally)).expect("a good tally");
    let mut sum = record(0);
    merge(&mut sum, record(1)).expect("other histories");
    assert!(sum == record(2), "the sum is not the run in one piece");
    let dose = merged_dose(sum, None, Extras::default(), &Control::detached()).expect("a dose").dose;
    assert_eq!(bytes_of(dose.as_slice()), answers[2].dose);
    assert!(answers[2].uncertainty.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_says_histories_and_uncertainty() {
    let server = Server::start(ServerConfig::default()).await;
    let mut stages = Vec::new();
    let mut last = None;
    let on_progress = |progress: Progress| {
        stages.push(progress.stage);
        last = progress.transport.or(last);
    };
    server.client().await.compute(&request([9, 8, 7], options(300_000)), on_progress).await.expect("a dose");
    let order = [Stage::Queued, Stage::Tables, Stage::Dose, Stage::Finish];
    let places = stages.iter().map(|stage| order.iter().position(|other| other == stage).expect("a stage"));
    assert!(places.is_sorted(), "{stages:?}");
    let last = last.expect("a transport of many rounds reports some");
    assert!(last.histories > 0 && last.time_left_s.is_some(), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_frees_the_device() {
    let server = Server::start(ServerConfig::default()).await;
    // Of so many histories that it would go on for days.
    let request = request([40, 40, 40], options(1 << 36));
    for stage in [Stage::Tables, Stage::Dose] {
        leave_in(stage, &server, &request).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tally_that_does_not_fit_is_refused_at_the_header() {
    // 64 MiB in all: 128³ voxels and 16 groups need 256 MiB.
    let server = Server::start(small()).await;
    let error = server.client().await.compute(&request([128, 128, 128], options(100)), |_| {}).await;
    assert!(matches!(error.expect_err("too large"), DoseError::TooLarge { what: "the request", .. }));
}
