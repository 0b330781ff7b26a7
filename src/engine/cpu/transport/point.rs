//! Histories that start at one point of an unbounded medium, scored by the distance from it: what point kernels are
//! made of.
//!
//! The medium is one voxel, so large that almost nothing leaves it, with the point in its middle and a density of 1
//! g/cm³, so that lengths are masses per area. Charged particles and the photons they set free have a voxel each, so
//! that positions are as fine as each of them needs.
//!
//! The first flight of every photon is integrated, not sampled. The medium is the same everywhere, so what follows the
//! first collision is followed once and scored at many distances of flight, each with its probability. The sampled
//! energies then still fluctuate, but the places hardly do.

use rayon::prelude::*;

use super::charged;
use super::geometry::Position;
use super::history::{History, Track};
use super::lookup::{between, place};
use super::photon;
use super::random::{Stream, history_key};
use super::score::Sink;
use crate::domain::emission::Particle;
use crate::math::log_grid::LogTable;
use crate::physics::kernel::library::axis::Axis;
use crate::prepare::transport::scene::Scene;

/// Statistical groups: fixed, so that sums do not depend on the number of threads.
pub(crate) const GROUPS: u32 = 32;
/// Strata of the first flight of a photon: one up to [`SHORTEST_FLIGHT`], half octaves, and one without end.
const STRATA: usize = 32;
/// End of the first stratum [mean free paths].
const SHORTEST_FLIGHT: f64 = 1.0 / 2048.0;
/// Parts of the golden ratio and of a cube root's kin: multiples of them fill the unit interval evenly.
const GOLDEN: f64 = 0.618_033_988_749_895;
const PLASTIC: f64 = 0.754_877_666_246_693;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointRun<'a> {
    /// What starts at the point.
    pub(crate) particle: Particle,
    /// Its kinetic energy, or that of a photon [MeV].
    pub(crate) energy_mev: f64,
    /// Length in which distances from charged particles are measured [g/cm²].
    pub(crate) charged_unit: f64,
    /// Length in which distances are measured where photons and what they set free leave energy [g/cm²].
    pub(crate) photon_unit: f64,
    /// One voxel of 1 g/cm³ for charged particles of the source.
    pub(crate) charged: &'a Scene,
    /// One voxel of 1 g/cm³ for photons and all that they set free.
    pub(crate) photons: &'a Scene,
    /// What bone absorbs for each interaction of a photon in the medium, as a part of the photon's energy, over that
    /// energy: μ_en of bone over μ of the medium.
    pub(crate) bone_absorbs: &'a LogTable,
    /// Seed of all random numbers.
    pub(crate) seed: u64,
    /// Histories of each group.
    pub(crate) histories: u32,
}

/// Energy by distance [MeV], of all histories of a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PointTally {
    /// Left by the particle, if charged, and by those that it sets in motion: each bin of its axis, and what lies
    /// beyond.
    pub(crate) charged: Vec<f64>,
    /// Left by photons and by what they set free: each bin of its axis, and what lies beyond.
    pub(crate) photons: Vec<f64>,
    /// What bone would absorb there from the same photons, by the same bins.
    pub(crate) in_bone: Vec<f64>,
}

impl PointRun<'_> {
    /// Runs all groups.
    pub(crate) fn run(&self, charged_axis: Axis, photon_axis: Axis) -> Vec<PointTally> {
        let groups: Vec<u32> = (0..GROUPS).collect();
        groups.into_par_iter().map(|group| self.run_group(group, charged_axis, photon_axis)).collect()
    }

    fn run_group(&self, group: u32, charged_axis: Axis, photon_axis: Axis) -> PointTally {
        let middle = |scene: &Scene| 0.5 * scene.grid.spacing_cm[0];
        let bone = self.bone_absorbs;
        let score = |scene, axis, unit| PointScore::new(axis, unit, f64::from(middle(scene)), bone);
        let mut charged = History::new(self.charged, group, score(self.charged, charged_axis, self.charged_unit));
        let mut photons = History::new(self.photons, group, score(self.photons, photon_axis, self.photon_unit));
        #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
        let energy_mev = self.energy_mev as f32;
        let kind_number = (self.particle.charge() + 2).unsigned_abs().into();
        for rank in 0..self.histories {
            let number = rank * GROUPS + group;
            // Other energies and particles draw other numbers.
            let stream = Stream::new(history_key(self.seed, [number, energy_mev.to_bits()]), kind_number);
            let at = Position { cell: [0; 3], local_cm: [middle(self.charged); 3], direction: [0.0, 0.0, 1.0] };
            charged.push(Track { kind: self.particle, energy_mev, weight: 1.0, at, stream });
            while let Some(track) = charged.pop() {
                match track.kind {
                    Particle::Electron | Particle::Positron => charged::transport(track, &mut charged),
                    Particle::Photon => follow(track, charged.score.middle_cm, &mut photons),
                }
            }
        }
        let exhausted_rejections = charged.score.exhausted + photons.score.exhausted;
        if exhausted_rejections > 0 {
            tracing::warn!(exhausted_rejections, "rejection loops reached their bound and took their last draw");
        }
        PointTally { charged: charged.score.energy, photons: photons.score.energy, in_bone: photons.score.in_bone }
    }
}

