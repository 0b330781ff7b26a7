//! The life of an electron or positron: condensed steps with a random hinge, and hard interactions between them.
//! Twin, by whole histories: `shaders/shared/charged.wgsl`.
//!
//! A step is measured in mass per area, not in length, and depends on the energy alone. So the transport does not
//! depend on the density: in a medium of one composition, a source in proportion to the mass gives the same dose
//! everywhere (Fano's theorem), whatever the steps.
//!
//! Source of the scheme: mixed transport with a random hinge, Fernández-Varea, Mayol, Baró & Salvat, Nucl. Instrum.
//! Methods B 73 (1993) 447.

pub(crate) mod rest;

use self::rest::Newborn;
use super::collision::{Emerging, bhabha, bremsstrahlung, moller};
use super::deflection::{angular_deflection, soft_loss};
use super::geometry::{Position, medium_of, turned};
use super::history::{History, Track};
use super::random::{Stream, unit_pair};
use super::sampling::{azimuth, next_azimuth, next_paths};
use super::score::Sink;
use super::step::{CondensedStep, charge_table, plan_step, reach_at};
use crate::domain::emission::Particle;
use crate::prepare::transport::scene::{Scene, VoxelMedium};
use crate::prepare::transport::tables::{Reach, Step};

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flight {
    /// After its whole path.
    Done,
    /// At the face of another material, with this much of its path left [g/cm²].
    Interface(f32),
    /// Out of the grid, with this much of its path left [g/cm²].
    Escaped(f32),
}

/// What a charged particle can do where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outlook {
    /// How far it goes.
    reach: Reach,
    /// The mass per area between it and the nearest point of its voxel's surface [g/cm²].
    to_surface: f32,
}

/// An electron or positron on its way.
struct Walk<'h, 's, S> {
    history: &'h mut History<'s, S>,
    kind: Particle,
    energy_mev: f32,
    weight: f32,
    at: Position,
    voxel: usize,
    medium: VoxelMedium,
    /// Energy left in the present voxel and not yet scored [MeV].
    pending_mev: f32,
    stream: Stream,
}

/// Follows a charged particle until it is absorbed or out of the grid; its secondaries wait on the history's stack.
pub(crate) fn transport<S: Sink>(track: Track, history: &mut History<'_, S>) {
    let mut walk = Walk::new(track, history);
    walk.run();
    walk.end();
}

/// Follows one that a decay emits. Its direction is asked for only if it moves at all.
pub(crate) fn emit<S: Sink>(track: Track, direction: impl FnOnce() -> [f32; 3], history: &mut History<'_, S>) {
    let mut walk = Walk::new(track, history);
    if walk.outlook_or_stop().is_some() {
        walk.at.direction = direction();
        walk.run();
    }
    walk.end();
}

impl Outlook {
    #[inline]
    fn of(kind: Particle, energy_mev: f32, at: &Position, medium: VoxelMedium, scene: &Scene) -> Self {
        Self {
            reach: reach_at(energy_mev, scene.reach(medium.material, charge_table(kind))),
            to_surface: at.nearest_surface_cm(&scene.grid) * medium.density_g_cm3,
        }
    }

    /// Whether the particle is below the cut, or all its energy will stay in its voxel, however it goes on. In a vacuum
    /// nothing ends: it goes on to the next matter.
    #[inline]
    fn ends_here<S: Sink>(&self, energy_mev: f32, medium: VoxelMedium, scene: &Scene) -> bool {
        let is_below_cut = energy_mev < scene.cuts.absorption_mev && medium.density_g_cm3 > 0.0;
        is_below_cut || S::BY_VOXEL && self.reach.csda_range < self.to_surface
    }
}

impl<'h, 's, S: Sink> Walk<'h, 's, S> {
    fn new(track: Track, history: &'h mut History<'s, S>) -> Self {
        let voxel = track.at.voxel_index(&history.scene.grid);
        Self {
            kind: track.kind,
            energy_mev: track.energy_mev,
            weight: track.weight,
            at: track.at,
            voxel,
            medium: medium_of(history.scene.medium[voxel]),
            pending_mev: 0.0,
            stream: track.stream,
            history,
        }
    }

