//! Biological weighting: how much more than photons and electrons other radiation does for the same absorbed dose.

use serde::{Deserialize, Serialize};

use super::Checks;

/// Largest weight that is taken.
pub const MAX_WEIGHT: f64 = 1000.0;

/// Weight of each type of radiation in a biologically weighted dose, relative to photons and electrons, which have 1.
///
/// Such a dose is not an absorbed dose: it is given in a volume of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiologicalWeighting {
    /// Of alpha particles.
    pub alpha: f64,
    /// Of the nuclei that they are emitted from.
    pub recoil: f64,
}

impl Default for BiologicalWeighting {
    /// A relative biological effectiveness of 5 for cell killing by alpha particles, and as much for recoils, whose ionization is denser still.
    ///
    /// Source: G. Sgouros, J. C. Roeske, M. R. McDevitt et al., MIRD Pamphlet No. 22, J. Nucl. Med. 51 (2010) 311.
    fn default() -> Self {
        Self { alpha: 5.0, recoil: 5.0 }
    }
}

impl BiologicalWeighting {
    /// Records weights that are none.
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
