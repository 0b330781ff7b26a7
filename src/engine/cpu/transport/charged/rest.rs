//! The end of an electron or positron: its energy stays where it is, except for what photons still carry away.

use super::Walk;
use crate::domain::emission::Particle;
use crate::engine::cpu::transport::collision::{annihilation, bremsstrahlung};
use crate::engine::cpu::transport::geometry::turned;
use crate::engine::cpu::transport::sampling::{isotropic, next_azimuth};
use crate::engine::cpu::transport::score::Sink;
use crate::engine::cpu::transport::step::{charge_table, emitter_mev};
use crate::prepare::transport::scene::ELECTRON_REST_MEV;
use crate::prepare::transport::tables::Reach;

impl<S: Sink> Walk<'_, '_, S> {
    /// Absorbs a particle that cannot leave its voxel. Its energy stays there, except for a bremsstrahlung photon,
    /// which it emits with a probability equal to the mean number of photons still to come.
    pub(super) fn stop(&mut self, reach: Reach) {
        if reach.photons_to_rest > 0.0 && self.stream.next_uniform() < reach.photons_to_rest {
            let cut = self.history.scene.cuts.photon_mev;
            let nodes = self.history.scene.reach(self.medium.material, charge_table(self.kind));
            let emitter_mev = emitter_mev(self.energy_mev, nodes, reach.photons_to_rest, &mut self.stream);
            if emitter_mev > cut {
                let spectra = self.history.scene.spectra(self.medium.material, charge_table(self.kind));
                let photon = bremsstrahlung(emitter_mev, cut, spectra, &mut self.stream);
                let direction = isotropic(&mut self.stream);
                self.push(Particle::Photon, photon.energy_mev, direction);
                self.energy_mev -= photon.energy_mev;
            }
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
