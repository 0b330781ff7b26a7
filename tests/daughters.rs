//! Doses of decay chains: daughters in the map of their parent and in their own maps, and the biologically weighted
//! dose.

use std::sync::Arc;

use dosegrid::domain::{
    ActivityUnit, BiologicalWeighting, Control, Daughters, DensityMap, DoseRequest, DoseResult, Extras, KernelOptions,
    LabelMap, LabelMaps, LocalOptions, Medium, Method, MonteCarloOptions, Nuclide, RequestBuilder, Source, StopReason,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::physics::{chain, material, nuclide};
use dosegrid::plan::Limits;

const GY_PER_MEV_PER_G: f64 = 1.602_176_634e-10;
/// Voxels of 3 × 3 × 4 mm.
const VOLUME_CM3: f64 = 0.036;

fn named(name: &str) -> &'static Nuclide {
    nuclide::find(name).expect("a known nuclide")
}

fn grid() -> Arc<VoxelGrid> {
    Arc::new(VoxelGrid::new([7, 6, 5], [3.0, 3.0, 4.0]).expect("a good grid"))
}

fn volume(value: impl Fn(usize) -> f32) -> Volume<f32> {
    let grid = grid();
    let values = (0..grid.voxels()).map(value).collect();
    Volume::from_vec(grid, values).expect("a value for each voxel")
}

fn activity(value: impl Fn(usize) -> f32) -> TimeIntegratedActivity {
    TimeIntegratedActivity::new(volume(value), ActivityUnit::BqS).expect("an activity")
}

/// Decays of the parent: two thirds of the voxels.
fn parent_decays(voxel: usize) -> f32 {
    if voxel.is_multiple_of(3) { 0.0 } else { 1e8 * (1.0 + voxel as f32) }
}

/// Decays of the daughter: one corner.
fn daughter_decays(voxel: usize) -> f32 {
    if voxel < 40 { 3e9 } else { 0.0 }
}

fn density(voxel: usize) -> f32 {
    [0.26, 1.05, 1.9, 0.02][voxel % 4]
}

fn parts(source: Source, activity: TimeIntegratedActivity, method: Method) -> RequestBuilder {
    DoseRequest::builder(activity, source, method).density(DensityMap::new(volume(density)).expect("a density"))
}

fn dose(parts: RequestBuilder) -> DoseResult {
    let request = parts.build().expect("a good request");
    let limits = Limits { host_bytes: 1 << 32, workspace_bytes: 1 << 30 };
    let mut device = crate::support::cpu();
    dosegrid::compute(&request, &mut device, &limits, &Control::detached()).expect("a dose")
}

fn monte_carlo(seed: u64) -> Method {
    let mut options = MonteCarloOptions { seed, ..MonteCarloOptions::default() };
    options.stop.histories = Some(3200);
    options.extras = Extras { uncertainty: true, tally: false };
    Method::MonteCarlo(Box::new(options))
}

/// Actinium-225, and bismuth-213 in a map of its own.
fn with_moved_bismuth(method: Method) -> RequestBuilder {
    parts(actinium_alone(), activity(parent_decays), method).daughter(named("Bi-213"), activity(daughter_decays))
}

/// Actinium-225 without the bismuth-213 that moved.
fn actinium_alone() -> Source {
    chain::source(named("Ac-225"), Daughters::Equilibrium, &[named("Bi-213")]).expect("a daughter")
}

#[test]
fn the_dose_of_several_maps_is_the_sum_of_their_doses() {
    for method in [Method::Local(LocalOptions::default()), Method::Kernel(KernelOptions::default())] {
        let all = with_moved_bismuth(method.clone());
        let stays = dose(parts(actinium_alone(), activity(parent_decays), method.clone()));
        let moved = dose(parts(named("Bi-213").into(), activity(daughter_decays), method.clone()));
        let both = dose(all);
        for (voxel, sum) in both.dose.as_slice().iter().enumerate() {
            let expected = stays.dose.as_slice()[voxel] + moved.dose.as_slice()[voxel];
            assert_eq!(*sum, expected, "{} voxel {voxel}", method.name());
        }
        let [a, b, sum] = [&stays, &moved, &both].map(|result| result.provenance.energy);
        assert_eq!(sum.emitted_mev, a.emitted_mev + b.emitted_mev);
        assert_eq!(sum.deposited_mev, a.deposited_mev + b.deposited_mev);
        assert_eq!(sum.voxels_without_dose, a.voxels_without_dose);
        assert_eq!(both.provenance.daughter_maps.len(), 1);
        assert_eq!(both.provenance.daughter_maps[0].nuclide, "Bi-213");
        assert!(both.provenance.source.members.iter().all(|member| member.nuclide != "Bi-213"));
    }
}

