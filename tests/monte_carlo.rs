//! Whole Monte Carlo runs: split ranges, seeds, stop rules and odd phantoms. The physics has tests of its own.

mod merged;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use dosegrid::compute;
use dosegrid::domain::{
    ActivityUnit, Control, DensityMap, DoseError, DoseRequest, DoseResult, Emission, EmissionSpectrum, Extras,
    LabelMap, LabelMaps, MaterialTable, Medium, Method, MonteCarloOptions, Particle, Source, StopReason, StopRule,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::engine::Device;
use dosegrid::method::merged_dose;
use dosegrid::physics::{material, nuclide};
use dosegrid::plan::{Limits, plan};

const SHAPE: [u64; 3] = [12, 9, 7];
const VOXELS: usize = 12 * 9 * 7;
/// How often a run may still ask whether to go on once its caller has gone: each of its 32 groups once, and the thread
/// that waits.
const ASKS_AFTER_LEAVING: u64 = 40;
const LIMITS: Limits = Limits { host_bytes: 1 << 34, workspace_bytes: 1 << 30 };

/// A small phantom of soft tissue, lung, bone and air with activity in two blocks. A test changes parts of it.
struct Case {
    decays: Vec<f32>,
    density: Vec<f32>,
    labels: LabelMaps,
    source: Source,
    options: MonteCarloOptions,
}

fn grid() -> Arc<VoxelGrid> {
    Arc::new(VoxelGrid::new(SHAPE, [3.0, 4.0, 5.0]).expect("a good grid"))
}

fn per_voxel(value: impl Fn([usize; 3]) -> f32) -> Vec<f32> {
    (0..VOXELS).map(|i| value([i % 12, i / 12 % 9, i / 108])).collect()
}

fn volume(values: Vec<f32>) -> Volume<f32> {
    Volume::from_vec(grid(), values).expect("one value a voxel")
}

fn label_map(value: impl Fn([usize; 3]) -> f32) -> LabelMap {
    LabelMap::new(&volume(per_voxel(value))).expect("labels")
}

impl Case {
    fn new(histories: u64) -> Self {
        let hot = |[x, y, z]: [usize; 3]| (3..6).contains(&x) && (3..6).contains(&y) && (2..5).contains(&z);
        let density = per_voxel(|[x, _, z]| match (x, z) {
            (0..2, _) => 1.85,
            (8..12, _) => 0.26,
            (_, 0) => 0.0012,
            _ => 1.04,
        });
        let mut case = Self {
            decays: per_voxel(|at| {
                if hot(at) {
                    1e8
                } else if at[0] == 9 {
                    1e6
                } else {
                    0.0
                }
            }),
            density,
            labels: LabelMaps::default(),
            source: nuclide::find("Lu-177").expect("a known nuclide").into(),
            options: MonteCarloOptions::default(),
        };
        case.options.stop.histories = Some(histories);
        case.options.extras = Extras { uncertainty: true, tally: true };
        case
    }

    fn request(&self) -> Result<DoseRequest, DoseError> {
        let activity = TimeIntegratedActivity::new(volume(self.decays.clone()), ActivityUnit::BqS).expect("good");
        let density = DensityMap::new(volume(self.density.clone())).expect("good");
        let method = Method::MonteCarlo(Box::new(self.options.clone()));
        DoseRequest::builder(activity, self.source.clone(), method).density(density).labels(self.labels.clone()).build()
    }

    fn try_run(&self, control: &Control) -> Result<DoseResult, DoseError> {
        let request = self.request()?;
        compute(&request, &mut crate::support::cpu(), &LIMITS, control)
    }

    fn run(&self) -> DoseResult {
        self.try_run(&Control::detached()).expect("a dose")
    }
}

fn account(result: &DoseResult) -> &dosegrid::domain::MonteCarloAccount {
    result.provenance.monte_carlo.as_ref().expect("a transport says what it did")
}

fn bits(volume: &Volume<f32>) -> Vec<u32> {
    volume.as_slice().iter().map(|v| v.to_bits()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let mut case = Case::new(5000);
    let (first, second) = (case.run(), case.run());
    assert_eq!((bits(&first.dose), &first.uncertainty), (bits(&second.dose), &second.uncertainty));
    case.options.seed = 2;
    assert_ne!(bits(&case.run().dose), bits(&first.dose));
}

#[test]
fn the_account_closes() {
    let mut case = Case::new(20_000);
    case.labels.regions = Some(label_map(|[x, ..]| if x < 2 { 7.0 } else { 0.0 }));
    let result = case.run();
    let (energy, account) = (result.provenance.energy, account(&result));
    assert!((energy.emitted_mev - energy.deposited_mev - energy.escaped_mev).abs() <= 1e-5 * energy.emitted_mev);
    assert!((energy.emitted_mev / result.provenance.decays / 0.1813 - 1.0).abs() < 1e-2, "{energy:?}");
    assert_eq!(energy.voxels_without_dose, case.density.iter().filter(|d| **d < 0.05).count() as u64);
    assert_eq!((account.histories, account.stopped_by, account.regions.len()), (20_000, StopReason::Histories, 1));
    let names: Vec<&str> = account.materials.iter().map(|material| material.name.as_str()).collect();
    assert_eq!(names, ["air", "lung", "soft_tissue", "cortical_bone"]);
    assert_eq!(account.materials.iter().map(|material| material.voxels).sum::<u64>(), VOXELS as u64);
    assert_eq!(account.emissions.sha256, nuclide::emissions(nuclide::find("Lu-177").expect("known")).sha256());
    let stages: Vec<&str> = result.provenance.wall_time.iter().map(|time| time.stage.as_str()).collect();
    assert_eq!(stages, ["tables", "dose", "finish"]);
}

#[test]
fn the_spread_of_repeated_runs_is_the_sigma_claimed() {
    // 100 runs with different seeds. In each voxel, spread²/σ² has a mean of 1 and varies by √(2/99) = 14 %. Its mean
    // over voxels varies less; by how much depends on how far the voxels are correlated. If fully, 0.4 would be
    // exceeded once in 200 times; if not at all, never.
    const RUNS: u32 = 100;
    let mut case = Case::new(2048);
    case.options.medium = Medium::Uniform(material::find("water").expect("known").clone());
    let runs: Vec<DoseResult> = (1..=RUNS)
        .map(|seed| {
            case.options.seed = seed.into();
            case.run()
        })
        .collect();
    let hottest = runs[0].dose.as_slice().iter().copied().fold(0.0, f32::max);
    let (mut ratio, mut voxels) = (0.0, 0u32);
    for voxel in (0..VOXELS).filter(|&voxel| runs[0].dose.as_slice()[voxel] > 0.3 * hottest) {
        let mean = |of: &dyn Fn(&DoseResult) -> f64| runs.iter().map(of).sum::<f64>() / f64::from(RUNS);
        let dose = |run: &DoseResult| f64::from(run.dose.as_slice()[voxel]);
        let centre = mean(&dose);
        let spread = mean(&|run| (dose(run) - centre).powi(2)) * f64::from(RUNS) / f64::from(RUNS - 1);
        let sigma = |run: &DoseResult| f64::from(run.uncertainty.as_ref().expect("asked for").as_slice()[voxel]);
        ratio += spread / mean(&|run| sigma(run).powi(2));
        voxels += 1;
    }
    let ratio = ratio / f64::from(voxels);
    println!("spread² / σ²: {ratio:.3} in {voxels} voxels");
    assert!(voxels >= 20 && (ratio - 1.0).abs() < 0.4, "{ratio} in {voxels} voxels");
}

#[test]
fn a_time_limit_stops() {
    let mut case = Case::new(0);
    case.options.stop = StopRule { time_limit_s: Some(0.5), ..StopRule::default() };
    // Without the limit it would go on for days.
    let result = case.run();
    assert_eq!(account(&result).stopped_by, StopReason::TimeLimit);
    assert!(account(&result).histories > 1000);
}

#[test]
fn nothing_in_gives_nothing_out() {
    let mut case = Case::new(1000);
    case.decays.fill(0.0);
    case.labels.regions = Some(label_map(|_| 1.0));
    let result = case.run();
    assert!(result.dose.as_slice().iter().all(|&gy| gy == 0.0));
    assert!(result.uncertainty.as_ref().expect("asked for").as_slice().iter().all(|&gy| gy == 0.0));
    let account = account(&result);
    assert_eq!((account.stopped_by, account.histories, account.relative_sigma), (StopReason::NoActivity, 0, None));
    assert_eq!(result.provenance.energy.emitted_mev, 0.0);
    let tally = *result.tally.expect("asked for");
    merged_dose(tally, None, Extras::default(), &Control::detached()).expect("no dose, and no error");
}

#[test]
fn activity_in_vacuum_reaches_matter_elsewhere() {
    let mut case = Case::new(20_000);
    case.density = per_voxel(|[x, ..]| if x < 6 { 0.0 } else { 1.04 });
    case.decays = per_voxel(|at| if at == [3, 4, 3] { 1e9 } else { 0.0 });
    let result = case.run();
    let dose = result.dose.data();
    assert!((0..6).all(|x| dose[[x, 4, 3]] == 0.0), "a voxel without mass has no dose");
    assert!(dose[[6, 4, 3]] > 0.0, "electrons cross the vacuum");
    let energy = result.provenance.energy;
    assert!(energy.escaped_mev > 0.3 * energy.emitted_mev && energy.deposited_mev > 0.1 * energy.emitted_mev);
    // Electrons emitted below the absorption energy stay where they are: 0.7 % of the energy of Lu-177 at 11 keV.
    assert_eq!(energy.voxels_without_dose, 6 * 63);
    assert!(energy.without_dose_mev < 0.01 * energy.emitted_mev, "{energy:?}");
    case.density.fill(0.0);
    let empty = case.run();
    assert!(empty.dose.as_slice().iter().all(|&gy| gy == 0.0));
    let energy = empty.provenance.energy;
    assert!(energy.deposited_mev < 0.01 * energy.emitted_mev, "{energy:?}");
}

#[test]
fn a_map_of_one_material_is_that_material() {
    let water = || material::find("water").expect("known").clone();
    let mut uniform = Case::new(3000);
    uniform.options.medium = Medium::Uniform(water());
    let mut mapped = Case::new(3000);
    mapped.options.medium = Medium::Map(MaterialTable::new(vec![(4, water()), (9, water())]).expect("a good table"));
    mapped.labels.materials = Some(label_map(|[x, ..]| if x < 6 { 4.0 } else { 9.0 }));
    let (uniform, mapped) = (uniform.run(), mapped.run());
    assert_eq!(bits(&uniform.dose), bits(&mapped.dose));
    assert_ne!(bits(&uniform.dose), bits(&Case::new(3000).run().dose));
    assert_eq!((account(&mapped).medium.as_str(), account(&mapped).materials.len()), ("map", 1));
    let mut unknown = Case::new(100);
    unknown.options.medium = Medium::Map(MaterialTable::new(vec![(4, water())]).expect("a good table"));
    unknown.labels.materials = Some(label_map(|[x, ..]| if x < 6 { 4.0 } else { 9.0 }));
    let error = unknown.try_run(&Control::detached()).expect_err("no material for 9");
    assert!(error.to_string().contains("no material: 9"), "{error}");
}

#[test]
fn a_spectrum_of_the_callers_own_is_what_decays() {
    let line = |particle, mev| Emission { particle, low_mev: mev, high_mev: mev, yield_per_decay: 1.0 };
    let mut case = Case::new(5000);
    let spectrum = EmissionSpectrum::new(vec![line(Particle::Electron, 0.1)]).expect("a good spectrum");
    case.source = Source::with_emissions(None, spectrum).expect("a source");
    let result = case.run();
    assert_eq!((result.provenance.nuclide.as_str(), account(&result).emissions.custom), ("custom", true));
    assert_eq!(result.provenance.nuclide_data_sha256, account(&result).emissions.sha256);
    assert!((account(&result).emitted_mev / 500.0 - 1.0).abs() < 1e-5, "{}", account(&result).emitted_mev);
    // Positrons bring the rest energy of two electrons with them.
    let spectrum = EmissionSpectrum::new(vec![line(Particle::Positron, 0.3)]).expect("a good spectrum");
    case.source = Source::with_emissions(None, spectrum).expect("a source");
    let result = case.run();
    assert!((account(&result).emitted_mev / (5000.0 * 1.321_998) - 1.0).abs() < 1e-5);
}

#[test]
fn what_the_plan_refuses_is_named() {
    let mut case = Case::new(100);
    case.options.first_history = 1 << 60;
    let error = case.try_run(&Control::detached()).expect_err("no such numbers");
    assert!(matches!(&error, DoseError::Invalid(faults) if faults[0].field.ends_with("first_history")), "{error}");
    let request = Case::new(100).request().expect("a good request");
    let small = Limits { host_bytes: 1 << 10, ..LIMITS };
    let error = plan(&request, &small).expect_err("a tally needs more");
    assert!(matches!(error, DoseError::TooLarge { .. }), "{error}");
}

#[test]
fn a_caller_who_has_gone_is_noticed() {
    // Without the caller's leave it would go on for days; with it, each group refuses its next histories.
    let case = Case::new(1 << 33);
    for leaves_at in [1, 2, 40, 4000] {
        let control = Control::gone_after(leaves_at);
        assert_eq!(case.try_run(&control), Err(DoseError::Cancelled), "at {leaves_at}");
        let late = control.times_asked() - leaves_at;
        println!("at {leaves_at}: {late} more");
        assert!(late <= ASKS_AFTER_LEAVING, "asked {late} times more after the caller had left at {leaves_at}");
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_gpu_lost_in_the_middle_costs_nothing_but_time() {
    let mut device = crate::support::gpu();
    let mut case = Case::new(12_000);
    case.options.medium = Medium::Uniform(material::find("water").expect("known").clone());
    let request = case.request().expect("a good request");
    let expected = compute(&request, &mut device, &LIMITS, &Control::detached()).expect("a dose");
    let Device::Gpu(gpu) = &device else { panic!("asked for a GPU") };
    let lose = gpu.failure_switch();
    let (control, mut progress) = Control::new(tokio_util::sync::CancellationToken::new());
    let running = std::thread::spawn(move || compute(&request, &mut device, &LIMITS, &control));
    while progress.borrow_and_update().transport.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    lose();
    let found = running.join().expect("no panic").expect("the device is opened again");
    assert_eq!((bits(&found.dose), &found.uncertainty), (bits(&expected.dose), &expected.uncertainty));
    assert_eq!(account(&found).histories, 12_000);
}
