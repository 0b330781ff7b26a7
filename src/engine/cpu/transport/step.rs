//! The tables of charged particles at one energy, and the condensed step that follows from them.
//! Twin: `shaders/shared/step.wgsl`.

use super::lookup::{between, number, place};
use super::random::Stream;
use crate::domain::emission::Particle;
use crate::prepare::transport::tables::{Reach, Step};

/// What a condensed step does on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CondensedStep {
    /// Its path [g/cm²].
    pub(crate) path: f32,
    /// Mean soft loss [MeV].
    pub(crate) loss_mev: f32,
    /// Mean number of hard interactions.
    pub(crate) interactions: f32,
    /// Whether it ends in a hard interaction.
    pub(crate) is_hard: bool,
    /// The tables at the energy in the middle of what is walked.
    pub(crate) node: Step,
}

/// Which of the two tables of a material is that of a particle: 0 for electrons, 1 for positrons.
#[inline]
pub(crate) fn charge_table(kind: Particle) -> usize {
    usize::from(kind == Particle::Positron)
}

/// How far a particle of this energy goes.
#[inline]
pub(crate) fn reach_at(energy_mev: f32, nodes: &[Reach]) -> Reach {
    let at = place(energy_mev);
    let (low, high) = (&nodes[at.node], &nodes[at.node + 1]);
    Reach {
        csda_range: between(low.csda_range, high.csda_range, at.fraction),
        photons_to_rest: between(low.photons_to_rest, high.photons_to_rest, at.fraction),
        step_loss_mev: between(low.step_loss_mev, high.step_loss_mev, at.fraction),
        pad: 0.0,
    }
}

/// The next step: as long as the tables allow, or up to the next hard interaction. All values are taken at the energy
/// in the middle of the part that is walked: taken in the middle of the longest step, they would be those of too low an
/// energy wherever a hard interaction ends the step early, the more so the lower the cut.
#[inline]
pub(crate) fn plan_step(energy_mev: f32, nodes: &[Step], reach: Reach, to_interaction: f32) -> CondensedStep {
    let node = step_at(energy_mev - 0.5 * reach.step_loss_mev, nodes);
    let path = reach.step_loss_mev / node.soft_stopping;
    let interactions = path * node.interactions;
    if interactions < to_interaction {
        return CondensedStep { path, loss_mev: reach.step_loss_mev, interactions, is_hard: false, node };
    }
    let part = to_interaction / interactions;
    let node = step_at(energy_mev - 0.5 * part * reach.step_loss_mev, nodes);
    let path = to_interaction / node.interactions;
    CondensedStep { path, loss_mev: path * node.soft_stopping, interactions: to_interaction, is_hard: true, node }
}

/// The tables of a material at one energy.
#[inline]
fn step_at(energy_mev: f32, nodes: &[Step]) -> Step {
    let at = place(energy_mev);
    interpolate(&nodes[at.node], &nodes[at.node + 1], at.fraction)
}

#[inline]
fn interpolate(low: &Step, high: &Step, fraction: f32) -> Step {
    Step {
        soft_stopping: between(low.soft_stopping, high.soft_stopping, fraction),
        interactions: between(low.interactions, high.interactions, fraction),
        collision_part: between(low.collision_part, high.collision_part, fraction),
        photon_part: between(low.photon_part, high.photon_part, fraction),
        first_transport: between(low.first_transport, high.first_transport, fraction),
        second_transport: between(low.second_transport, high.second_transport, fraction),
        third_transport: between(low.third_transport, high.third_transport, fraction),
        soft_variance: between(low.soft_variance, high.soft_variance, fraction),
    }
}

/// The energy [MeV] at which a particle that slows down to rest emits a photon: where the number of photons still to
/// come has fallen to a uniform part of what it is.
pub(crate) fn emitter_mev(energy_mev: f32, nodes: &[Reach], photons_to_rest: f32, stream: &mut Stream) -> f32 {
    let wanted = stream.next_uniform() * photons_to_rest;
    let (mut low, mut high) = (0, place(energy_mev).node + 1);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if nodes[middle].photons_to_rest <= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let below = nodes[low].photons_to_rest;
    let part = (wanted - below) / (nodes[high].photons_to_rest - below).max(1e-30);
    number(low, part).min(energy_mev)
}
