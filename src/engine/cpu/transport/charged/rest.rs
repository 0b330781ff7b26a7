//! The end of an electron or positron: its energy stays where it is, except for what photons still carry away.

use super::{Outlook, Walk};
use crate::domain::emission::Particle;
use crate::engine::cpu::transport::collision::{annihilation, bremsstrahlung};
use crate::engine::cpu::transport::geometry::{Position, turned};
use crate::engine::cpu::transport::history::{History, Track};
use crate::engine::cpu::transport::random::Stream;
use crate::engine::cpu::transport::sampling::{isotropic, next_azimuth};
use crate::engine::cpu::transport::score::Sink;
use crate::engine::cpu::transport::step::{charge_table, emitter_mev};
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Scene, VoxelMedium};
use crate::prepare::transport::tables::Reach;

/// An electron that an interaction sets free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Newborn {
    /// Kinetic energy [MeV].
    pub(crate) energy_mev: f32,
    /// For how many electrons it stands.
    pub(crate) weight: f32,
    /// Where it is; its direction does not count.
    pub(crate) at: Position,
    /// What its voxel is made of.
    pub(crate) medium: VoxelMedium,
}

impl<S: Sink> History<'_, S> {
    /// Absorbs an electron where it is set free, if it is below the cut or cannot leave its voxel: as one that waits
    /// would be, but without waiting. Returns the energy that stays there [MeV]; none if it must be followed.
    ///
    /// * `stream` – that of the particle that sets it free
    pub(crate) fn absorbed_mev(&mut self, born: Newborn, stream: &mut Stream) -> Option<f32> {
        let Newborn { energy_mev, weight, at, medium } = born;
        let outlook = Outlook::of(Particle::Electron, energy_mev, &at, medium, self.scene);
        if !outlook.ends_here::<S>(energy_mev, medium, self.scene) {
            return None;
        }
        let photon_mev = last_photon_mev(Particle::Electron, energy_mev, outlook.reach, (medium, self.scene), stream);
        if photon_mev > 0.0 {
            let at = Position { direction: isotropic(stream), ..at };
            self.push(Track::born(Particle::Photon, photon_mev, weight, at, stream));
        }
        self.score.leave(&at, weight * (energy_mev - photon_mev));
        Some(energy_mev - photon_mev)
    }
}

/// Energy [MeV] of the bremsstrahlung photon that a particle emits on its way to rest, with a probability equal to the
/// mean number of photons still to come; 0 for none.
fn last_photon_mev(
    kind: Particle,
    energy_mev: f32,
    reach: Reach,
    (medium, scene): (VoxelMedium, &Scene),
    stream: &mut Stream,
) -> f32 {
    if reach.photons_to_rest <= 0.0 || stream.next_uniform() >= reach.photons_to_rest {
        return 0.0;
    }
    let cut = scene.cuts.photon_mev;
    let charge = charge_table(kind);
    let nodes = scene.reach(medium.material, charge);
    let emitter_mev = emitter_mev(energy_mev, nodes, reach.photons_to_rest, stream);
    if emitter_mev <= cut {
        return 0.0;
    }
    bremsstrahlung(emitter_mev, cut, scene.spectra(medium.material, charge), stream).energy_mev
}

impl<S: Sink> Walk<'_, '_, S> {
    /// Absorbs a particle that cannot leave its voxel. Its energy stays there, except for a bremsstrahlung photon.
    pub(super) fn stop(&mut self, reach: Reach) {
        let place = (self.medium, self.history.scene);
        let photon_mev = last_photon_mev(self.kind, self.energy_mev, reach, place, &mut self.stream);
        if photon_mev > 0.0 {
            let direction = isotropic(&mut self.stream);
            self.push(Particle::Photon, photon_mev, direction);
            self.energy_mev -= photon_mev;
        }
        self.history.score.leave(&self.at, self.weight * self.energy_mev);
        self.pending_mev += self.energy_mev;
        self.score_pending();
        if self.kind == Particle::Positron {
            self.annihilate_at_rest();
        }
    }

    /// The two photons of a positron at rest.
    fn annihilate_at_rest(&mut self) {
        let direction = isotropic(&mut self.stream);
        for direction in [direction, direction.map(|u| -u)] {
            self.push(Particle::Photon, ELECTRON_REST_MEV, direction);
        }
    }

    pub(super) fn annihilate_in_flight(&mut self) {
        let photons = annihilation(self.energy_mev, &mut self.stream);
        let [x, y] = next_azimuth(&mut self.stream);
        for ((energy_mev, cosine), azimuth) in photons.into_iter().zip([[x, y], [-x, -y]]) {
            let direction = turned(self.at.direction, cosine, azimuth);
            self.push(Particle::Photon, energy_mev, direction);
        }
        self.score_pending();
    }

    pub(super) fn escape(&mut self) {
        let annihilation_mev = if self.kind == Particle::Positron { 2.0 * ELECTRON_REST_MEV } else { 0.0 };
        self.history.score.escape(self.weight * (self.energy_mev + annihilation_mev));
    }
}
