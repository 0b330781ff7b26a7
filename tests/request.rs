//! From what a caller wrote to a header: every fault is named by its path, and every path is known.

use std::collections::BTreeSet;

use dosegrid::domain::{ChosenCuts, DoseError, Extras, MaterialDefinition, MomentUnit, Part, VoxelGrid};
use dosegrid::request::{
    RawActivity, RawDaughterMap, RawDaughters, RawEmission, RawGrid, RawHalfLife, RawHeader, RawKernelMethod,
    RawLabelledMaterial, RawLocalMethod, RawMaterial, RawMedium, RawMethod, RawMoment, RawMonteCarlo, RawRegion,
    RawTarget, RawTimes, RawUnit, RawVolume, RawWeighting, paths, pattern,
};

const NAN: Option<f64> = Some(f64::NAN);

fn volume() -> Part<RawVolume> {
    Part::Good(RawVolume::from(&VoxelGrid::new([4, 3, 2], [2.0, 3.0, 4.0]).expect("a good grid")))
}

fn good() -> RawHeader {
    let mut header = RawHeader {
        activity: volume(),
        activity_unit: Part::Good(RawUnit::BqS),
        density: volume(),
        method: Part::Good(RawMethod::Local(RawLocalMethod::default())),
        ..RawHeader::default()
    };
    header.source.nuclide = Some("Ac-225".into());
    header
}

fn transport(options: RawMonteCarlo) -> RawHeader {
    RawHeader { method: Part::Good(RawMethod::MonteCarlo(Box::new(options))), ..good() }
}

fn of_medium(medium: RawMedium) -> RawHeader {
    transport(RawMonteCarlo { medium: Some(medium), ..RawMonteCarlo::default() })
}

fn defined(edit: impl FnOnce(&mut MaterialDefinition)) -> RawMaterial {
    let mut definition = MaterialDefinition {
        name: "mine".into(),
        source: String::new(),
        nominal_density_g_cm3: 1.0,
        density_range_g_cm3: None,
        mean_excitation_energy_ev: 70.0,
        mass_fractions: [("H".to_owned(), 0.1), ("C".to_owned(), 0.9)].into(),
    };
    edit(&mut definition);
    RawMaterial::Own(definition)
}

/// Volumes of which every part is at fault at least once.
fn bad_volumes() -> Vec<Part<RawVolume>> {
    let edits: [fn(&mut RawVolume); 7] = [
        |volume| volume.grid = None,
        |volume| volume.grid = Some(RawGrid { affine_mm: vec![0.0; 11], ..RawGrid::default() }),
        |volume| volume.element_type = Some("99".into()),
        |volume| volume.slope = Some(0.0),
        |volume| volume.intercept = NAN,
        |volume| volume.size_bytes = Some(1),
        |volume| volume.grid = Some((&VoxelGrid::new([1, 1, 1], [1.0; 3]).expect("a good grid")).into()),
    ];
    let bad = edits.into_iter().map(|edit| {
        let Part::Good(mut volume) = volume() else { unreachable!("a good volume") };
        edit(&mut volume);
        Part::Good(volume)
    });
    bad.chain([Part::Absent]).collect()
}

fn moment(unit: MomentUnit, half_life: Option<RawHalfLife>, imaged_after_s: Option<f64>) -> Part<RawUnit> {
    let times = RawTimes { half_life, imaged_after_s, decay_corrected_to: None };
    Part::Good(RawUnit::AtMoment(RawActivity { unit, times }))
}

/// Times of which every part but the nuclide is at fault at least once.
fn bad_times() -> [RawTimes; 4] {
    let (good, injection) = (Some(RawHalfLife::Effective(1.0)), Some(RawMoment::Injection));
    [
        RawTimes::default(),
        RawTimes { half_life: Some(RawHalfLife::Effective(0.0)), ..RawTimes::default() },
        RawTimes { half_life: good, imaged_after_s: NAN, ..RawTimes::default() },
        RawTimes { half_life: good, decay_corrected_to: injection, ..RawTimes::default() },
    ]
}

