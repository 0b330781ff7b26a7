//! Moments of the soft collisions, which are not simulated one by one: energy loss, straggling and deflection.

use super::collision::{CollisionStopping, largest_loss};
use super::hard_collision::{deflection_cosine, deflection_sine_squared, rutherford_ratio};
use super::oscillator::Oscillator;
use super::{Charge, collision_strength, momentum_squared_mev2, speed_squared, tau};
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::math::quadrature::{PANEL_NODES, log_nodes_by_width};

/// Moments of the soft collisions of a particle, per gram and cm² of material.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftMoments {
    /// Mean loss in this model [MeV·cm²/g]. Transport uses [`CollisionStopping::restricted`] instead.
    pub loss: f64,
    /// Variance of the loss [MeV²·cm²/g].
    pub loss_variance: f64,
    /// Third central moment of the loss [MeV³·cm²/g].
    pub loss_third_moment: f64,
    /// First transport cross section, of 1 − cos θ [cm²/g].
    pub first_transport: f64,
    /// Second transport cross section, of 3/2·(1 − cos² θ) [cm²/g].
    pub second_transport: f64,
    /// Third transport cross section, of 1 − P₃(cos θ) [cm²/g].
    pub third_transport: f64,
}

impl SoftMoments {
    /// Adds collisions of one kind: their number, and the loss and deflection 1 − cos θ of each.
    fn add(&mut self, number: f64, loss_mev: f64, deflection: f64) {
        self.loss += number * loss_mev;
        self.loss_variance += number * loss_mev.powi(2);
        self.loss_third_moment += number * loss_mev.powi(3);
        self.first_transport += number * deflection;
        self.second_transport += number * 1.5 * deflection * (2.0 - deflection);
        self.third_transport += number * deflection * (6.0 - deflection * (7.5 - 2.5 * deflection));
    }
}

/// Moments of the collisions that lose at most `cut_mev`.
///
/// Distant collisions excite each oscillator to its resonance; close ones ionise it with losses from there up. Distant
/// collisions transfer momentum with the density 1/(Q(1 + Q/2m_ec²)) in the recoil energy Q; close ones are Møller's or
/// Bhabha's. Excitation of a resonance above the cut counts as soft.
///
/// Source: Liljequist, J. Phys. D 16 (1983) 1567; Fernández-Varea, Salvat, Dingfelder & Liljequist, Nucl. Instrum.
/// Methods B 229 (2005) 187.
pub fn moments(stopping: &CollisionStopping, charge: Charge, kinetic_mev: f64, cut_mev: f64) -> SoftMoments {
    SoftCollisions::new(stopping, cut_mev).moments(charge, kinetic_mev)
}

/// The collisions that lose at most a cut, for particles of any energy.
pub(super) struct SoftCollisions<'a> {
    stopping: &'a CollisionStopping,
    cut_mev: f64,
    /// Resonances below the cut, ascending.
    steps: Vec<Step>,
    /// Losses from the lowest resonance to the cut, and their weights in integrals over all electrons that take them.
    losses: Vec<(f64, f64)>,
}

/// At each resonance, more electrons take a loss; from there to the next they are the same.
struct Step {
    resonance_mev: f64,
    /// Part of all electrons whose resonance lies at or below this one.
    part: f64,
    /// Losses that lie below.
    below: usize,
}

impl Step {
    /// Losses from the resonance to the next, or to an end, and their weights.
    fn losses(&self, to_mev: f64) -> impl Iterator<Item = (f64, f64)> {
        log_nodes_by_width(self.resonance_mev, to_mev).map(|(loss, weight)| (loss, weight * self.part))
    }
}

