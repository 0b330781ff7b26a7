//! One history: a decay, all that it emits, and all that follows.
//! Twin, by whole histories: `shaders/shared/history.wgsl`.

use super::charged;
use super::geometry::{Position, cell_of, turned};
use super::photon;
use super::random::{Stream, history_key, threefry, unit_interval};
use super::sampling::{PlaceInVoxel, azimuth, place_in_voxel};
use super::score::Sink;
use crate::domain::emission::Particle;
use crate::prepare::transport::emissions::EmissionSlot;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Scene};
use crate::prepare::transport::sequence::{self, FURTHER, further_place};

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
    /// The shift of the direction of what each slot emits.
    turns: Vec<Turn>,
}

/// By how much a group's places are shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shift {
    /// On the cumulative activity, in 2⁻⁶⁴.
    pub(crate) place: u64,
    /// In the slots of the emissions, in 2⁻³²: of charged particles, of photons.
    pub(crate) emission: [u32; 2],
    /// Of the two numbers that say where in the voxel, aside from the way to its face: each scrambles and shifts.
    pub(crate) aside: [[u32; 2]; 2],
}

/// What scrambles and what shifts the cosine and the azimuth of a direction.
pub(crate) type Turn = [[u32; 2]; 2];

impl Shift {
    /// Uniform, and independent from group to group.
    pub(crate) fn of(seed: u64, group: u32) -> Self {
        let [low, high, charged, photon] = shift_words(seed, group, 0);
        let aside = pairs(shift_words(seed, group, 1));
        Self { place: u64::from(high) << 32 | u64::from(low), emission: [charged, photon], aside }
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

/// What scrambles and shifts the direction of what a slot emits: independent from group to group and slot to slot.
pub(crate) fn turn_of(seed: u64, group: u32, slot: u32) -> Turn {
    pairs(shift_words(seed, group, 2 + slot))
}

/// Random words of a group, four at a time.
fn shift_words(seed: u64, group: u32, block: u32) -> [u32; 4] {
    threefry(history_key(seed, [group, SHIFT_MARK]), [block, 0, 0, 0])
}

fn pairs([a, b, c, d]: [u32; 4]) -> [[u32; 2]; 2] {
    [[a, b], [c, d]]
}

/// Where a decay is: a voxel and a place in it, both by systematic sampling. The direction is that to the voxel's face
/// that the place lies under.
///
/// * `digits` – of the rank, in the further dimensions of the sequence
pub(crate) fn decay(scene: &Scene, rank: u32, digits: [u32; FURTHER], shift: Shift) -> Position {
    let (voxel, part) = scene.source.source_voxel(sequence::activity_place(rank, shift.place));
    let voxel = i32::try_from(voxel).expect("a grid that fits in memory");
    let [_, first, second, _] = digits;
    let uniform = |digits, [scramble, shift]: [u32; 2]| unit_interval(further_place(digits, scramble, shift));
    let aside = [uniform(first, shift.aside[0]), uniform(second, shift.aside[1])];
    let PlaceInVoxel { place, to_face } = place_in_voxel(part, aside);
    let local_cm = [0, 1, 2].map(|axis| scene.grid.spacing_cm[axis] * place[axis]);
    Position { cell: cell_of(voxel, &scene.grid), local_cm, direction: to_face }
}

/// The direction of what is emitted at a decay: uniform, and systematic in its angle with the way to the nearest face.
pub(crate) fn emitted_direction(to_face: [f32; 3], digits: [u32; FURTHER], turn: Turn) -> [f32; 3] {
    let [polar, _, _, around] = digits;
    let place = |digits, [scramble, shift]: [u32; 2]| further_place(digits, scramble, shift);
    let cosine = 2.0 * unit_interval(place(polar, turn[0])) - 1.0;
    turned(to_face, cosine, azimuth(place(around, turn[1])))
}

impl<'s, S: Sink> History<'s, S> {
    pub(crate) fn new(scene: &'s Scene, group: u32, score: S) -> Self {
        let slots = 0..u32::try_from(scene.emissions.slots.len()).expect("a spectrum is a short table");
        let turns = slots.map(|slot| turn_of(scene.seed, group, slot)).collect();
        Self { scene, score, stack: Vec::new(), group, shift: Shift::of(scene.seed, group), turns }
    }

    /// Runs the history of this rank in the group.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word, and few slots")]
    pub(crate) fn run(&mut self, rank: u32) {
        let scene = self.scene;
        let number = u64::from(rank) * u64::from(scene.groups) + u64::from(self.group);
        let key = history_key(scene.seed, [number as u32, (number >> 32) as u32]);
        let digits = sequence::further_digits(rank);
        let at = decay(scene, rank, digits, self.shift);
        for (number, slot) in scene.emissions.slots.iter().enumerate() {
            let place = self.shift.slot_place(slot, rank);
            if let Some(energy_mev) = scene.emissions.slot_energy_mev(slot, place) {
                let stream = Stream::new(key, number as u32);
                let track = Track { kind: slot.particle, energy_mev, weight: slot.weight, at, stream };
                self.emit(track, digits, self.turns[number]);
            }
        }
    }

    /// Follows an emitted particle and all that it sets free. Its direction is drawn only if it moves at all.
    fn emit(&mut self, mut track: Track, digits: [u32; FURTHER], turn: Turn) {
        let to_face = track.at.direction;
        let direction = || emitted_direction(to_face, digits, turn);
        let annihilation_mev = if track.kind == Particle::Positron { 2.0 * ELECTRON_REST_MEV } else { 0.0 };
        self.score.score_emission(track.weight * (track.energy_mev + annihilation_mev));
        match track.kind {
            Particle::Electron | Particle::Positron => charged::emit(track, direction, self),
            Particle::Photon => {
                track.at.direction = direction();
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
