//! The header of a request: stored and read back it is the same to the last bit, and what cannot be a header is
//! refused.

use dosegrid::domain::{
    ActivityAtMoment, ActivityTimes, ActivityUnit, BiologicalWeighting, Checks, ChosenCuts, DaughterHeader, Daughters,
    DecayCorrection, DensityCorrection, DoseError, ElementType, Emission, EmissionSpectrum, Extras, HeaderDraft,
    InGrowth, KernelMedium, KernelOptions, LocalOptions, MaterialTable, Medium, Method, MomentUnit, MonteCarloOptions,
    Nuclide, Part, Particle, Region, RequestHeader, Source, StopRule, TargetUncertainty, VolumeHeader, VolumeRole,
    VoxelGrid,
};
use dosegrid::physics::{chain, material, nuclide};

fn named(name: &str) -> &'static Nuclide {
    nuclide::find(name).expect("a known nuclide")
}

fn grid() -> VoxelGrid {
    let affine = [[-0.1, 0.0, 0.0, 1.0 / 3.0], [0.0, 2.5, 0.0, -126.7], [0.0, 0.0, 3.3, 1e-7]];
    VoxelGrid::new([7, 5, 3], [0.1, 2.5, 3.3]).and_then(|grid| grid.with_affine(affine)).expect("a good grid")
}

fn draft(source: Source, method: Method) -> HeaderDraft {
    let volume = VolumeHeader { grid: grid(), element: ElementType::Int16, slope: 0.1, intercept: -1.0 / 3.0 };
    HeaderDraft {
        activity: Part::Good(volume.clone()),
        activity_unit: Part::Good(ActivityUnit::AtMoment(ActivityAtMoment {
            unit: MomentUnit::KbqPerMl,
            times: ActivityTimes {
                imaged_after_s: Some(1e4 / 7.0),
                decay_correction: DecayCorrection::Injection { physical_half_life_s: 1e6 / 3.0 },
                ..ActivityTimes::effective(1e5 / 3.0)
            },
        })),
        injected_activity_bq: Some(7.4e9 / 3.0),
        strict: true,
        density: Part::Good(volume),
        source: Part::Good(source),
        method: Part::Good(method),
        ..HeaderDraft::default()
    }
}

fn assert_kept(draft: HeaderDraft) -> RequestHeader {
    let header = draft.finish(Checks::new()).expect("a good header");
    let text = serde_json::to_string(&header).expect("a header is plain data");
    let read: RequestHeader = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(read, header);
    assert_eq!(serde_json::to_string(&read).expect("plain data"), text);
    header
}

fn transport() -> MonteCarloOptions {
    let [air, bone] = ["air", "cortical_bone"].map(|name| material::find(name).expect("known").clone());
    MonteCarloOptions {
        stop: StopRule {
            histories: Some(u64::MAX >> 12),
            target: Some(TargetUncertainty { relative: 0.1 / 3.0, region: Region::Label(65_535) }),
            time_limit_s: Some(1e4 / 7.0),
        },
        medium: Medium::Map(MaterialTable::new(vec![(9, bone.clone()), (0, air), (3, bone)]).expect("a good table")),
        seed: u64::MAX,
        first_history: 1 << 60,
        minimum_density_g_cm3: 0.1 + 0.2,
        cuts: ChosenCuts { absorption_mev: Some(0.01 / 3.0), track_length_mev: Some(0.0), ..ChosenCuts::default() },
        extras: Extras { uncertainty: true, tally: false },
    }
}

#[test]
fn every_method_is_stored_to_the_last_bit() {
    let lutetium = || Source::from(named("Lu-177"));
    assert_kept(draft(lutetium(), Method::Local(LocalOptions { minimum_density_g_cm3: 0.1 / 3.0 })));
    for (medium, density_correction) in
        [(KernelMedium::CorticalBone, DensityCorrection::DensityScaled), (KernelMedium::Lung, DensityCorrection::None)]
    {
        let truncation_radius_mm = Some(100.0 / 3.0);
        let default = KernelOptions::default();
        let options = KernelOptions { medium, density_correction, truncation_radius_mm, ..default };
        assert_kept(draft(lutetium(), Method::Kernel(options)));
    }
    let maps = |options| {
        let draft = draft(lutetium(), Method::MonteCarlo(Box::new(options)));
        HeaderDraft { labels: draft.activity.clone(), materials: draft.activity.clone(), ..draft }
    };
    assert_kept(maps(transport()));
    for name in ["cortical_bone", "water"] {
        let uniform = Medium::Uniform(material::find(name).expect("known").clone());
        let options = MonteCarloOptions { medium: uniform, ..transport() };
        assert_kept(HeaderDraft { materials: Part::Absent, ..maps(options) });
    }
}

