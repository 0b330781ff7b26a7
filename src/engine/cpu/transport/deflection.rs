//! Multiple scattering and straggling of a condensed step. Twin: `shaders/shared/deflection.wgsl`.

use super::random::Stream;

/// Half of 1 − cos θ of a step's deflection: a uniform part near 0 and a uniform rest, that have the first two moments of the exact
/// angular distribution.
///
/// * `first`, `second` – path over the first and second transport mean free path
///
/// Source of the moments: Goudsmit & Saunderson, Phys. Rev. 57 (1940) 24; of the two uniform parts: Fernández-Varea, Mayol, Baró & Salvat, Nucl. Instrum.
/// Methods B 73 (1993) 447.
#[inline]
pub(crate) fn half_versine(first: f32, second: f32, stream: &mut Stream) -> f32 {
    let (lost_first, lost_second) = (1.0 - (-first).exp(), 1.0 - (-second).exp());
    let mean = 0.5 * lost_first;
    let mean_square = mean - lost_second * (1.0 / 6.0);
    // No distribution on 0 to 1 can have less spread than one uniform part.
    let edge = ((2.0 * mean - 3.0 * mean_square) / (1.0 - 2.0 * mean).max(1e-6)).clamp(0.0, 2.0 * mean);
    let beyond = 2.0 * mean - edge;
    let (choice, place) = (stream.uniform(), stream.uniform());
    if choice < beyond { edge + place * (1.0 - edge) } else { place * edge }
}

/// Energy lost in a step by soft collisions: uniform about its mean where it is large against its spread, else none or uniform from 0.
/// Never negative; mean and variance are exact [MeV].
///
/// Source: as PENELOPE, Salvat, Fernández-Varea & Sempau (2011), section 4.2.3.
#[inline]
pub(crate) fn soft_loss(mean: f32, variance: f32, stream: &mut Stream) -> f32 {
    let choice = stream.uniform();
    let square = mean * mean;
    if 3.0 * variance < square {
        return mean + (2.0 * choice - 1.0) * (3.0 * variance).sqrt();
    }
    let largest = 1.5 * (variance + square) / mean;
    let lossy = 2.0 * mean / largest;
    if choice < lossy { largest * choice / lossy } else { 0.0 }
}