#[test]
fn maps_of_a_transport_have_random_numbers_of_their_own() {
    let with_regions = |parts: RequestBuilder| {
        let regions = LabelMap::new(&volume(|voxel| if voxel < 90 { 1.0 } else { 2.0 })).expect("labels");
        parts.labels(LabelMaps { regions: Some(regions), materials: None })
    };
    let both = dose(with_regions(with_moved_bismuth(monte_carlo(5))));
    let account = |result: &DoseResult| result.provenance.monte_carlo.clone().expect("a transport");
    let seeds = [account(&both).seed, both.provenance.daughter_maps[0].monte_carlo.as_ref().expect("a transport").seed];
    assert!(seeds[0] == 5 && seeds[1] != 5, "{seeds:?}");
    let stays = dose(with_regions(parts(actinium_alone(), activity(parent_decays), monte_carlo(seeds[0]))));
    let moved = dose(with_regions(parts(named("Bi-213").into(), activity(daughter_decays), monte_carlo(seeds[1]))));
    let sigma = |result: &DoseResult| result.uncertainty.clone().expect("asked for").into_vec();
    let (a, b, sum) = (sigma(&stays), sigma(&moved), sigma(&both));
    for voxel in 0..grid().voxels() {
        assert_eq!(both.dose.as_slice()[voxel], stays.dose.as_slice()[voxel] + moved.dose.as_slice()[voxel]);
        assert_eq!(sum[voxel], a[voxel].hypot(b[voxel]), "voxel {voxel}");
    }
    for ((sum, a), b) in account(&both).regions.iter().zip(account(&stays).regions).zip(account(&moved).regions) {
        assert_eq!((sum.mean_gy, sum.sigma_gy), (a.mean_gy + b.mean_gy, a.sigma_gy.hypot(b.sigma_gy)));
    }
}

#[test]
fn what_stays_in_place_needs_no_histories() {
    // Polonium-212 emits almost only an alpha particle of 8.785 MeV.
    let polonium = chain::source(named("Po-212"), Daughters::ParentOnly, &[]).expect("a source");
    let local_mev = polonium.local_mev();
    assert!((8.9..9.0).contains(&local_mev), "{local_mev}");
    let result = dose(parts(polonium, activity(parent_decays), monte_carlo(1)));
    let sigma = result.uncertainty.expect("asked for");
    for (voxel, &found) in result.dose.as_slice().iter().enumerate() {
        let mass_g = f64::from(density(voxel)) * VOLUME_CM3;
        let expected = f64::from(parent_decays(voxel)) * local_mev / mass_g * GY_PER_MEV_PER_G;
        let expected = if density(voxel) < 0.05 { 0.0 } else { expected };
        assert!((f64::from(found) - expected).abs() <= 1e-6 * expected, "voxel {voxel}: {found} {expected}");
        assert_eq!(sigma.as_slice()[voxel], 0.0);
    }
    let account = result.provenance.monte_carlo.expect("a transport");
    assert_eq!((account.stopped_by, account.histories), (StopReason::NothingToFollow, 0));
    let energy = result.provenance.energy;
    assert!((energy.deposited_mev / energy.emitted_mev - 1.0).abs() < 1e-12 && energy.without_dose_mev > 0.0);
}

#[test]
fn weighted_doses_differ_by_the_weighted_energy_whatever_the_method() {
    let weighting = BiologicalWeighting { alpha: 5.0, recoil: 2.0 };
    for method in [Method::Local(LocalOptions::default()), Method::Kernel(KernelOptions::default()), monte_carlo(3)] {
        let request = with_moved_bismuth(method).weighting(weighting);
        let excess = [actinium_alone(), named("Bi-213").into()].map(|source| {
            let local = source.local();
            4.0 * local.alpha_mev + local.recoil_mev
        });
        let result = dose(request);
        let weighted = result.weighted.expect("asked for");
        for (voxel, (weighted, dose)) in weighted.as_slice().iter().zip(result.dose.as_slice()).enumerate() {
            let mass_g = f64::from(density(voxel)) * VOLUME_CM3;
            let mev = f64::from(parent_decays(voxel)) * excess[0] + f64::from(daughter_decays(voxel)) * excess[1];
            let expected = if density(voxel) < 0.05 { 0.0 } else { mev / mass_g * GY_PER_MEV_PER_G };
            let found = f64::from(*weighted) - f64::from(*dose);
            assert!((found - expected).abs() <= 1e-6 * f64::from(*weighted), "voxel {voxel}: {found} {expected}");
        }
        assert_eq!(result.provenance.biological_weighting, Some(weighting));
    }
    // The default; no weighting unless requested.
    assert_eq!(BiologicalWeighting::default(), BiologicalWeighting { alpha: 5.0, recoil: 5.0 });
    let plain = dose(with_moved_bismuth(Method::Local(LocalOptions::default())));
    assert!(plain.weighted.is_none() && plain.provenance.biological_weighting.is_none());
}

