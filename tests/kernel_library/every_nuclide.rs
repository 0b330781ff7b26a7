//! The kernel method against Monte Carlo in water, for every nuclide.

use dosegrid::domain::{Control, Emission, EmissionSpectrum, KernelMedium, Nuclide, Particle, Source};
use dosegrid::domain::{Tally, UNITS_PER_MEV};
use dosegrid::engine::Device;
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::{KernelSpec, integrate};
use dosegrid::physics::nuclide;
use dosegrid::prepare::transport::Scene;
use dosegrid::prepare::transport::emissions::EmissionSlots;
use dosegrid::validate::phantom::{Phantom, line};
use dosegrid::validate::statistics::{Binned, Estimate};

/// Allowed difference besides the statistics of the histories.
const TOLERANCE: f64 = 0.01;
/// Allowed standard deviations of the histories, estimated from 32 groups, for the four hundred source voxels and
/// neighbours that are compared.
const SIGMAS: f64 = 4.0;
/// The same for all other voxels, of which the fraction [`MOST`] must agree.
const OTHER_SIGMAS: f64 = 3.0;
/// Energy that a source voxel holds too much, relative to its own, where photons below 0.1 MeV are scored by their
/// track length: what their photoelectrons carry out of it. The neighbours lack it. Only nuclides without fast
/// electrons show it: Cs-131 lacks 2.3 ± 0.2 % in neighbours of 4.42 mm, I-125 1.4 ± 0.2 %.
const KEPT_BY_SOURCE: f64 = 2.5e-3;
/// Electrons above this energy outshine photons in the next voxel [MeV].
const FAST_MEV: f64 = 0.05;
/// Voxel edges [mm]: each nuclide takes the next one.
const SPACINGS_MM: [[f64; 3]; 3] = [[4.0, 5.0, 6.0], [6.0; 3], [4.42, 4.42, 3.0]];
/// Offsets that are compared.
const OFFSETS: usize = 2;
/// Voxels with less than this fraction of the source voxel's energy are not compared.
const FAINT: f64 = 1e-4;
/// Thickness of the scattering water around the source [cm].
const AROUND_CM: f64 = 12.0;
const HISTORIES: u64 = 60_000;
/// Largest difference between the energy emitted and the energy found, relative to the energy emitted.
const CLOSURE: f64 = 1e-3;
/// Fraction of the energy of hard photons that kernels may lack in addition.
const BEYOND: f64 = 5e-3;
/// Fraction of the voxels, except for the source voxel and its neighbours, that must agree: three standard deviations
/// leave out 0.3 %, and more with few groups.
const MOST: f64 = 0.98;

/// A grid with its tables, used for one spectrum after another.
struct Case {
    phantom: Phantom,
    centre: [usize; 3],
    scene: Scene,
}

impl Case {
    fn new(spacing_mm: [f64; 3]) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tens of voxels")]
        let centre = spacing_mm.map(|mm| (10.0 * AROUND_CM / mm).ceil() as usize);
        let shape = centre.map(|half| 2 * half as u64 + 1);
        // Hard positrons need all tables.
        let phantom = Phantom::uniform(shape, spacing_mm, "water", 1.0, line(Particle::Positron, 3.0));
        let phantom = phantom.with_source_at(centre);
        Self { scene: phantom.scene(), phantom, centre }
    }

    fn transport(&mut self, spectrum: &EmissionSpectrum, device: &mut Device) -> Tally {
        self.scene.emissions = EmissionSlots::new(spectrum, self.phantom.cuts.track_length_mev);
        let mut tally = Tally::new(self.phantom.groups, self.phantom.grid.voxels());
        device.transport(&self.scene, 0..HISTORIES, &mut tally, &Control::detached()).expect("histories can be run");
        tally
    }

    /// Energy [MeV per decay] at each offset, summed over mirrored offsets.
    fn by_offset(&self, tally: &Tally) -> Binned {
        let bin = |voxel: usize| {
            let index = self.phantom.index(voxel);
            let [i, j, k]: [usize; 3] = std::array::from_fn(|axis| index[axis].abs_diff(self.centre[axis]));
            let near = [i, j, k].iter().all(|n| *n <= OFFSETS);
            near.then(|| i + (OFFSETS + 1) * (j + (OFFSETS + 1) * k))
        };
        Binned::new(tally, (OFFSETS + 1).pow(3), bin)
    }
}

/// The spectrum of a nuclide, scaled to at least one particle per decay, since few histories would see rare emissions.
fn often(spectrum: &EmissionSpectrum) -> EmissionSpectrum {
    let particles: f64 = Particle::ALL.iter().map(|particle| spectrum.yield_per_decay(*particle)).sum();
    let factor = (1.0 / particles).max(1.0);
    let more = |emission: &Emission| Emission { yield_per_decay: emission.yield_per_decay * factor, ..*emission };
    EmissionSpectrum::new(spectrum.emissions().iter().map(more).collect()).expect("a good spectrum")
}

/// The difference of two energies beyond some standard deviations, relative to the second.
fn beyond(sigmas: f64, found: Estimate, expected: f64) -> f64 {
    ((found.mean - expected).abs() - sigmas * found.sigma) / expected
}