impl<'a> SoftCollisions<'a> {
    pub(super) fn new(stopping: &'a CollisionStopping, cut_mev: f64) -> Self {
        let mut oscillators: Vec<&Oscillator> =
            stopping.oscillators().list().iter().filter(|oscillator| oscillator.resonance_mev < cut_mev).collect();
        oscillators.sort_by(|a, b| a.resonance_mev.total_cmp(&b.resonance_mev));
        let (mut part, mut losses, mut steps) = (0.0, Vec::new(), Vec::new());
        for (number, oscillator) in oscillators.iter().enumerate() {
            part += oscillator.strength;
            let step = Step { resonance_mev: oscillator.resonance_mev, part, below: losses.len() };
            losses.extend(step.losses(oscillators.get(number + 1).map_or(cut_mev, |next| next.resonance_mev)));
            steps.push(step);
        }
        Self { stopping, cut_mev, steps, losses }
    }

    /// See [`CollisionStopping::restricted`] and [`moments`].
    pub(super) fn stopping_and_moments(&self, charge: Charge, kinetic_mev: f64) -> (f64, SoftMoments) {
        let delta = self.stopping.oscillators().density_effect(speed_squared(kinetic_mev));
        let stopping = self.stopping.restricted_at(charge, kinetic_mev, self.cut_mev, delta);
        (stopping, self.moments_at(charge, kinetic_mev, delta))
    }

    fn moments(&self, charge: Charge, kinetic_mev: f64) -> SoftMoments {
        self.stopping_and_moments(charge, kinetic_mev).1
    }

    /// * `delta` – density effect
    fn moments_at(&self, charge: Charge, kinetic_mev: f64, delta: f64) -> SoftMoments {
        let mut sum = SoftMoments::default();
        let strength = self.stopping.electrons_per_g() * collision_strength(kinetic_mev);
        for oscillator in self.stopping.oscillators().list() {
            add_distant(&mut sum, strength * oscillator.strength, oscillator, kinetic_mev, delta);
        }
        let largest = largest_loss(charge, kinetic_mev);
        let open = self.steps.partition_point(|step| step.resonance_mev < largest);
        match open.checked_sub(1).map(|last| &self.steps[last]) {
            Some(last) if largest < self.cut_mev => {
                add_close(&mut sum, strength, charge, kinetic_mev, &self.losses[..last.below]);
                add_close(&mut sum, strength, charge, kinetic_mev, &last.losses(largest).collect::<Vec<_>>());
            }
            Some(_) => add_close(&mut sum, strength, charge, kinetic_mev, &self.losses),
            None => {}
        }
        sum
    }
}

/// Excitation of one oscillator to its resonance W: longitudinal, with a recoil energy Q up to W, and transverse,
/// without deflection.
///
/// With q² = Q(Q + 2m) the square of the momentum transferred, a its smallest value, and 1 − cos θ = (q² − a)/2pp′, the
/// density 2m/q² in Q has these closed integrals.
fn add_distant(sum: &mut SoftMoments, strength: f64, oscillator: &Oscillator, kinetic_mev: f64, delta: f64) {
    let (w, m) = (oscillator.resonance_mev, ELECTRON_REST_ENERGY_MEV);
    if w >= kinetic_mev {
        return;
    }
    let (before, after) = (momentum_squared_mev2(kinetic_mev).sqrt(), momentum_squared_mev2(kinetic_mev - w).sqrt());
    // The difference of the momenta as a quotient, since they nearly cancel.
    let least_transfer = w * (2.0 * kinetic_mev - w + 2.0 * m) / (before + after);
    let least = least_transfer.powi(2) / (m + m.hypot(least_transfer));
    if least >= w {
        return;
    }
    let (a, scale) = (least_transfer.powi(2), 1.0 / (2.0 * before * after));
    let number = (w / least * (least + 2.0 * m) / (w + 2.0 * m)).ln();
    let deflection = scale * (2.0 * m * (w - least) - a * number);
    let between = |primitive: fn(f64, f64) -> f64| primitive(w, m) - primitive(least, m);
    let q2 = between(|q, m| 2.0 * m * q * q * (q / 3.0 + m));
    let deflection_squared = scale * scale * (q2 - 4.0 * m * a * (w - least) + a * a * number);
    let q4 = between(|q, m| 2.0 * m * q.powi(3) * (q * q / 5.0 + m * q + 4.0 / 3.0 * m * m));
    let deflection_cubed = scale.powi(3) * (q4 - 3.0 * a * q2 + 6.0 * m * a * a * (w - least) - a.powi(3) * number);
    let beta2 = speed_squared(kinetic_mev);
    let transverse = (-(-beta2).ln_1p() - beta2 - delta).max(0.0);
    sum.add(strength / w * (number + transverse), w, 0.0);
    sum.first_transport += strength / w * deflection;
    sum.second_transport += strength / w * (3.0 * deflection - 1.5 * deflection_squared);
    sum.third_transport += strength / w * (6.0 * deflection - 7.5 * deflection_squared + 2.5 * deflection_cubed);
}

