//! Angles that several interactions share. Twin: `shaders/shared/sampling.wgsl`.

use super::geometry::turned;
use super::random::Stream;

/// Cosine and sine of a uniform azimuth, by rejection from a square: trigonometric functions differ between devices.
#[inline]
pub(crate) fn azimuth(stream: &mut Stream) -> [f32; 2] {
    loop {
        let word = stream.word();
        let x = ((word & 0xFFFF) as f32 + 0.5) * (1.0 / 32_768.0) - 1.0;
        let y = ((word >> 16) as f32 + 0.5) * (1.0 / 32_768.0) - 1.0;
        let square = x * x + y * y;
        if square <= 1.0 && square > 1e-4 {
            // Twice a uniform angle is a uniform angle.
            return [(x * x - y * y) / square, 2.0 * x * y / square];
        }
    }
}

/// A uniform direction.
#[inline]
pub(crate) fn isotropic(stream: &mut Stream) -> [f32; 3] {
    let cosine = 2.0 * stream.uniform() - 1.0;
    turned([0.0, 0.0, 1.0], cosine, azimuth(stream))
}