/// Energy is conserved, in the transport and in the kernel.
fn check_energy(name: &str, source: &Source, spec: &KernelSpec, tally: &Tally) {
    let followed_mev = source.followed_mev();
    let emitted_mev = tally.sum_mev(|group| group.emitted);
    let out_mev = tally.sum_mev(|group| group.deposited) + tally.sum_mev(|group| group.escaped);
    assert!((out_mev / emitted_mev - 1.0).abs() < 1e-5, "{name}: {out_mev} of {emitted_mev}");
    let groups = tally.groups.iter().map(|group| (group.histories as f64, group.emitted as f64 / UNITS_PER_MEV));
    let emitted = Estimate::of_groups(&groups.collect::<Vec<_>>());
    let differs = (emitted.mean - followed_mev).abs() > CLOSURE * followed_mev + 3.0 * emitted.sigma;
    assert!(!differs && emitted.sigma < 0.01 * followed_mev, "{name}: {emitted:?} of {followed_mev}");
    // Some photons of 2 MeV and more travel beyond 2 m of water, where kernels end.
    let is_hard = |emission: &&Emission| emission.particle == Particle::Photon && emission.high_mev > 1.5;
    let hard_mev: f64 = source
        .emissions()
        .emissions()
        .iter()
        .filter(is_hard)
        .map(|emission| emission.yield_per_decay * emission.mean_mev())
        .sum();
    let captured_mev = spec.radial.captured_mev();
    let lost = followed_mev - captured_mev;
    assert!((-CLOSURE * followed_mev..CLOSURE * followed_mev + BEYOND * hard_mev).contains(&lost), "{name}: {lost}");
}

/// Descriptions of disagreements; number of voxels compared besides the source voxel and its neighbours, and of those
/// that agree.
fn compare(nuclide: &'static Nuclide, case: &mut Case, device: &mut Device) -> (Vec<String>, usize, usize) {
    let spectrum = often(nuclide::emissions(nuclide));
    let source = Source::with_emissions(None, spectrum.clone()).expect("a spectrum without a nuclide");
    let spacing_cm = case.phantom.grid.spacing_cm();
    let spec = KernelSpec::new(&source, KernelMedium::Water, spacing_cm, [OFFSETS; 3]).expect("energies of kernels");
    let kernel = integrate(&spec, &Unwatched).expect("nobody cancels");
    let tally = case.transport(&spectrum, device);
    check_energy(&nuclide.name, &source, &spec, &tally);
    let binned = case.by_offset(&tally);
    let is_fast = |emission: &Emission| emission.particle != Particle::Photon && emission.high_mev > FAST_MEV;
    let has_fast = spectrum.emissions().iter().any(is_fast);
    let (mut faults, mut compared, mut agreed) = (Vec::new(), 0, 0);
    for ((i, j, k), &energy) in kernel.octant.indexed_iter() {
        let mirrored: f64 = [i, j, k].map(|n| if n > 0 { 2.0 } else { 1.0 }).iter().product();
        let found = binned.mean(i + (OFFSETS + 1) * (j + (OFFSETS + 1) * k)).scaled(1.0 / mirrored);
        if energy < FAINT * kernel.octant[[0, 0, 0]] {
            continue;
        }
        if i + j + k <= 1 {
            let lacks = if has_fast || i + j + k == 0 { 0.0 } else { KEPT_BY_SOURCE / 6.0 * kernel.octant[[0, 0, 0]] };
            if beyond(SIGMAS, found, energy) > TOLERANCE + lacks / energy {
                let (ratio, sigma) = (found.mean / energy, found.sigma / energy);
                let spacing_mm = case.phantom.grid.spacing_mm();
                faults.push(format!("{} {spacing_mm:?} {i},{j},{k}: {ratio:.4} ± {sigma:.4}", nuclide.name));
            }
        } else {
            compared += 1;
            agreed += usize::from(beyond(OTHER_SIGMAS, found, energy) <= TOLERANCE);
        }
    }
    (faults, compared, agreed)
}

#[test]
fn kernel_and_transport_agree_for_every_nuclide() {
    let mut device = crate::support::cpu();
    let mut cases = SPACINGS_MM.map(Case::new);
    let (mut faults, mut compared, mut agreed) = (Vec::new(), 0, 0);
    let mut number = 0;
    for nuclide in nuclide::all().filter(|nuclide| nuclide::emissions(nuclide).total_mev() > 0.0) {
        let (more, voxels, alike) = compare(nuclide, &mut cases[number % SPACINGS_MM.len()], &mut device);
        if voxels != alike {
            println!("{}: {alike} of {voxels} voxels farther out", nuclide.name);
        }
        faults.extend(more);
        (compared, agreed, number) = (compared + voxels, agreed + alike, number + 1);
    }
    println!("{number} nuclides, {agreed} of {compared} voxels beside the source voxel and its neighbours");
    assert!(number > 60 && faults.is_empty(), "{faults:#?}");
    assert!(agreed as f64 >= MOST * compared as f64, "{agreed} of {compared}");
}
