//! What a decay emits, to be sampled systematically: every emission gets its yield on average, exactly.
//!
//! The emissions of a kind lie end to end, each as long as its yield per decay. Cut into slots of length 1, one number u from 0 to 1 takes from each slot the
//! particle that lies at u. The energy follows from where in its own stretch it lies.

use super::source::{CHARGED_STRIDE, PHOTON_STRIDE};
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};

/// Bits of a place that number the cells of a slot's guide.
pub(crate) const GUIDE_BITS: u32 = 8;

/// A stretch of a slot: one emission, or the part of it that lies in this slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct EmissionRow {
    /// Where it begins, in 2⁻³² of the slot.
    pub start: u32,
    /// Where it ends, in 2⁻³² of the slot.
    pub end: u32,
    /// Energy at its start [MeV].
    pub low_mev: f32,
    /// Energy at its end [MeV].
    pub high_mev: f32,
}

/// What one number takes at most one particle from.
#[derive(Clone, Debug, PartialEq)]
pub struct EmissionSlot {
    /// What it emits.
    pub particle: Particle,
    /// Its rows in [`EmissionSlots::rows`]: the first, and one past the last.
    pub first_row: u32,
    /// One past its last row.
    pub end_row: u32,
    /// Where its guide begins in [`EmissionSlots::guide`]: 2⁸ cells.
    pub first_cell: u32,
}

/// The emissions of a decay as slots.
#[derive(Clone, Debug, PartialEq)]
pub struct EmissionSlots {
    /// Slot after slot, kind after kind.
    pub slots: Vec<EmissionSlot>,
    /// Stretches of all slots.
    pub rows: Vec<EmissionRow>,
    /// For each cell of each slot, the first row that ends beyond its start.
    pub guide: Vec<u32>,
}

impl EmissionSlots {
    /// Lays out a spectrum.
    pub fn new(spectrum: &EmissionSpectrum) -> Self {
        let mut laid = Self { slots: Vec::new(), rows: Vec::new(), guide: Vec::new() };
        for particle in [Particle::Electron, Particle::Positron, Particle::Photon] {
            laid.lay(particle, spectrum.emissions().iter().filter(|emission| emission.particle == particle));
        }
        laid
    }

    fn lay<'a>(&mut self, particle: Particle, emissions: impl Iterator<Item = &'a Emission>) {
        let (mut position, mut is_open) = (0.0, false);
        for emission in emissions.filter(|emission| emission.yield_per_decay > 0.0) {
            let mut left = emission.yield_per_decay;
            while left > 0.0 {
                if !is_open {
                    self.open(particle);
                    (position, is_open) = (0.0, true);
                }
                let length = left.min(1.0 - position);
                let energy = |left: f64| {
                    let part = 1.0 - left / emission.yield_per_decay;
                    emission.low_mev + part * (emission.high_mev - emission.low_mev)
                };
                self.push(position, position + length, energy(left), energy(left - length));
                position += length;
                left -= length;
                if position >= 1.0 {
                    self.close();
                    is_open = false;
                }
            }
        }
        if is_open {
            self.close();
        }
    }

    fn open(&mut self, particle: Particle) {
        let end = index(self.rows.len());
        self.slots.push(EmissionSlot { particle, first_row: end, end_row: end, first_cell: index(self.guide.len()) });
    }

    #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
    fn push(&mut self, from: f64, to: f64, low_mev: f64, high_mev: f64) {
        let (start, end) = (fixed(from), fixed(to));
        if end > start {
            self.rows.push(EmissionRow { start, end, low_mev: low_mev as f32, high_mev: high_mev as f32 });
        }
    }

    /// Ends the last slot and writes its guide.
    fn close(&mut self) {
        let slot = self.slots.last_mut().expect("a slot was opened");
        slot.end_row = index(self.rows.len());
        let (first, rows) = (slot.first_row, &self.rows[slot.first_row as usize..]);
        self.guide.extend((0..1u32 << GUIDE_BITS).map(|cell| {
            let start = cell << (u32::BITS - GUIDE_BITS);
            first + index(rows.partition_point(|row| row.end <= start))
        }));
    }

    /// The energy [MeV] of the particle at a place of a slot; none where the slot is empty there.
    #[inline]
    pub(crate) fn energy_mev(&self, slot: &EmissionSlot, place: u32) -> Option<f32> {
        let cell = slot.first_cell + (place >> (u32::BITS - GUIDE_BITS));
        let mut number = self.guide[cell as usize];
        while number < slot.end_row && self.rows[number as usize].end <= place {
            number += 1;
        }
        if number == slot.end_row {
            return None;
        }
        let row = self.rows[number as usize];
        let part = place.saturating_sub(row.start) as f32 / (row.end - row.start) as f32;
        Some(row.low_mev + part * (row.high_mev - row.low_mev))
    }
}