#[test]
fn daughters_and_spectra_are_stored_to_the_last_bit() {
    let [bismuth, lead] = ["Bi-213", "Pb-209"].map(named);
    let growth = InGrowth { integration_time_s: 1e7 / 3.0, effective_half_life_s: Some(1e6 / 7.0) };
    for mode in [Daughters::ParentOnly, Daughters::Equilibrium, Daughters::InGrowth(growth)] {
        let source = |nuclide, apart: &[_]| chain::source(nuclide, mode, apart).expect("a daughter");
        let draft = draft(source(named("Ac-225"), &[bismuth, lead]), Method::Local(LocalOptions::default()));
        let activity = draft.activity.good().expect("given").clone();
        let map = |source| {
            Part::Good(DaughterHeader { source, activity: activity.clone(), activity_unit: ActivityUnit::MbqH })
        };
        let daughters = vec![map(source(bismuth, &[lead])), map(source(lead, &[]))];
        let weighting = Some(BiologicalWeighting { alpha: 5.0 / 3.0, recoil: 0.1 });
        let header = assert_kept(HeaderDraft { daughters, weighting, ..draft });
        let roles: Vec<VolumeRole> = header.volumes().map(|(role, _)| role).collect();
        let daughter = VolumeRole::DaughterActivity;
        assert_eq!(roles, [VolumeRole::Activity, VolumeRole::Density, daughter(0), daughter(1)]);
        let canonical = header.canonical();
        assert_eq!((canonical.activity_unit(), canonical.source()), (ActivityUnit::BqS, header.source()));
        assert!(canonical.volumes().all(|(_, volume)| *volume == VolumeHeader::float32(&grid())));
    }
    let astatine = Source::from(named("At-211"));
    assert!(!astatine.left_out().is_empty());
    assert_kept(draft(astatine, Method::Local(LocalOptions::default())));
    let line = Emission { particle: Particle::Positron, low_mev: 0.1, high_mev: 1.0 / 3.0, yield_per_decay: 0.7 };
    let spectrum = EmissionSpectrum::new(vec![line]).expect("a good spectrum");
    for nuclide in [None, Some(named("F-18"))] {
        let source = Source::with_emissions(nuclide, spectrum.clone()).expect("a source");
        assert_kept(draft(source, Method::Local(LocalOptions::default())));
    }
}

#[test]
fn what_cannot_be_a_header_is_refused() {
    let Err(DoseError::Invalid(faults)) = HeaderDraft::default().finish(Checks::new()) else { panic!("not refused") };
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["activity", "nuclide", "activity_unit", "method"]);
    let good = draft(named("Lu-177").into(), Method::Local(LocalOptions::default()));
    let good = serde_json::to_value(good.finish(Checks::new()).expect("a good header")).expect("plain data");
    let refused = |path: &str, value: serde_json::Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(path).expect("a known field") = value;
        assert!(serde_json::from_value::<RequestHeader>(bad).is_err(), "{path}");
    };
    assert!(serde_json::from_value::<RequestHeader>(good.clone()).is_ok());
    refused("/activity", serde_json::Value::Null);
    refused("/activity/slope", 0.into());
    refused("/activity/grid/shape", serde_json::json!([7, 0, 3]));
    refused("/density", serde_json::Value::Null);
    refused("/density/grid/shape", serde_json::json!([7, 5, 4]));
    refused("/activity_unit/at-moment/times/half_life_s", 0.into());
    refused("/activity_unit/at-moment/times/imaged_after_s", (-1).into());
    refused("/activity_unit/at-moment/times/imaged_after_s", serde_json::Value::Null);
    refused("/activity_unit/at-moment/times/decay_correction/injection/physical_half_life_s", 0.into());
    refused("/integrated_from", good["activity_unit"]["at-moment"]["times"].clone());
    refused("/injected_activity_bq", 0.into());
    refused("/method/local/minimum_density_g_cm3", (-1).into());
    refused("/source/members/0/decays_per_decay", (-1).into());
    refused("/source/emissions/0/yield_per_decay", 2000.into());
    refused("/weighting", serde_json::json!({ "alpha": -1.0, "recoil": 1.0 }));
}