fn bad_units() -> Vec<Part<RawUnit>> {
    let of_moment = |unit| bad_times().map(|times| Part::Good(RawUnit::AtMoment(RawActivity { unit, times })));
    MomentUnit::ALL.into_iter().flat_map(of_moment).chain([Part::Absent]).collect()
}

fn bad_materials() -> Vec<RawMaterial> {
    let edits: [fn(&mut MaterialDefinition); 5] = [
        |definition| definition.name = "water".into(),
        |definition| definition.nominal_density_g_cm3 = f64::NAN,
        |definition| definition.density_range_g_cm3 = Some([2.0, 1.0]),
        |definition| definition.mean_excitation_energy_ev = 0.0,
        |definition| definition.mass_fractions.extend([("Xx".to_owned(), 0.5)]),
    ];
    edits.into_iter().map(|edit| defined(edit)).chain([RawMaterial::Known("lead".into())]).collect()
}

fn daughter(nuclide: &str) -> RawDaughterMap {
    let nuclide = Part::Good(nuclide.to_owned());
    RawDaughterMap { nuclide, activity: volume(), activity_unit: Part::Good(RawUnit::BqS) }
}

/// Headers with bad volumes and units.
fn bad_maps() -> Vec<RawHeader> {
    let mut bad = vec![RawHeader::default()];
    for volume in bad_volumes() {
        bad.push(RawHeader { activity: volume.clone(), ..good() });
        bad.push(RawHeader { density: volume.clone(), ..good() });
        // Labels and materials may be absent.
        if !matches!(volume, Part::Absent) {
            let transport = transport(RawMonteCarlo::default());
            bad.push(RawHeader { labels: volume.clone(), materials: volume.clone(), ..transport });
        }
        let map = RawDaughterMap { activity: volume, ..daughter("Bi-213") };
        bad.push(RawHeader { daughter_maps: vec![map], ..good() });
    }
    for activity_unit in bad_units() {
        bad.push(RawHeader { activity_unit: activity_unit.clone(), ..good() });
        let map = RawDaughterMap { activity_unit, ..daughter("Bi-213") };
        bad.push(RawHeader { daughter_maps: vec![map], ..good() });
    }
    bad
}

/// Headers with bad nuclides, daughters, spectra and weights.
fn bad_sources() -> Vec<RawHeader> {
    let nameless = MomentUnit::ALL.map(|unit| {
        let physical = moment(unit, Some(RawHalfLife::Physical), None);
        let map = RawDaughterMap { nuclide: Part::Absent, activity_unit: physical.clone(), ..daughter("") };
        RawHeader { daughter_maps: vec![map], activity_unit: physical, ..RawHeader::default() }
    });
    let mut in_growth = good();
    in_growth.source.daughters =
        Part::Good(RawDaughters::InGrowth { integration_time_s: 0.0, effective_half_life_s: None });
    let mut bad = vec![
        RawHeader { daughter_maps: vec![daughter("Lu-177")], labels: volume(), ..good() },
        RawHeader { weighting: Some(RawWeighting { alpha: NAN, recoil: NAN }), ..good() },
        RawHeader { injected_activity_bq: NAN, ..good() },
        RawHeader {
            integrated_from: Some(RawTimes { half_life: Some(RawHalfLife::Effective(1.0)), ..RawTimes::default() }),
            activity_unit: moment(MomentUnit::Bq, Some(RawHalfLife::Effective(1.0)), None),
            ..good()
        },
        in_growth,
    ];
    bad.extend(nameless);
    let physical = RawTimes { half_life: Some(RawHalfLife::Physical), ..RawTimes::default() };
    let of_nothing = RawHeader { integrated_from: Some(physical), ..RawHeader::default() };
    bad.extend(
        bad_times().map(|times| RawHeader { integrated_from: Some(times), ..good() }).into_iter().chain([of_nothing]),
    );
    for (charge, high_mev, yield_per_decay) in [(2, 0.1, 1.0), (0, 20.0, 1.0), (0, 0.1, 0.0)] {
        let mut header = RawHeader { daughter_maps: vec![daughter("Bi-213")], ..good() };
        header.source.daughters = Part::Good(RawDaughters::Unspecified);
        let emission = RawEmission { charge, low_mev: high_mev, high_mev, yield_per_decay };
        header.source.emissions = Part::Good(vec![emission]);
        bad.push(header);
    }
    bad
}

