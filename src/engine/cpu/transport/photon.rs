//! The life of a photon: flight with the exact attenuation of each voxel on its way, then an interaction.
//! Twin, by whole histories: `shaders/shared/photon.wgsl`.
//!
//! Photons whose secondary electrons have a short range compared with a voxel are scored by their track length: each
//! voxel on the way gets what the track deposits on average, path times energy times energy-absorption coefficient.
//! Their secondary electrons then stop where they start, and are not scored again. Other photons are scored by their
//! secondary electrons.

use super::absorption::{attenuation, fluorescence_mev};
use super::charged::rest::Newborn;
use super::geometry::{Position, Ray, medium_of, turned};
use super::history::{History, Track};
use super::lookup::{between, place};
use super::random::Stream;
use super::sampling::{isotropic, next_azimuth, next_paths};
use super::scatter::{coherent_cosine, compton, pair_cosine, photoelectron_cosine};
use super::score::Sink;
use crate::domain::emission::Particle;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, VoxelMedium};
use crate::prepare::transport::tables::{Attenuation, K_SHELLS};

/// A photon on its way.
struct PhotonWalk<'h, 's, S> {
    history: &'h mut History<'s, S>,
    energy_mev: f32,
    weight: f32,
    at: Position,
    voxel: usize,
    medium: VoxelMedium,
    /// Whether its track is scored, and not what it sets free.
    by_track_length: bool,
    stream: Stream,
}

/// Follows a photon until it is absorbed or out of the grid; its secondaries wait on the history's stack.
pub(crate) fn transport<S: Sink>(track: Track, history: &mut History<'_, S>) {
    let mut walk = PhotonWalk::new(track, history);
    walk.run();
    walk.end();
}

/// As [`transport`], for a photon that has flown already: it interacts where it is.
pub(crate) fn collide<S: Sink>(track: Track, history: &mut History<'_, S>) {
    let mut walk = PhotonWalk::new(track, history);
    if walk.interact() {
        walk.run();
    }
    walk.end();
}

impl<'h, 's, S: Sink> PhotonWalk<'h, 's, S> {
    fn new(track: Track, history: &'h mut History<'s, S>) -> Self {
        let voxel = track.at.voxel_index(&history.scene.grid);
        let medium = medium_of(history.scene.medium[voxel]);
        let Track { energy_mev, weight, at, stream, .. } = track;
        Self { history, energy_mev, weight, at, voxel, medium, by_track_length: false, stream }
    }

    /// Counts the rejection loops that reached their bound.
    fn end(self) {
        self.history.score.count_exhausted(self.stream.exhausted());
    }

    fn run(&mut self) {
        loop {
            let cuts = self.history.scene.cuts;
            if self.energy_mev < cuts.photon_mev {
                self.history.score.leave(&self.at, self.weight * self.energy_mev);
                return self.history.score.deposit(self.voxel, self.weight * self.energy_mev);
            }
            self.by_track_length = self.energy_mev < cuts.track_length_mev;
            if !self.fly() {
                return self.history.score.escape(self.weight * self.energy_mev);
            }
            if !self.interact() {
                return;
            }
        }
    }

    /// Flies to the next interaction. False: out of the grid.
    fn fly(&mut self) -> bool {
        let scene = self.history.scene;
        let at = place(self.energy_mev);
        let mut mean_free_paths = next_paths(&mut self.stream);
        let mut nodes = scene.attenuation(self.medium.material);
        let (mut total, mut absorption) = attenuation(nodes, at);
        let mut ray = Ray::new(&self.at, &scene.grid);
        loop {
            let face = ray.face();
            let density = self.medium.density_g_cm3;
            let across = face.distance_cm * density * total;
            let is_here = across >= mean_free_paths;
            let path = if is_here { mean_free_paths / total } else { face.distance_cm * density };
            if self.by_track_length {
                self.history.score.score_track(self.voxel, self.weight * self.energy_mev * absorption * path);
            }
            if is_here {
                ray.end(path / density, &mut self.at, &scene.grid);
                return true;
            }
            mean_free_paths -= across;
            ray.beyond(face);
            if !self.at.enter_next(face.axis, &scene.grid) {
                return false;
            }
            self.voxel = self.at.voxel_index(&scene.grid);
            let medium = medium_of(scene.medium[self.voxel]);
            if medium.material != self.medium.material {
                nodes = scene.attenuation(medium.material);
                (total, absorption) = attenuation(nodes, at);
            }
            self.medium = medium;
        }
    }

