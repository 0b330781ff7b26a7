//! Biological weighting: how much more effective than photons and electrons a type of radiation is at the same absorbed
//! dose.

use serde::{Deserialize, Serialize};

use super::Checks;

/// Largest weight that is accepted.
pub const MAX_WEIGHT: f64 = 1000.0;

/// Weight of each type of radiation in a biologically weighted dose, relative to photons and electrons, which have 1.
///
/// A weighted dose is not an absorbed dose: it is returned in its own volume.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiologicalWeighting {
    /// Of alpha particles.
    pub alpha: f64,
    /// Of the recoil nuclei that the alpha particles leave.
    pub recoil: f64,
}

impl Default for BiologicalWeighting {
    /// A relative biological effectiveness of 5 for cell killing by alpha particles, and the same for recoil nuclei,
    /// whose ionization is even denser.
    ///
    /// Source: G. Sgouros, J. C. Roeske, M. R. McDevitt et al., MIRD Pamphlet No. 22, J. Nucl. Med. 51 (2010) 311.
    fn default() -> Self {
        Self { alpha: 5.0, recoil: 5.0 }
    }
}

impl BiologicalWeighting {
    /// Records weights that are out of range.
    ///
    /// * `field` – path of the weights
    pub fn check(&self, field: &str, checks: &mut Checks) {
        for (name, weight) in [("alpha", self.alpha), ("recoil", self.recoil)] {
            if !(0.0..=MAX_WEIGHT).contains(&weight) {
                let reason = format!("must be a weight from 0 to {MAX_WEIGHT}, got {weight}");
                checks.fail(format!("{field}.{name}"), reason);
            }
        }
    }
}
