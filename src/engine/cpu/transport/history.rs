//! One history: a decay, all that it emits, and all that follows. Twin: `shaders/shared/history.wgsl`.

use super::charged;
use super::geometry::Position;
use super::photon;
use super::random::{Stream, threefry};
use super::sampling::isotropic;
use super::score::Sink;
use crate::domain::emission::Particle as Kind;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Scene};
use crate::prepare::transport::sequence;

/// The number of the particle that draws the place of a decay; those that it emits follow.
const DECAY_STREAM: u32 = 0;
/// Marks the key from which the shifts of a group are drawn: no history has so high a number.
const SHIFT_MARK: u32 = u32::MAX;

/// A particle to be followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Particle {
    pub(crate) kind: Kind,
    /// Kinetic energy, or that of a photon [MeV].
    pub(crate) energy_mev: f32,
    /// For how many particles it stands.
    pub(crate) weight: f32,
    pub(crate) at: Position,
    pub(crate) stream: Stream,
}

/// Histories of one statistical group.
#[derive(Debug)]
pub(crate) struct History<'s, S> {
    pub(crate) scene: &'s Scene,
    pub(crate) score: S,
    stack: Vec<Particle>,
    group: u32,
    shift: Shift,
}

/// By how much a group's places are shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shift {
    /// On the cumulative activity, in 2⁻⁶⁴.
    pub(crate) place: u64,
    /// In the slots of the emissions, in 2⁻³²: of charged particles, of photons.
    pub(crate) emission: [u32; 2],
}

impl Shift {
    /// Uniform, and independent from group to group.
    pub(crate) fn of(seed: u64, group: u32) -> Self {
        let [low, high, charged, photon] = threefry(key(seed, [group, SHIFT_MARK]), [0; 4]);
        Self { place: u64::from(high) << 32 | u64::from(low), emission: [charged, photon] }
    }
}

/// The key of a history.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
pub(crate) fn key(seed: u64, history: [u32; 2]) -> [u32; 4] {
    [seed as u32, (seed >> 32) as u32, history[0], history[1]]
}

impl<'s, S: Sink> History<'s, S> {
    pub(crate) fn new(scene: &'s Scene, group: u32, score: S) -> Self {
        Self { scene, score, stack: Vec::new(), group, shift: Shift::of(scene.seed, group) }
    }

    /// Runs the history of this rank in the group.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    pub(crate) fn run(&mut self, rank: u32) {
        let scene = self.scene;
        let number = u64::from(rank) * u64::from(scene.groups) + u64::from(self.group);
        let key = key(scene.seed, [number as u32, (number >> 32) as u32]);
        let at = self.decay(rank, &mut Stream::new(key, DECAY_STREAM));
        for (number, slot) in (DECAY_STREAM + 1..).zip(&scene.emissions.slots) {
            let shift = self.shift.emission[usize::from(slot.particle == Kind::Photon)];
            let place = sequence::emission(rank, shift);
            if let Some(energy_mev) = scene.emissions.energy_mev(slot, place) {
                let stream = Stream::new(key, number);
                self.emit(Particle { kind: slot.particle, energy_mev, weight: slot.weight, at, stream });
            }
        }
    }

    /// Where the decay is: a voxel by systematic sampling, a uniform place in it.
    fn decay(&self, rank: u32, stream: &mut Stream) -> Position {
        let grid = &self.scene.grid;
        let place = sequence::place(rank, self.shift.place);
        let voxel = i32::try_from(self.scene.source.voxel(place)).expect("a grid that fits in memory");
        let [nx, ny, _] = grid.shape;
        let cell = [voxel % nx, voxel / nx % ny, voxel / nx / ny];
        let local_cm = grid.spacing_cm.map(|edge| edge * stream.uniform());
        Position { cell, local_cm, direction: [0.0, 0.0, 1.0] }
    }

    /// Follows an emitted particle and all that it sets free.
    fn emit(&mut self, mut particle: Particle) {
        let rest = if particle.kind == Kind::Positron { 2.0 * ELECTRON_REST_MEV } else { 0.0 };
        self.score.emit(particle.weight * (particle.energy_mev + rest));
        match particle.kind {
            Kind::Electron | Kind::Positron => charged::emit(particle, self),
            Kind::Photon => {
                particle.at.direction = isotropic(&mut particle.stream);
                photon::transport(particle, self);
            }
        }
        self.finish();
    }

    /// Follows all particles that wait.
    pub(crate) fn finish(&mut self) {
        while let Some(particle) = self.stack.pop() {
            match particle.kind {
                Kind::Electron | Kind::Positron => charged::transport(particle, self),
                Kind::Photon => photon::transport(particle, self),
            }
        }
    }

    /// A particle that waits, and now no more.
    pub(crate) fn pop(&mut self) -> Option<Particle> {
        self.stack.pop()
    }

    /// A new particle of this history, to be followed later.
    pub(crate) fn push(&mut self, particle: Particle) {
        self.stack.push(particle);
    }
}

impl Particle {
    /// What a particle of weight `weight` sets free; `parent` draws the number of its stream.
    pub(crate) fn born(kind: Kind, energy_mev: f32, weight: f32, at: Position, parent: &mut Stream) -> Self {
        Self { kind, energy_mev, weight, at, stream: Stream::new(parent.key(), parent.word()) }
    }
}
