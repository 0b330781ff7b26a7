//! Attenuation of photons, and what follows their absorption in a K shell. Twin: `shaders/shared/absorption.wgsl`.

use super::lookup::{Place, between};
use super::random::Stream;
use crate::prepare::transport::tables::{Attenuation, K_SHELLS, KShellLines};

/// Mass attenuation and energy-absorption coefficients [cm²/g].
#[inline]
pub(crate) fn attenuation(nodes: &[Attenuation], at: Place) -> (f32, f32) {
    let (low, high) = (&nodes[at.node], &nodes[at.node + 1]);
    (between(low.total, high.total, at.fraction), between(low.absorption, high.absorption, at.fraction))
}

/// Energy [MeV] of the photon that follows an absorption in a K shell; 0 for none.
///
/// * `shells` – the K shells of the material
/// * `k_part` – parts of the absorptions that happen in them
pub(crate) fn fluorescence_mev(
    energy_mev: f32,
    shells: &[KShellLines],
    k_part: [f32; K_SHELLS],
    stream: &mut Stream,
) -> f32 {
    if k_part.iter().all(|&part| part <= 0.0) {
        return 0.0;
    }
    let mut choice = stream.next_uniform();
    for (part, shell) in k_part.into_iter().zip(shells) {
        let lit = part * shell.fluorescence_yield;
        if choice < lit {
            return line_mev(energy_mev, shell, choice, lit);
        }
        choice -= lit;
    }
    0.0
}

/// The line of a K shell.
fn line_mev(energy_mev: f32, shell: &KShellLines, choice: f32, lit: f32) -> f32 {
    let line = if choice < lit * shell.k_alpha_fraction { shell.k_alpha_mev } else { shell.k_beta_mev };
    // The photon is above the edge, and so above the line, but for the coarseness of the tables.
    if line < energy_mev { line } else { 0.0 }
}