/// Headers with bad options of each method.
fn bad_methods() -> Vec<RawHeader> {
    let local = RawMethod::Local(RawLocalMethod { minimum_density_g_cm3: NAN });
    let kernel = RawMethod::Kernel(RawKernelMethod {
        medium: Some("lead".into()),
        density_correction: Some("half".into()),
        minimum_density_g_cm3: NAN,
        truncation_radius_mm: NAN,
    });
    let mut bad = vec![
        RawHeader { method: Part::Good(RawMethod::Unknown), ..good() },
        RawHeader { method: Part::Good(local), ..good() },
        RawHeader { method: Part::Good(kernel), materials: volume(), ..good() },
    ];
    for region in [RawRegion::DoseFraction(2.0), RawRegion::Label(0), RawRegion::Label(65_536)] {
        let options = RawMonteCarlo {
            histories: Some(1),
            target_uncertainty: Some(RawTarget { relative: 2.0, region: Some(region) }),
            time_limit_s: NAN,
            minimum_density_g_cm3: NAN,
            cuts: ChosenCuts { absorption_mev: NAN, collision_mev: NAN, photon_mev: NAN, track_length_mev: NAN },
            extras: Extras { uncertainty: false, tally: true },
            ..RawMonteCarlo::default()
        };
        bad.push(RawHeader { daughter_maps: vec![daughter("Bi-213")], ..transport(options) });
    }
    bad
}

/// Headers with bad materials.
fn bad_media() -> Vec<RawHeader> {
    let table = |entries: Vec<(u32, Option<RawMaterial>)>| {
        let entry = |(label, material)| RawLabelledMaterial { label, material };
        of_medium(RawMedium::Table(entries.into_iter().map(entry).collect()))
    };
    let other = defined(|own| own.nominal_density_g_cm3 = 2.0);
    let mut bad = vec![
        of_medium(RawMedium::Unspecified),
        table(vec![]),
        table(vec![(70_000, None)]),
        table(vec![(1, Some(defined(|_| {}))), (2, Some(other))]),
    ];
    for material in bad_materials() {
        bad.push(of_medium(RawMedium::Uniform(material.clone())));
        bad.push(table(vec![(1, Some(material))]));
    }
    bad
}

#[test]
fn every_path_of_a_fault_is_known_and_every_known_path_is_one() {
    let known: BTreeSet<String> = paths().into_iter().collect();
    assert_eq!(known.len(), paths().len(), "a path is listed twice");
    let mut found = BTreeSet::new();
    for header in [bad_maps(), bad_sources(), bad_methods(), bad_media()].concat() {
        let Err(DoseError::Invalid(faults)) = header.clone().check() else { panic!("not refused: {header:?}") };
        assert!(!faults.is_empty(), "no fault is named: {header:?}");
        found.extend(faults.iter().map(|fault| pattern(&fault.field)));
    }
    let unknown: Vec<_> = found.difference(&known).collect();
    let never: Vec<_> = known.difference(&found).collect();
    assert!(unknown.is_empty() && never.is_empty(), "not listed: {unknown:?}; listed, never found: {never:?}");
}

#[test]
fn a_good_header_has_its_defaults() {
    let header = good().check().expect("a good header");
    assert_eq!(header.source().name(), "Ac-225");
    assert!(header.source().members().len() > 1 && header.weighting().is_none());
    let weighted = RawHeader { weighting: Some(RawWeighting { alpha: Some(3.0), recoil: None }), ..good() };
    let weighting = weighted.check().expect("a good header").weighting().expect("asked for");
    assert_eq!((weighting.alpha, weighting.recoil), (3.0, 3.0));
    let raw = RawHeader { injected_activity_bq: Some(7.4e9), strict: true, ..good() };
    let told = raw.check().expect("a good header");
    assert_eq!((told.injected_activity_bq(), told.strict(), header.strict()), (Some(7.4e9), true, false));
    // A part that was found at fault elsewhere leaves no header, and no second fault.
    let faulty = RawHeader { method: Part::Faulty, ..good() };
    assert_eq!(faulty.check(), Err(DoseError::Invalid(Vec::new())));
}