#[test]
fn bad_maps_and_weights_are_refused_by_name() {
    // The daughter decays with its parent as well; its map is on another grid; neither weight is one.
    let method = Method::Local(LocalOptions::default());
    let elsewhere = Arc::new(VoxelGrid::new([1, 1, 1], [3.0; 3]).expect("a grid"));
    let elsewhere = Volume::from_vec(elsewhere, vec![1.0]).expect("one value");
    let elsewhere = TimeIntegratedActivity::new(elsewhere, ActivityUnit::BqS).expect("an activity");
    let bad = parts(named("Ac-225").into(), activity(parent_decays), method)
        .daughter(named("Bi-213"), elsewhere)
        .weighting(BiologicalWeighting { alpha: f64::NAN, recoil: -1.0 });
    let Err(dosegrid::domain::DoseError::Invalid(faults)) = bad.build() else { panic!("not refused") };
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    for field in [
        "daughter_maps[0].activity.grid",
        "daughter_maps[0].nuclide",
        "biological_weighting.alpha",
        "biological_weighting.recoil",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
}

/// A transport against a kernel dose.
struct Compared {
    /// Sum of the doses, and its 1σ, relative to that of the kernel.
    ratio: f64,
    sigma: f64,
    /// Voxels that differ by more than 1 % and 3σ, of those compared.
    far: usize,
    compared: usize,
}

/// * `local_gy` – dose in each voxel that is not compared
fn compare(
    transport: &DoseResult,
    kernel: &DoseResult,
    local_gy: f64,
    voxels: impl Iterator<Item = usize>,
) -> Compared {
    let sigma = transport.uncertainty.as_ref().expect("asked for");
    let (mut sums, mut variance, mut far, mut compared) = ([0.0; 2], 0.0, 0, 0);
    for voxel in voxels {
        let [a, b] = [transport, kernel].map(|result| f64::from(result.dose.as_slice()[voxel]) - local_gy);
        let sigma = f64::from(sigma.as_slice()[voxel]);
        sums = [sums[0] + a, sums[1] + b];
        variance += sigma * sigma;
        compared += 1;
        far += usize::from((a - b).abs() > 0.01 * b + 3.0 * sigma);
    }
    Compared { ratio: sums[0] / sums[1], sigma: variance.sqrt() / sums[1], far, compared }
}

/// The electrons and photons of whole chains, without alpha particles and recoils, whose dose is exact in both.
#[test]
fn kernel_and_transport_agree_on_chains() {
    const SHAPE: [u64; 3] = [19, 19, 17];
    let grid = Arc::new(VoxelGrid::new(SHAPE, [4.0, 4.0, 5.0]).expect("a good grid"));
    let volume = |value: &dyn Fn([usize; 3]) -> f32| {
        let index = |voxel: usize| [voxel % 19, voxel / 19 % 19, voxel / 361];
        let values = (0..grid.voxels()).map(|voxel| value(index(voxel))).collect();
        Volume::from_vec(grid.clone(), values).expect("a value for each voxel")
    };
    let in_block = |index: [usize; 3]| index.iter().all(|n| (7..=9).contains(n));
    let activity = || {
        let map = volume(&|index| if in_block(index) { 1e6 } else { 0.0 });
        TimeIntegratedActivity::new(map, ActivityUnit::BqS).expect("an activity")
    };
    let mass_g = 0.08;
    for name in ["Ac-225", "Ra-223", "Pb-212"] {
        let source = Source::from(named(name));
        let local_gy = 1e6 * source.local_mev() / mass_g * GY_PER_MEV_PER_G;
        let dose = |method| {
            let water = DensityMap::new(volume(&|_| 1.0)).expect("a density");
            let request = DoseRequest::new(activity(), Some(water), source.clone(), method).expect("a good request");
            let limits = Limits { host_bytes: 1 << 32, workspace_bytes: 1 << 30 };
            let mut device = crate::support::cpu();
            dosegrid::compute(&request, &mut device, &limits, &Control::detached()).expect("a dose")
        };
        let water = material::find("water").expect("a known material").clone();
        let mut options = MonteCarloOptions { medium: Medium::Uniform(water), ..MonteCarloOptions::default() };
        options.stop.histories = Some(60_000);
        options.extras.uncertainty = true;
        let transport = dose(Method::MonteCarlo(Box::new(options)));
        let kernel = dose(Method::Kernel(KernelOptions::default()));
        let voxels = (0..grid.voxels()).filter(|voxel| in_block([voxel % 19, voxel / 19 % 19, voxel / 361]));
        let Compared { ratio, sigma, far, compared } = compare(&transport, &kernel, local_gy, voxels);
        println!("{name}: {ratio:.4} ± {sigma:.4}, {far} of {compared} voxels far off");
        assert!((ratio - 1.0).abs() < 0.01 && sigma < 0.0033, "{name}: {ratio:.4} ± {sigma:.4}");
        assert!(compared == 27 && far <= 1, "{name}: {far}");
    }
}