    /// An interaction. False: the photon has ended.
    fn interact(&mut self) -> bool {
        let scene = self.history.scene;
        self.history.score.collide(&self.at, self.weight, self.energy_mev);
        let at = place(self.energy_mev);
        let nodes = scene.attenuation(self.medium.material);
        let (low, high) = (&nodes[at.node], &nodes[at.node + 1]);
        let part = |of: fn(&Attenuation) -> f32| between(of(low), of(high), at.fraction);
        let choice = self.stream.next_uniform();
        if choice < part(|node| node.photoelectric_part) {
            let k_part = std::array::from_fn(|shell| between(low.k_part[shell], high.k_part[shell], at.fraction));
            self.photoelectric(k_part);
            false
        } else if choice < part(|node| node.incoherent_part) {
            self.incoherent_scattering();
            true
        } else if choice < part(|node| node.coherent_part) || self.energy_mev <= 2.0 * ELECTRON_REST_MEV {
            let cosine = coherent_cosine(self.energy_mev, scene.form_factors(self.medium.material), &mut self.stream);
            self.at.direction = turned(self.at.direction, cosine, next_azimuth(&mut self.stream));
            true
        } else {
            self.pair();
            false
        }
    }

    /// Absorption: an electron, and perhaps a photon of the K shell.
    fn photoelectric(&mut self, k_part: [f32; K_SHELLS]) {
        let shells = self.history.scene.k_shells(self.medium.material);
        let fluorescence_mev = fluorescence_mev(self.energy_mev, shells, k_part, &mut self.stream);
        if fluorescence_mev > 0.0 {
            let direction = isotropic(&mut self.stream);
            self.push(Particle::Photon, fluorescence_mev, direction);
        }
        let kinetic_mev = self.energy_mev - fluorescence_mev;
        if !self.absorbs_electron(kinetic_mev) {
            let cosine = photoelectron_cosine(kinetic_mev, &mut self.stream);
            let azimuth = next_azimuth(&mut self.stream);
            self.set_free(Particle::Electron, kinetic_mev, cosine, azimuth);
        }
    }

    /// Compton scattering of the photon.
    fn incoherent_scattering(&mut self) {
        let factors = self.history.scene.form_factors(self.medium.material);
        let scattered = compton(self.energy_mev, factors, &mut self.stream);
        let [x, y] = next_azimuth(&mut self.stream);
        let kinetic_mev = self.energy_mev - scattered.photon_mev;
        if !self.absorbs_electron(kinetic_mev) {
            self.set_free(Particle::Electron, kinetic_mev, scattered.electron_cosine, [-x, -y]);
        }
        self.at.direction = turned(self.at.direction, scattered.cosine, [x, y]);
        self.energy_mev = scattered.photon_mev;
    }

    /// A pair in place of the photon.
    fn pair(&mut self) {
        let shared_mev = self.energy_mev - 2.0 * ELECTRON_REST_MEV;
        let electron_mev = shared_mev * self.stream.next_uniform();
        let [x, y] = next_azimuth(&mut self.stream);
        if !self.absorbs_electron(electron_mev) {
            let cosine = pair_cosine(electron_mev, &mut self.stream);
            self.set_free(Particle::Electron, electron_mev, cosine, [x, y]);
        }
        let positron_mev = shared_mev - electron_mev;
        if self.by_track_length {
            self.history.score.absorb(self.weight * positron_mev);
            return self.annihilate_at_rest();
        }
        let cosine = pair_cosine(positron_mev, &mut self.stream);
        self.set_free(Particle::Positron, positron_mev, cosine, [-x, -y]);
    }

    /// A new particle from here.
    fn push(&mut self, kind: Particle, energy_mev: f32, direction: [f32; 3]) {
        let at = Position { direction, ..self.at };
        let track = Track::born(kind, energy_mev, self.weight, at, &mut self.stream);
        self.history.push(track);
    }

    /// The two photons of a positron at rest.
    fn annihilate_at_rest(&mut self) {
        let direction = isotropic(&mut self.stream);
        for direction in [direction, direction.map(|u| -u)] {
            self.push(Particle::Photon, ELECTRON_REST_MEV, direction);
        }
    }

    /// Absorbs an electron of this energy at once, if its photon's track is scored or if it goes no farther.
    fn absorbs_electron(&mut self, energy_mev: f32) -> bool {
        if self.by_track_length {
            self.history.score.absorb(self.weight * energy_mev);
            return true;
        }
        let born = Newborn { energy_mev, weight: self.weight, at: self.at, medium: self.medium };
        let absorbed = self.history.absorbed_mev(born, &mut self.stream);
        if let Some(energy_mev) = absorbed {
            self.history.score.deposit(self.voxel, self.weight * energy_mev);
        }
        absorbed.is_some()
    }

    /// Sets a charged particle free.
    fn set_free(&mut self, kind: Particle, kinetic_mev: f32, cosine: f32, azimuth: [f32; 2]) {
        let direction = turned(self.at.direction, cosine, azimuth);
        self.push(kind, kinetic_mev, direction);
    }
}
