//! The end of an electron or positron: what is left stays where it is, but for what photons still carry off.

use super::Walk;
use crate::domain::emission::Particle as Kind;
use crate::engine::cpu::transport::collision::{annihilation, bremsstrahlung};
use crate::engine::cpu::transport::geometry::turned;
use crate::engine::cpu::transport::lookup::{number, place};
use crate::engine::cpu::transport::sampling::{azimuth, isotropic};
use crate::engine::cpu::transport::score::Sink;
use crate::prepare::transport::scene::ELECTRON_REST_MEV;
use crate::prepare::transport::tables::Reach;

impl<S: Sink> Walk<'_, '_, S> {
    /// Absorbs a particle that can leave its voxel no more: its energy stays, but for one bremsstrahlung photon in the mean number that it would still emit.
    pub(super) fn stop(&mut self, reach: Reach) {
        if reach.photons_to_rest > 0.0 && self.stream.uniform() < reach.photons_to_rest {
            let cut = self.history.scene.cuts.photon_mev;
            let emitter_mev = self.emitter_mev(reach.photons_to_rest);
            if emitter_mev > cut {
                let spectra = self.history.scene.spectra(self.medium.material, self.charge());
                let photon = bremsstrahlung(emitter_mev, cut, spectra, &mut self.stream);
                let direction = isotropic(&mut self.stream);
                self.set_off(Kind::Photon, photon.energy_mev, direction);
                self.energy_mev -= photon.energy_mev;
            }
        }
        self.history.score.leave(&self.at, self.weight * self.energy_mev);
        self.pending_mev += self.energy_mev;
        self.score_pending();
        if self.is_positron {
            let direction = isotropic(&mut self.stream);
            for direction in [direction, direction.map(|u| -u)] {
                self.set_off(Kind::Photon, ELECTRON_REST_MEV, direction);
            }
        }
    }

    /// The energy [MeV] at which a particle that slows down to rest emits a photon: where the number still to come has fallen to a uniform part of what it is.
    fn emitter_mev(&mut self, photons_to_rest: f32) -> f32 {
        let nodes = self.history.scene.reach(self.medium.material, self.charge());
        let wanted = self.stream.uniform() * photons_to_rest;
        let (mut low, mut high) = (0, place(self.energy_mev).node + 1);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if nodes[middle].photons_to_rest <= wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (from, to) = (nodes[low].photons_to_rest, nodes[high].photons_to_rest);
        let part = (wanted - from) / (to - from).max(1e-30);
        number(low, part).min(self.energy_mev)
    }

    pub(super) fn annihilate_in_flight(&mut self) {
        let photons = annihilation(self.energy_mev, &mut self.stream);
        let [x, y] = azimuth(&mut self.stream);
        for ((energy_mev, cosine), azimuth) in photons.into_iter().zip([[x, y], [-x, -y]]) {
            let direction = turned(self.at.direction, cosine, azimuth);
            self.set_off(Kind::Photon, energy_mev, direction);
        }
        self.score_pending();
    }

    pub(super) fn escape(&mut self) {
        let rest = if self.is_positron { 2.0 * ELECTRON_REST_MEV } else { 0.0 };
        self.history.score.escape(self.weight * (self.energy_mev + rest));
    }
}