    /// Counts the rejection loops that reached their bound.
    fn end(self) {
        self.history.score.count_exhausted(self.stream.exhausted());
    }

    fn run(&mut self) {
        let mut to_next = 0.0;
        while let Some(outlook) = self.outlook_or_stop() {
            if to_next <= 0.0 {
                to_next = next_paths(&mut self.stream);
            }
            if !self.take_step(outlook, &mut to_next) {
                return;
            }
        }
    }

    /// One condensed step, and the hard interaction at its end if there is one. False: the particle has ended.
    ///
    /// * `to_next` – mean free paths to the next hard interaction
    #[inline]
    fn take_step(&mut self, outlook: Outlook, to_next: &mut f32) -> bool {
        let nodes = self.history.scene.step(self.medium.material, charge_table(self.kind));
        let step = plan_step(self.energy_mev, nodes, outlook.reach, *to_next);
        let variance = step.node.soft_variance * step.path;
        let [xi_loss, xi_hinge] = unit_pair(self.stream.next_word());
        let loss = soft_loss(step.loss_mev, variance, xi_loss).min(self.energy_mev);
        let hinge = step.path * xi_hinge;
        match self.walk(&step, hinge, loss, outlook.to_surface) {
            Flight::Done => {
                self.energy_mev -= loss;
                *to_next -= step.interactions;
                if step.is_hard {
                    *to_next = 0.0;
                    return self.interact(&step.node);
                }
                true
            }
            Flight::Interface(left) => {
                let part = 1.0 - left / step.path;
                self.energy_mev -= loss * part;
                *to_next -= step.interactions * part;
                true
            }
            Flight::Escaped(left) => {
                self.energy_mev -= loss * (1.0 - left / step.path);
                self.escape();
                false
            }
        }
    }

    /// What the particle can do. None if it is below the cut or cannot leave its voxel: then it is stopped here.
    #[inline]
    fn outlook_or_stop(&mut self) -> Option<Outlook> {
        let outlook = Outlook::of(self.kind, self.energy_mev, &self.at, self.medium, self.history.scene);
        if outlook.ends_here::<S>(self.energy_mev, self.medium, self.history.scene) {
            self.stop(outlook.reach);
            return None;
        }
        Some(outlook)
    }

    /// Both parts of a step's path and the turn between them.
    ///
    /// * `hinge` – path before the turn [g/cm²]
    /// * `loss_mev` – energy that it leaves on the whole path
    /// * `to_surface` – mass per area to the nearest point of the voxel's surface [g/cm²]
    #[inline]
    fn walk(&mut self, step: &CondensedStep, hinge: f32, loss_mev: f32, to_surface: f32) -> Flight {
        let after_hinge = step.path - hinge;
        let loss_per_path = loss_mev / step.path;
        if step.path < to_surface {
            // It meets no face, whichever way it turns.
            let cm_per_path = 1.0 / self.medium.density_g_cm3;
            self.advance(hinge * cm_per_path, loss_per_path * hinge);
            self.deflect(step);
            self.advance(after_hinge * cm_per_path, loss_per_path * after_hinge);
            return Flight::Done;
        }
        match self.fly(hinge, loss_per_path) {
            Flight::Done => {
                self.deflect(step);
                self.fly(after_hinge, loss_per_path)
            }
            Flight::Interface(left) => Flight::Interface(left + after_hinge),
            Flight::Escaped(left) => Flight::Escaped(left + after_hinge),
        }
    }

    /// Flies straight on along a part of a step's path, through all voxels of one material, and leaves energy evenly
    /// along it.
    ///
    /// * `path` – how far [g/cm²]
    /// * `loss_per_path` – energy that it leaves [MeV·cm²/g]
    fn fly(&mut self, path: f32, loss_per_path: f32) -> Flight {
        let scene = self.history.scene;
        let mut left = path;
        loop {
            let face = self.at.next_face(&scene.grid);
            let across = face.distance_cm * self.medium.density_g_cm3;
            // Strictly greater: a voxel without mass is crossed even with no path left.
            if across > left {
                self.advance(left / self.medium.density_g_cm3, loss_per_path * left);
                return Flight::Done;
            }
            self.leave_along(face.distance_cm, loss_per_path * across);
            left -= across;
            self.score_pending();
            if !self.at.cross_face(face, &scene.grid) {
                return Flight::Escaped(left);
            }
            self.voxel = self.at.voxel_index(&scene.grid);
            let medium = medium_of(scene.medium[self.voxel]);
            let is_interface = medium.material != self.medium.material;
            self.medium = medium;
            if is_interface {
                return Flight::Interface(left);
            }
        }
    }

