//! The uncertainty of a dose that came in several cycles.

use std::collections::BTreeMap;

use super::{Budget, VOLUME};

/// σ of the sum of the doses of cycles [Gy]: fit and Monte Carlo add in squares; calibration, recovery, dose factor,
/// density, and the volume of one outline, add linearly.
///
/// * `cycles` – dose [Gy] and budget of each
/// * `one_outline` – whether the region has one outline for all cycles
pub fn sum_of_cycles_sigma_gy(cycles: &[(f64, Budget)], one_outline: bool) -> f64 {
    let mut square = 0.0;
    let names = cycles.iter().flat_map(|(_, budget)| &budget.parts).map(|part| (part.name, part.systematic));
    let names: BTreeMap<&str, bool> = names.collect();
    for (name, systematic) in names {
        let sigmas = cycles.iter().map(|(dose_gy, budget)| dose_gy * signed(budget, name));
        if systematic && (one_outline || name != VOLUME) {
            square += sigmas.sum::<f64>().powi(2);
        } else {
            square += sigmas.map(|sigma| sigma * sigma).sum::<f64>();
        }
    }
    square.sqrt()
}

/// A part with its sign: a volume that is too large makes all doses of a cycle too low, or too high.
fn signed(budget: &Budget, name: &str) -> f64 {
    match &budget.volume {
        Some(volume) if name == VOLUME => volume.bracket,
        _ => budget.part(name).unwrap_or(0.0),
    }
}
