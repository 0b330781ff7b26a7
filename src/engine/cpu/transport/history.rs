//! One history: a decay, all that it emits, and all that follows.
//! Twin, by whole histories: `shaders/shared/history.wgsl`.

use super::charged;
use super::geometry::{Position, cell_of};
use super::photon;
use super::random::{Stream, history_key, threefry};
use super::sampling::{isotropic, place_in_voxel};
use super::score::Sink;
use crate::domain::emission::Particle;
use crate::prepare::transport::emissions::EmissionSlot;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Scene};
use crate::prepare::transport::sequence;

/// The number of the stream that draws the place of a decay. The particles that it emits have the next ones.
const DECAY_STREAM: u32 = 0;
/// Marks the key from which the shifts of a group are drawn. No history has so high a number.
const SHIFT_MARK: u32 = u32::MAX;

/// A particle on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Track {
    pub(crate) kind: Particle,
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
    stack: Vec<Track>,
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
        let [low, high, charged, photon] = threefry(history_key(seed, [group, SHIFT_MARK]), [0; 4]);
        Self { place: u64::from(high) << 32 | u64::from(low), emission: [charged, photon] }
    }

    /// The place of a rank in a slot of the emissions, in 2⁻³². Each kind is scrambled by the shift of the other, which
    /// says nothing of its own.
    pub(crate) fn slot_place(&self, slot: &EmissionSlot, rank: u32) -> u32 {
        let [charged, photon] = self.emission;
        if slot.particle == Particle::Photon {
            sequence::emission_place(rank, charged, photon)
        } else {
            sequence::emission_place(rank, photon, charged)
        }
    }
}

/// Where a decay is: a voxel by systematic sampling, and a uniform place in it.
pub(crate) fn decay(scene: &Scene, rank: u32, shift: Shift, stream: &mut Stream) -> Position {
    let (voxel, part) = scene.source.source_voxel(sequence::activity_place(rank, shift.place));
    let voxel = i32::try_from(voxel).expect("a grid that fits in memory");
    let place = place_in_voxel(part, [stream.next_uniform(), stream.next_uniform()]);
    let local_cm = [0, 1, 2].map(|axis| scene.grid.spacing_cm[axis] * place[axis]);
    Position { cell: cell_of(voxel, &scene.grid), local_cm, direction: [0.0, 0.0, 1.0] }
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
        let key = history_key(scene.seed, [number as u32, (number >> 32) as u32]);
        let at = decay(scene, rank, self.shift, &mut Stream::new(key, DECAY_STREAM));
        for (number, slot) in (DECAY_STREAM + 1..).zip(&scene.emissions.slots) {
            let place = self.shift.slot_place(slot, rank);
            if let Some(energy_mev) = scene.emissions.slot_energy_mev(slot, place) {
                let stream = Stream::new(key, number);
                self.emit(Track { kind: slot.particle, energy_mev, weight: slot.weight, at, stream });
            }
        }
    }

    /// Follows an emitted particle and all that it sets free.
    fn emit(&mut self, mut track: Track) {
        let annihilation_mev = if track.kind == Particle::Positron { 2.0 * ELECTRON_REST_MEV } else { 0.0 };
        self.score.score_emission(track.weight * (track.energy_mev + annihilation_mev));
        match track.kind {
            Particle::Electron | Particle::Positron => charged::emit(track, self),
            Particle::Photon => {
                track.at.direction = isotropic(&mut track.stream);
                photon::transport(track, self);
            }
        }
        self.finish();
    }

    /// Follows all particles that wait.
    pub(crate) fn finish(&mut self) {
        while let Some(track) = self.stack.pop() {
            match track.kind {
                Particle::Electron | Particle::Positron => charged::transport(track, self),
                Particle::Photon => photon::transport(track, self),
            }
        }
    }

    /// Takes the last particle that waits.
    pub(crate) fn pop(&mut self) -> Option<Track> {
        self.stack.pop()
    }

    /// A new particle of this history, to be followed later.
    pub(crate) fn push(&mut self, track: Track) {
        self.stack.push(track);
    }
}

impl Track {
    /// What a particle of weight `weight` sets free. The next word of its parent's stream is the number of its own.
    pub(crate) fn born(kind: Particle, energy_mev: f32, weight: f32, at: Position, parent: &mut Stream) -> Self {
        Self { kind, energy_mev, weight, at, stream: Stream::new(parent.key(), parent.next_word()) }
    }
}