    /// Flies within the voxel and leaves energy on the way.
    #[inline]
    fn advance(&mut self, distance_cm: f32, loss_mev: f32) {
        self.leave_along(distance_cm, loss_mev);
        self.at.advance(distance_cm, &self.history.scene.grid);
    }

    /// Leaves energy on the next straight flight.
    fn leave_along(&mut self, distance_cm: f32, loss_mev: f32) {
        self.history.score.spread(&self.at, distance_cm, self.weight * loss_mev);
        self.pending_mev += loss_mev;
    }

    fn score_pending(&mut self) {
        self.history.score.deposit(self.voxel, self.weight * self.pending_mev);
        self.pending_mev = 0.0;
    }

    /// Turns by what all soft collisions and elastic scatterings of the step do together.
    fn deflect(&mut self, step: &CondensedStep) {
        let node = &step.node;
        let over_lambda = [node.first_transport, node.second_transport, node.third_transport].map(|x| x * step.path);
        let choice = self.stream.next_uniform();
        let word = self.stream.next_word();
        let [xi, _] = unit_pair(word);
        let cosine = 1.0 - 2.0 * angular_deflection(over_lambda, choice, xi);
        self.at.direction = turned(self.at.direction, cosine, azimuth(word & 0xFFFF_0000 | 0x8000));
    }

    /// A hard interaction. False: the particle has ended.
    fn interact(&mut self, node: &Step) -> bool {
        let (scene, energy) = (self.history.scene, self.energy_mev);
        let choice = self.stream.next_uniform();
        if choice < node.collision_part {
            let cut = scene.cuts.collision_mev;
            // The energy may have fallen below that of the step's middle.
            let is_positron = self.kind == Particle::Positron;
            let largest = if is_positron { energy } else { 0.5 * energy };
            if cut < largest {
                let emerging = if is_positron {
                    bhabha(energy, cut, &mut self.stream)
                } else {
                    moller(energy, cut, &mut self.stream)
                };
                self.emerge(Particle::Electron, emerging);
            }
        } else if choice < node.photon_part {
            if scene.cuts.photon_mev < energy {
                let spectra = scene.spectra(self.medium.material, charge_table(self.kind));
                let emerging = bremsstrahlung(energy, scene.cuts.photon_mev, spectra, &mut self.stream);
                self.emerge(Particle::Photon, emerging);
            }
        } else if self.kind == Particle::Positron {
            self.annihilate_in_flight();
            return false;
        }
        true
    }

    /// The new particle of an interaction, which takes its energy from this one.
    fn emerge(&mut self, kind: Particle, emerging: Emerging) {
        let [x, y] = next_azimuth(&mut self.stream);
        if kind == Particle::Photon || !self.absorbs_electron(emerging.energy_mev) {
            let direction = turned(self.at.direction, emerging.cosine, [x, y]);
            self.push(kind, emerging.energy_mev, direction);
        }
        self.at.direction = turned(self.at.direction, emerging.deflection_cosine, [-x, -y]);
        self.energy_mev -= emerging.energy_mev;
    }

    /// Absorbs an electron of this energy where it is set free, if it goes no farther.
    fn absorbs_electron(&mut self, energy_mev: f32) -> bool {
        let born = Newborn { energy_mev, weight: self.weight, at: self.at, medium: self.medium };
        let absorbed = self.history.absorbed_mev(born, &mut self.stream);
        self.pending_mev += absorbed.unwrap_or(0.0);
        absorbed.is_some()
    }

    /// A new particle from here.
    fn push(&mut self, kind: Particle, energy_mev: f32, direction: [f32; 3]) {
        let at = Position { direction, ..self.at };
        let track = Track::born(kind, energy_mev, self.weight, at, &mut self.stream);
        self.history.push(track);
    }
}
