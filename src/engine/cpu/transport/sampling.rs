//! Angles and paths that several interactions share, and the bound of every rejection loop.
//! Twin: `shaders/shared/sampling.wgsl`.

use super::geometry::turned;
use super::random::Stream;

/// Most draws of a rejection loop. The least efficient loop accepts one draw in fifty, so that the bound is reached with a
/// probability below 1e-80.
pub(crate) const MAX_DRAWS: u32 = 10_000;

/// What the first accepted draw gives. At the bound the last draw is taken, and the loop is counted.
///
/// * `draw` – a candidate, and whether it is accepted
#[inline(always)]
pub(crate) fn accepted<T>(stream: &mut Stream, mut draw: impl FnMut(&mut Stream) -> (T, bool)) -> T {
    let mut draws = 1;
    loop {
        let (drawn, is_accepted) = draw(stream);
        if is_accepted {
            return drawn;
        }
        if draws == MAX_DRAWS {
            stream.count_exhausted();
            return drawn;
        }
        draws += 1;
    }
}

/// Cosine and sine of a uniform azimuth, by rejection from a square: trigonometric functions differ between devices.
#[inline]
pub(crate) fn next_azimuth(stream: &mut Stream) -> [f32; 2] {
    let [x, y, square] = accepted(stream, |stream| {
        let word = stream.next_word();
        let x = ((word & 0xFFFF) as f32 + 0.5) * (1.0 / 32_768.0) - 1.0;
        let y = ((word >> 16) as f32 + 0.5) * (1.0 / 32_768.0) - 1.0;
        let square = x * x + y * y;
        ([x, y, square], square <= 1.0 && square > 1e-4)
    });
    // Twice a uniform angle is a uniform angle.
    [(x * x - y * y) / square, 2.0 * x * y / square]
}

/// A uniform direction.
#[inline]
pub(crate) fn isotropic(stream: &mut Stream) -> [f32; 3] {
    let cosine = 2.0 * stream.next_uniform() - 1.0;
    turned([0.0, 0.0, 1.0], cosine, next_azimuth(stream))
}

/// Mean free paths to the next interaction. On the host, the logarithm is never closer to 0 than the bound of the device.
#[inline]
pub(crate) fn next_paths(stream: &mut Stream) -> f32 {
    -stream.next_uniform().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_accepts_nothing_ends_at_its_bound_and_is_counted() {
        let mut stream = Stream::new([1, 2, 3, 4], 5);
        let drawn = accepted(&mut stream, |stream| (stream.next_word(), false));
        assert_eq!((stream.drawn(), stream.exhausted()), (MAX_DRAWS, 1));
        let mut same = Stream::new([1, 2, 3, 4], 5);
        let last = (0..MAX_DRAWS).map(|_| same.next_word()).last();
        assert_eq!(Some(drawn), last);
        // Accepted at the last draw: not counted.
        let mut draws = 0;
        accepted(&mut stream, |_| {
            draws += 1;
            (draws, draws == MAX_DRAWS)
        });
        assert_eq!((draws, stream.exhausted()), (MAX_DRAWS, 1));
    }
}
