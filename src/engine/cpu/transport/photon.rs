//! The life of a photon: flight with the exact attenuation of each voxel on its way, then an interaction. Twin: `shaders/shared/photon.wgsl`.
//!
//! Photons of an energy whose secondary electrons are short against a voxel are scored by their track length: each voxel on the way gets what the track
//! deposits on average, path times energy times energy-absorption coefficient. Their secondary electrons then stop where they start, and are not scored
//! again. Others are scored by their secondary electrons.

use super::geometry::{Position, Ray, medium_of, turned};
use super::history::{History, Particle};
use super::lookup::{Place, between, place};
use super::random::Stream;
use super::sampling::{azimuth, isotropic};
use super::scatter::{coherent, compton, pair_cosine, photoelectron_cosine};
use super::score::Sink;
use crate::domain::emission::Particle as Kind;
use crate::prepare::transport::scene::{ELECTRON_REST_MEV, Medium};
use crate::prepare::transport::tables::{Attenuation, K_SHELLS};

/// A photon on its way.
struct Flight<'h, 's, S> {
    history: &'h mut History<'s, S>,
    energy_mev: f32,
    weight: f32,
    at: Position,
    voxel: usize,
    medium: Medium,
    /// Whether the track is scored, and not what it sets free.
    by_track: bool,
    stream: Stream,
}

/// Follows a photon until it is absorbed or out of the grid; its secondaries wait on the history's stack.
pub(crate) fn transport<S: Sink>(particle: Particle, history: &mut History<'_, S>) {
    Flight::new(particle, history).run();
}

/// As [`transport`], for a photon that has flown: it interacts where it is.
pub(crate) fn collide<S: Sink>(particle: Particle, history: &mut History<'_, S>) {
    let mut flight = Flight::new(particle, history);
    if flight.interact() {
        flight.run();
    }
}

impl<'h, 's, S: Sink> Flight<'h, 's, S> {
    fn new(particle: Particle, history: &'h mut History<'s, S>) -> Self {
        let voxel = particle.at.index(&history.scene.grid);
        let medium = medium_of(history.scene.medium[voxel]);
        let Particle { energy_mev, weight, at, stream, .. } = particle;
        Self { history, energy_mev, weight, at, voxel, medium, by_track: false, stream }
    }