/// By how much the place in a slot moves from rank to rank, in 2⁻³².
pub(crate) fn stride(particle: Particle) -> u32 {
    match particle {
        Particle::Electron | Particle::Positron => CHARGED_STRIDE,
        Particle::Photon => PHOTON_STRIDE,
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("a spectrum is a short table")
}

/// A part of a slot in 2⁻³².
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1, and the cast saturates")]
fn fixed(part: f64) -> u32 {
    (part * 2f64.powi(32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(particle: Particle, mev: f64, yield_per_decay: f64) -> Emission {
        Emission { particle, low_mev: mev, high_mev: mev, yield_per_decay }
    }

    /// Mean number and energy per decay, over places all around a slot.
    fn sampled(slots: &EmissionSlots, particle: Particle) -> (f64, f64) {
        let places = 1 << 16;
        let (mut number, mut energy) = (0.0, 0.0);
        for i in 0..places {
            let place = (i << 16) + 0x7FFF;
            for slot in slots.slots.iter().filter(|slot| slot.particle == particle) {
                if let Some(mev) = slots.energy_mev(slot, place) {
                    number += 1.0 / f64::from(places);
                    energy += f64::from(mev) / f64::from(places);
                }
            }
        }
        (number, energy)
    }

    #[test]
    fn yields_and_energies_come_out_as_they_went_in() {
        let emissions = vec![
            Emission { particle: Particle::Electron, low_mev: 0.1, high_mev: 0.3, yield_per_decay: 0.75 },
            line(Particle::Electron, 0.5, 2.6),
            line(Particle::Photon, 0.2, 0.125),
            line(Particle::Electron, 0.9, 1e-3),
            line(Particle::Positron, 0.6, 1.0),
        ];
        let slots = EmissionSlots::new(&EmissionSpectrum::new(emissions).expect("a good spectrum"));
        for (particle, number, energy) in [
            (Particle::Electron, 3.351, 0.75 * 0.2 + 2.6 * 0.5 + 0.9e-3),
            (Particle::Positron, 1.0, 0.6),
            (Particle::Photon, 0.125, 0.025),
        ] {
            let found = sampled(&slots, particle);
            assert!((found.0 - number).abs() < 1e-4 && (found.1 - energy).abs() < 1e-4, "{particle:?} {found:?}");
        }
        assert_eq!(slots.slots.len(), 4 + 1 + 1);
    }

    #[test]
    fn energies_of_a_continuum_are_uniform_in_its_bin() {
        let emission = Emission { particle: Particle::Electron, low_mev: 0.1, high_mev: 0.2, yield_per_decay: 1.0 };
        let slots = EmissionSlots::new(&EmissionSpectrum::new(vec![emission]).expect("a good spectrum"));
        for part in [0.0f32, 0.25, 0.5, 0.99] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1")]
            let place = (part * 4_294_967_296.0) as u32;
            let found = slots.energy_mev(&slots.slots[0], place).expect("a full slot");
            assert!((found - 0.1 - 0.1 * part).abs() < 1e-6, "{part}: {found}");
        }
    }
}