/// Collisions with electrons, treated as free. Those of a panel are computed side by side, in vector code, and then
/// added one after another.
fn add_close(sum: &mut SoftMoments, strength: f64, charge: Charge, kinetic_mev: f64, losses: &[(f64, f64)]) {
    let tau = tau(kinetic_mev);
    for panel in losses.chunks(PANEL_NODES) {
        let [mut numbers, mut deflections] = [[0.0; PANEL_NODES]; 2];
        for ((&(loss, weight), number), deflection) in panel.iter().zip(&mut numbers).zip(&mut deflections) {
            *number = weight * (strength / (loss * loss) * rutherford_ratio(charge, tau, loss / kinetic_mev));
            let sine2 = deflection_sine_squared(kinetic_mev, loss);
            *deflection = sine2 / (1.0 + deflection_cosine(kinetic_mev, loss));
        }
        for ((&(loss, _), number), deflection) in panel.iter().zip(numbers).zip(deflections) {
            sum.add(number, loss, deflection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::log_nodes;
    use crate::physics::material;

    fn water() -> CollisionStopping {
        CollisionStopping::of(material::find("water").expect("water"))
    }

    #[test]
    fn distant_collisions_are_integrals_over_the_recoil_energy() {
        for (resonance, energy) in [(7e-5, 1e-3), (5e-4, 1e-3), (1e-3, 0.02), (5e-5, 5.0)] {
            let oscillator = Oscillator { strength: 1.0, binding_mev: resonance, resonance_mev: resonance };
            let (mut found, mut expected) = (SoftMoments::default(), SoftMoments::default());
            // A density effect strong enough to suppress transverse excitation.
            add_distant(&mut found, 1.0, &oscillator, energy, 100.0);
            let m = ELECTRON_REST_ENERGY_MEV;
            let momentum = |e: f64| momentum_squared_mev2(e).sqrt();
            let (before, after) = (momentum(energy), momentum(energy - resonance));
            let least_recoil = ((before - after).powi(2) + m * m).sqrt() - m;
            for (recoil, weight) in log_nodes(least_recoil, resonance) {
                let transfer2 = recoil * (recoil + 2.0 * m);
                let deflection = (transfer2 - (before - after).powi(2)) / (2.0 * before * after);
                expected.add(weight / (resonance * recoil * (1.0 + 0.5 * recoil / m)), resonance, deflection);
            }
            // The least recoil energy, computed here as a difference, is right to about 1e-6.
            for (a, b) in [
                (found.loss, expected.loss),
                (found.first_transport, expected.first_transport),
                (found.second_transport, expected.second_transport),
                (found.third_transport, expected.third_transport),
            ] {
                assert!((a / b - 1.0).abs() < 1e-5, "{resonance} {energy}: {found:?} {expected:?}");
            }
        }
    }

    /// All electrons that take a loss are summed before the integral; here each oscillator has its own.
    #[test]
    fn close_collisions_are_those_of_each_oscillator() {
        for (name, cut) in [("water", 0.013), ("cortical_bone", 0.001), ("cortical_bone", 0.02), ("air", 1.0)] {
            let stopping = CollisionStopping::of(material::find(name).expect("known"));
            for (charge, energy) in Charge::ALL
                .into_iter()
                .flat_map(|charge| [1e-3, 2.1e-3, 8e-3, 0.0123, 0.0261, 0.2, 10.0].map(|energy| (charge, energy)))
            {
                let delta = stopping.oscillators().density_effect(speed_squared(energy));
                let found = SoftCollisions::new(&stopping, cut).moments(charge, energy);
                let mut expected = SoftMoments::default();
                let end = cut.min(largest_loss(charge, energy));
                for oscillator in stopping.oscillators().list() {
                    let strength = oscillator.strength * stopping.electrons_per_g() * collision_strength(energy);
                    add_distant(&mut expected, strength, oscillator, energy, delta);
                    let losses: Vec<(f64, f64)> = log_nodes(oscillator.resonance_mev, end).collect();
                    add_close(&mut expected, strength, charge, energy, &losses);
                }
                // A positron can lose all its energy, where the deflection has no derivative.
                let tolerance = if charge == Charge::Positron && end == energy { 1e-5 } else { 1e-12 };
                for (a, b) in [
                    (found.loss, expected.loss),
                    (found.loss_variance, expected.loss_variance),
                    (found.loss_third_moment, expected.loss_third_moment),
                    (found.first_transport, expected.first_transport),
                    (found.second_transport, expected.second_transport),
                    (found.third_transport, expected.third_transport),
                ] {
                    assert!((a / b - 1.0).abs() < tolerance, "{name} {charge:?} {energy}: {found:?} {expected:?}");
                }
            }
        }
    }

    #[test]
    fn the_mean_loss_is_that_of_bethe() {
        // Bethe's formula holds where the energy is far above all resonances and these far below the cut.
        for charge in Charge::ALL {
            for (energy, tolerance) in [(0.03, 0.02), (0.1, 5e-3), (1.0, 2e-3), (10.0, 2e-3)] {
                let model = moments(&water(), charge, energy, 0.01).loss;
                let bethe = water().restricted(charge, energy, 0.01);
                assert!((model / bethe - 1.0).abs() < tolerance, "{charge:?} {energy}: {model} {bethe}");
            }
        }
    }

    #[test]
    fn the_variance_is_nearly_that_of_free_electrons() {
        // Bohr: the variance of losses to free electrons, between 0 and the cut, is the strength times the cut.
        let (energy, cut) = (5.0, 0.02);
        let bohr = water().electrons_per_g() * collision_strength(energy) * cut;
        let found = moments(&water(), Charge::Electron, energy, cut).loss_variance;
        assert!((0.98..1.15).contains(&(found / bohr)), "{}", found / bohr);
    }

    /// For resonances W far below the cut and the energy, the integrals have closed forms: distant collisions add m/p²
    /// to the first transport cross section of an oscillator of strength 1, close ones ln(cut/W)·m/p²; the logarithmic
    /// mean of W is the mean excitation energy.
    #[test]
    fn soft_collisions_deflect_as_the_closed_form_says() {
        let excitation = material::find("water").expect("water").mean_excitation_energy_mev();
        for (energy, tolerance) in [(0.2, 0.01), (1.0, 3e-3), (10.0, 2e-3)] {
            let (stopping, cut) = (water(), 0.005);
            let scale = stopping.electrons_per_g() * collision_strength(energy) * ELECTRON_REST_ENERGY_MEV;
            let expected = scale / momentum_squared_mev2(energy) * (1.0 + (cut / excitation).ln());
            let found = moments(&stopping, Charge::Electron, energy, cut).first_transport;
            assert!((found / expected - 1.0).abs() < tolerance, "{energy}: {}", found / expected);
        }
    }

    #[test]
    fn a_higher_cut_leaves_more_to_the_soft_collisions() {
        let at = |cut| moments(&water(), Charge::Electron, 0.2, cut);
        let (low, high) = (at(0.001), at(0.02));
        assert!(low.loss < high.loss && low.loss_variance < high.loss_variance);
        assert!(low.first_transport < high.first_transport && low.second_transport < high.second_transport);
        assert!(low.third_transport < high.third_transport);
        // Beyond the largest loss, the cut changes nothing.
        assert_eq!(at(0.1), at(1.0));
    }

    #[test]
    fn an_electron_too_slow_for_every_resonance_collides_with_none() {
        assert_eq!(moments(&water(), Charge::Electron, 1e-6, 1.0), SoftMoments::default());
    }
}