    fn run(&mut self) {
        loop {
            let cuts = self.history.scene.cuts;
            if self.energy_mev < cuts.photon_mev {
                self.history.score.leave(&self.at, self.weight * self.energy_mev);
                return self.history.score.deposit(self.voxel, self.weight * self.energy_mev);
            }
            self.by_track = self.energy_mev < cuts.track_length_mev;
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
        let mut mean_free_paths = -self.stream.uniform().ln();
        let mut nodes = scene.attenuation(self.medium.material);
        let (mut total, mut absorption) = coefficients(nodes, at);
        let mut ray = Ray::new(&self.at, &scene.grid);
        loop {
            let face = ray.next_face();
            let density = self.medium.density_g_cm3;
            let across = face.distance_cm * density * total;
            let is_here = across >= mean_free_paths;
            let path = if is_here { mean_free_paths / total } else { face.distance_cm * density };
            if self.by_track {
                self.history.score.track(self.voxel, self.weight * self.energy_mev * absorption * path);
            }
            if is_here {
                ray.end(path / density, &mut self.at, &scene.grid);
                return true;
            }
            mean_free_paths -= across;
            if !ray.cross(face, &mut self.at, &scene.grid) {
                return false;
            }
            self.voxel = self.at.index(&scene.grid);
            let medium = medium_of(scene.medium[self.voxel]);
            if medium.material != self.medium.material {
                nodes = scene.attenuation(medium.material);
                (total, absorption) = coefficients(nodes, at);
            }
            self.medium = medium;
        }
    }

    /// An interaction. False: the photon is no more.
    fn interact(&mut self) -> bool {
        let scene = self.history.scene;
        self.history.score.collide(&self.at, self.weight, self.energy_mev);
        let at = place(self.energy_mev);
        let nodes = scene.attenuation(self.medium.material);
        let (low, high) = (&nodes[at.node], &nodes[at.node + 1]);
        let part = |of: fn(&Attenuation) -> f32| between(of(low), of(high), at.fraction);
        let choice = self.stream.uniform();
        if choice < part(|node| node.photoelectric_part) {
            let k_part = std::array::from_fn(|shell| between(low.k_part[shell], high.k_part[shell], at.fraction));
            self.photoelectric(k_part);
            false
        } else if choice < part(|node| node.incoherent_part) {
            self.incoherent();
            true
        } else if choice < part(|node| node.coherent_part) || self.energy_mev <= 2.0 * ELECTRON_REST_MEV {
            let cosine = coherent(self.energy_mev, scene.form_factors(self.medium.material), &mut self.stream);
            self.at.direction = turned(self.at.direction, cosine, azimuth(&mut self.stream));
            true
        } else {
            self.pair();
            false
        }
    }

    /// Absorption: an electron, and perhaps a photon of the K shell.
    fn photoelectric(&mut self, k_part: [f32; K_SHELLS]) {
        let fluorescence_mev = self.fluorescence_mev(k_part);
        if fluorescence_mev > 0.0 {
            let direction = isotropic(&mut self.stream);
            self.set_off(Kind::Photon, fluorescence_mev, direction);
        }
        let kinetic_mev = self.energy_mev - fluorescence_mev;
        let cosine =
            if self.frees_electron(kinetic_mev) { photoelectron_cosine(kinetic_mev, &mut self.stream) } else { 1.0 };
        let azimuth = azimuth(&mut self.stream);
        self.set_free(Kind::Electron, kinetic_mev, cosine, azimuth);
    }

    /// Energy of the photon that follows an absorption in a K shell; 0 for none.
    fn fluorescence_mev(&mut self, k_part: [f32; K_SHELLS]) -> f32 {
        let shells = self.history.scene.k_shells(self.medium.material);
        if k_part.iter().all(|&part| part <= 0.0) {
            return 0.0;
        }
        let mut choice = self.stream.uniform();
        for (part, shell) in k_part.into_iter().zip(shells) {
            let lit = part * shell.fluorescence_yield;
            if choice < lit {
                let line = if choice < lit * shell.k_alpha_fraction { shell.k_alpha_mev } else { shell.k_beta_mev };
                // Above the edge, but for the grain of the tables.
                return if line < self.energy_mev { line } else { 0.0 };
            }
            choice -= lit;
        }
        0.0
    }

    fn incoherent(&mut self) {
        let factors = self.history.scene.form_factors(self.medium.material);
        let scattered = compton(self.energy_mev, factors, &mut self.stream);
        let [x, y] = azimuth(&mut self.stream);
        self.set_free(Kind::Electron, self.energy_mev - scattered.photon_mev, scattered.electron_cosine, [-x, -y]);
        self.at.direction = turned(self.at.direction, scattered.cosine, [x, y]);
        self.energy_mev = scattered.photon_mev;
    }

    fn pair(&mut self) {
        let shared_mev = self.energy_mev - 2.0 * ELECTRON_REST_MEV;
        let electron_mev = shared_mev * self.stream.uniform();
        let [x, y] = azimuth(&mut self.stream);
        let cosine = pair_cosine(electron_mev, &mut self.stream);
        self.set_free(Kind::Electron, electron_mev, cosine, [x, y]);
        let cosine = pair_cosine(shared_mev - electron_mev, &mut self.stream);
        self.set_free(Kind::Positron, shared_mev - electron_mev, cosine, [-x, -y]);
    }

    /// A new particle from here.
    fn set_off(&mut self, kind: Kind, energy_mev: f32, direction: [f32; 3]) {
        let at = Position { direction, ..self.at };
        let particle = Particle::born(kind, energy_mev, self.weight, at, &mut self.stream);
        self.history.push(particle);
    }

    /// Whether an electron will be followed: not if the track is scored.
    fn frees_electron(&self, kinetic_mev: f32) -> bool {
        !self.by_track && kinetic_mev > 0.0
    }

    /// Sets a charged particle free; where the track is scored, it stops at once.
    fn set_free(&mut self, kind: Kind, kinetic_mev: f32, cosine: f32, azimuth: [f32; 2]) {
        if self.by_track {
            self.history.score.absorb(self.weight * kinetic_mev);
            if kind == Kind::Positron {
                let direction = isotropic(&mut self.stream);
                for direction in [direction, direction.map(|u| -u)] {
                    self.set_off(Kind::Photon, ELECTRON_REST_MEV, direction);
                }
            }
        } else {
            let direction = turned(self.at.direction, cosine, azimuth);
            self.set_off(kind, kinetic_mev, direction);
        }
    }
}

/// Mass attenuation and energy-absorption coefficients [cm²/g].
fn coefficients(nodes: &[Attenuation], at: Place) -> (f32, f32) {
    let (low, high) = (&nodes[at.node], &nodes[at.node + 1]);
    (between(low.total, high.total, at.fraction), between(low.absorption, high.absorption, at.fraction))
}
