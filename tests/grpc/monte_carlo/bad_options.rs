//! Monte Carlo headers that must be refused at once, and values that are bad once they are there.

use dosegrid::api::pb;
use tonic::Code;

use super::super::bad_headers::cases;
use super::super::{
    Server, bytes_of, check_cases, chunk, compute, good_activity, good_density, good_header, good_messages, messages,
    reason_and_fields, small, stream_of, volume,
};

/// A good Monte Carlo header, changed.
pub(super) fn edited(header: &mut pb::ComputeHeader, edit: impl FnOnce(&mut pb::MonteCarloMethod)) {
    let mut method = pb::MonteCarloMethod { histories: Some(100), ..Default::default() };
    edit(&mut method);
    header.method = Some(pb::Method { method: Some(pb::method::Method::MonteCarlo(method)) });
}

fn target(method: &mut pb::MonteCarloMethod, relative: f64, region: Option<pb::target_uncertainty::Region>) {
    method.target_uncertainty = Some(pb::TargetUncertainty { relative, region });
}

pub(super) fn table(header: &mut pb::ComputeHeader, entries: Vec<pb::LabelledMaterial>) {
    header.materials = Some(volume([4, 3, 2], pb::ElementType::Uint8));
    let medium = pb::medium::Medium::Table(pb::MaterialTable { entries });
    edited(header, |m| m.medium = Some(pb::Medium { medium: Some(medium) }));
}

pub(super) fn named(label: u32, name: &str) -> pb::LabelledMaterial {
    pb::LabelledMaterial { label, material: Some(pb::Material { name: name.into(), definition: None }) }
}