/// Follows a photon from its first collision on, which is put in the middle of the voxel.
///
/// * `middle_cm` – the point of the source in the voxel where the photon is
fn follow(mut track: Track, middle_cm: f64, photons: &mut History<'_, PointScore<'_>>) {
    let direction = track.at.direction.map(f64::from);
    let start = track.at.local_cm.map(|x| f64::from(x) - middle_cm);
    #[expect(clippy::cast_possible_truncation, reason = "half the edge, which is in single precision")]
    let middle = photons.score.middle_cm as f32;
    track.at.local_cm = [middle; 3];
    let mean_free_path = 1.0 / attenuation(photons.scene, track.energy_mev);
    photons.score.place_flights(start, direction, mean_free_path);
    photon::collide(track, photons);
    photons.finish();
}

/// Mass attenuation coefficient of the one material [cm²/g].
fn attenuation(scene: &Scene, energy_mev: f32) -> f64 {
    let (nodes, at) = (scene.attenuation(0), place(energy_mev));
    f64::from(between(nodes[at.node].total, nodes[at.node + 1].total, at.fraction))
}

/// Energy by distance from a point.
#[derive(Clone, Debug)]
struct PointScore<'a> {
    axis: Axis,
    per_unit: f64,
    /// Where the middle of the voxel is, on each axis [cm].
    middle_cm: f64,
    /// Where the middle of the voxel may be as seen from the point, each with its probability.
    origins: Vec<Origin>,
    /// Energy in each bin, and beyond [MeV].
    energy: Vec<f64>,
    /// The same for what bone would absorb from the same photons [MeV].
    in_bone: Vec<f64>,
    bone_absorbs: &'a LogTable,
    /// Where along a flight its energy is scored, and where in its stratum a first flight ends: parts from 0 to 1.
    phases: [f64; 2],
    /// Rejection loops that reached their bound.
    exhausted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Origin {
    from_point_cm: [f64; 3],
    probability: f64,
}

impl<'a> PointScore<'a> {
    fn new(axis: Axis, unit: f64, middle_cm: f64, bone_absorbs: &'a LogTable) -> Self {
        let origins = vec![Origin { from_point_cm: [0.0; 3], probability: 1.0 }];
        let [energy, in_bone] = [0.0; 2].map(|none| vec![none; axis.bins() + 1]);
        let phases = [0.5; 2];
        Self { axis, per_unit: 1.0 / unit, middle_cm, origins, energy, in_bone, bone_absorbs, phases, exhausted: 0 }
    }

    /// Puts the middle of the voxel at the ends of all first flights of a photon.
    ///
    /// * `start` – from where the photon flies, as seen from the point [cm]
    fn place_flights(&mut self, start: [f64; 3], direction: [f64; 3], mean_free_path_cm: f64) {
        self.origins.clear();
        self.phases[1] = (self.phases[1] + PLASTIC).fract();
        let mut phase = self.phases[1];
        let (mut end, mut left) = (SHORTEST_FLIGHT, 1.0);
        for stratum in 0..STRATA {
            // What flies on, past the end of the stratum.
            let past = if stratum + 1 == STRATA { 0.0 } else { (-end).exp() };
            phase = (phase + GOLDEN).fract();
            let flight = -(left - phase * (left - past)).ln() * mean_free_path_cm;
            let from_point_cm = [0, 1, 2].map(|axis| start[axis] + flight * direction[axis]);
            self.origins.push(Origin { from_point_cm, probability: left - past });
            left = past;
            end *= std::f64::consts::SQRT_2;
        }
    }

    fn score(&mut self, at_cm: [f64; 3], energy_mev: f32) {
        add(&self.origins, self.axis, self.per_unit, at_cm, f64::from(energy_mev), &mut self.energy);
    }
}

/// Adds energy left at a place, seen from every origin, to the bins of the distance.
fn add(origins: &[Origin], axis: Axis, per_unit: f64, at_cm: [f64; 3], energy_mev: f64, bins: &mut [f64]) {
    for origin in origins {
        let [x, y, z] = [0, 1, 2].map(|axis| at_cm[axis] + origin.from_point_cm[axis]);
        let bin = axis.bin((x * x + y * y + z * z).sqrt() * per_unit);
        bins[bin] += energy_mev * origin.probability;
    }
}

impl Sink for PointScore<'_> {
    const BY_VOXEL: bool = false;

    fn score_emission(&mut self, _: f32) {}

    fn deposit(&mut self, _: usize, _: f32) {}

    fn absorb(&mut self, _: f32) {}

    fn score_track(&mut self, _: usize, _: f32) {}

    fn escape(&mut self, energy_mev: f32) {
        *self.energy.last_mut().expect("a bin for what lies beyond") += f64::from(energy_mev);
    }

    fn spread(&mut self, from: &Position, distance_cm: f32, energy_mev: f32) {
        self.phases[0] = (self.phases[0] + GOLDEN).fract();
        let flown = f64::from(distance_cm) * self.phases[0];
        let at_cm = [0, 1, 2]
            .map(|axis| f64::from(from.local_cm[axis]) - self.middle_cm + flown * f64::from(from.direction[axis]));
        self.score(at_cm, energy_mev);
    }

    fn collide(&mut self, at: &Position, weight: f32, energy_mev: f32) {
        let energy_mev = f64::from(energy_mev);
        let absorbed_mev = f64::from(weight) * energy_mev * self.bone_absorbs.value(energy_mev);
        let at_cm = at.local_cm.map(|x| f64::from(x) - self.middle_cm);
        add(&self.origins, self.axis, self.per_unit, at_cm, absorbed_mev, &mut self.in_bone);
    }

    fn leave(&mut self, at: &Position, energy_mev: f32) {
        self.score(at.local_cm.map(|x| f64::from(x) - self.middle_cm), energy_mev);
    }

    fn count_exhausted(&mut self, loops: u32) {
        self.exhausted += u64::from(loops);
    }
}