fn emission(charge: i32, low_mev: f64, high_mev: f64, yield_per_decay: f64) -> pb::Emission {
    pb::Emission { charge, low_mev, high_mev, yield_per_decay }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_options_are_named_by_their_path() {
    use pb::target_uncertainty::Region as Arm;
    const RELATIVE: &[&str] = &["method.monte_carlo.target_uncertainty.relative"];
    check_cases(cases(&[
        ("no history", |h| edited(h, |m| m.histories = Some(0)), &["method.monte_carlo.histories"]),
        (
            "histories without a number",
            |h| edited(h, |m| m.histories = Some(u64::MAX)),
            &["method.monte_carlo.histories"],
        ),
        (
            "a first history without a number",
            |h| edited(h, |m| m.first_history = u64::MAX),
            &["method.monte_carlo.first_history"],
        ),
        ("no time", |h| edited(h, |m| m.time_limit_s = Some(0.0)), &["method.monte_carlo.time_limit_s"]),
        (
            "a time that is not a number",
            |h| edited(h, |m| m.time_limit_s = Some(f64::NAN)),
            &["method.monte_carlo.time_limit_s"],
        ),
        ("a target of 0", |h| edited(h, |m| target(m, 0.0, None)), RELATIVE),
        ("a target in percent", |h| edited(h, |m| target(m, 2.0, None)), RELATIVE),
        ("a target that is not a number", |h| edited(h, |m| target(m, f64::NAN, None)), RELATIVE),
        (
            "a part above 1",
            |h| edited(h, |m| target(m, 0.1, Some(Arm::DoseFraction(1.1)))),
            &["method.monte_carlo.target_uncertainty.dose_fraction"],
        ),
        (
            "a label of too many bits",
            |h| edited(h, |m| target(m, 0.1, Some(Arm::Label(65_536)))),
            &["method.monte_carlo.target_uncertainty.label"],
        ),
        (
            "the label that is none",
            |h| {
                h.labels = h.activity.clone();
                edited(h, |m| target(m, 0.1, Some(Arm::Label(0))));
            },
            &["method.monte_carlo.target_uncertainty.label"],
        ),
        ("a label without labels", |h| edited(h, |m| target(m, 0.1, Some(Arm::Label(3)))), &["labels"]),
        (
            "a negative minimum density",
            |h| edited(h, |m| m.minimum_density_g_cm3 = Some(-1.0)),
            &["method.monte_carlo.minimum_density_g_cm3"],
        ),
        (
            "cuts outside the tables",
            |h| {
                let (bad, nan) = (Some(20.0), Some(f64::NAN));
                let cuts = pb::TransportCuts {
                    absorption_mev: bad,
                    collision_mev: nan,
                    photon_mev: Some(0.0),
                    track_length_mev: Some(-0.1),
                };
                edited(h, |m| m.cuts = Some(cuts));
            },
            &[
                "method.monte_carlo.cuts.absorption_mev",
                "method.monte_carlo.cuts.collision_mev",
                "method.monte_carlo.cuts.photon_mev",
                "method.monte_carlo.cuts.track_length_mev",
            ],
        ),
        (
            "no density",
            |h| {
                h.density = None;
                edited(h, |_| {})
            },
            &["density"],
        ),
        (
            "an empty medium",
            |h| edited(h, |m| m.medium = Some(pb::Medium { medium: None })),
            &["method.monte_carlo.medium"],
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_emissions_and_labels_are_named_by_their_path() {
    check_cases(cases(&[
        (
            "labels of another shape",
            |h| {
                edited(h, |_| {});
                h.labels = Some(volume([4, 3, 3], pb::ElementType::Uint8));
            },
            &["labels.grid"],
        ),
        (
            "emissions that no kernel has",
            |h| {
                h.method = Some(pb::Method { method: Some(pb::method::Method::Kernel(pb::KernelMethod::default())) });
                h.emissions = vec![emission(-1, 8.0, 8.0, 1.0)];
            },
            &["emissions"],
        ),
        (
            "an unknown charge",
            |h| {
                edited(h, |_| {});
                h.emissions = vec![emission(-1, 0.1, 0.1, 1.0), emission(2, 0.1, 0.1, 1.0)];
            },
            &["emissions[1].charge"],
        ),
        (
            "unknown charges, and what else is wrong",
            |h| {
                edited(h, |_| {});
                h.emissions =
                    vec![emission(2, 0.1, 0.1, 1.0), emission(0, 0.2, 0.1, 1.0), emission(-2, 0.1, 0.1, -1.0)];
            },
            &["emissions[0].charge", "emissions[2].charge", "emissions[1]", "emissions[2]"],
        ),
        (
            "many unknown charges",
            |h| {
                edited(h, |_| {});
                h.emissions = vec![emission(7, 0.1, 0.1, 1e-6); 12];
            },
            &[
                "emissions[0].charge",
                "emissions[1].charge",
                "emissions[2].charge",
                "emissions[3].charge",
                "emissions[4].charge",
                "emissions[5].charge",
                "emissions[6].charge",
                "emissions[7].charge",
                "emissions[8].charge",
                "emissions[9].charge",
                "emissions",
            ],
        ),
        (
            "emissions at fault",
            |h| {
                edited(h, |_| {});
                h.emissions =
                    vec![emission(0, 0.2, 0.1, 1.0), emission(0, 0.1, f64::NAN, 1.0), emission(1, 0.1, 0.1, -1.0)];
            },
            &["emissions[0]", "emissions[1]", "emissions[2]"],
        ),
        (
            "no energy",
            |h| {
                edited(h, |_| {});
                h.emissions = vec![emission(0, 0.1, 0.1, 0.0)];
            },
            &["emissions"],
        ),
        (
            "a physical half-life of no nuclide",
            |h| {
                edited(h, |_| {});
                h.emissions = vec![emission(0, 0.1, 0.1, 1.0)];
                h.nuclide.clear();
                let half_life = Some(pb::activity_bq::HalfLife::Physical(pb::PhysicalHalfLife {}));
                let unit = pb::activity_unit::Unit::Bq(pb::ActivityBq { half_life, ..Default::default() });
                h.activity_unit = Some(pb::ActivityUnit { unit: Some(unit) });
            },
            &["activity_unit.bq.physical"],
        ),
        (
            "an unknown nuclide beside emissions",
            |h| {
                edited(h, |_| {});
                h.emissions = vec![emission(0, 0.1, 0.1, 1.0)];
                h.nuclide = "Xx-1".into();
            },
            &["nuclide"],
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_label_values_are_found_once_they_are_there() {
    let server = Server::start(small()).await;
    let send = async |materials: &[u8], labels: &[f32]| {
        let mut header = good_header();
        table(&mut header, vec![named(1, "water"), named(2, "lung")]);
        header.labels = Some(volume([4, 3, 2], pb::ElementType::Float32));
        let given = [
            messages(header, &good_activity(), &good_density()),
            vec![
                chunk(pb::VolumeRole::Materials, 0, materials.to_vec()),
                chunk(pb::VolumeRole::Labels, 0, bytes_of(labels)),
            ],
        ]
        .concat();
        compute(server.raw().await, stream_of(given)).await
    };
    let good = send(&[2; 24], &[7.0; 24]).await.expect("a dose");
    let account = good.provenance.monte_carlo.expect("a transport");
    assert_eq!((account.materials[0].name.as_str(), account.regions[0].label), ("lung", 7));
    for (materials, labels, field) in
        [([3; 24], [7.0; 24], "materials"), ([1; 24], [0.5; 24], "labels"), ([1; 24], [f32::NAN; 24], "labels")]
    {
        let status = send(&materials, &labels).await.expect_err("bad values");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(reason_and_fields(&status).1, [field], "{status:?}");
    }
    // The chunks of a volume that is not announced, or that only a server sends.
    for role in [pb::VolumeRole::Labels, pb::VolumeRole::Uncertainty] {
        let given = [good_messages(), vec![chunk(role, 0, vec![0; 4])]].concat();
        let status = compute(server.raw().await, stream_of(given)).await.expect_err("a stray chunk");
        assert_eq!(reason_and_fields(&status).1, ["chunk.volume"]);
    }
}
