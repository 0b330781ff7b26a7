//! Angles and paths that several interactions share, and the bound of every rejection loop.
//! Twin: `shaders/shared/sampling.wgsl`.

use super::elementary::natural_log;
use super::geometry::turned;
use super::random::Stream;

/// Most draws of a rejection loop. The least efficient loop accepts one draw in fifty, so that the bound is reached
/// with a probability below 1e-80.
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

/// Mean free paths to the next interaction. They are above 0, since no random number is 1.
#[inline]
pub(crate) fn next_paths(stream: &mut Stream) -> f32 {
    -natural_log(stream.next_uniform())
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
mod tests {
    use super::*;
    use crate::engine::cpu::transport::collision::{annihilation, bhabha, bremsstrahlung, moller};
    use crate::engine::cpu::transport::scatter::{coherent_cosine, compton, photoelectron_cosine};
    use crate::physics::material;
    use crate::plan::HistoryCuts;
    use crate::prepare::transport::scene::{FormFactors, Spectra};
    use crate::prepare::transport::tables::{FlatTables, StepLimits};

    /// Draws that a call needs on average, for calls that draw `words` at a time.
    fn draws(words: u32, mut call: impl FnMut(&mut Stream)) -> f64 {
        const CALLS: u32 = 300;
        let mut stream = Stream::new([3, 0, 4, 0], 1);
        (0..CALLS).for_each(|_| call(&mut stream));
        assert_eq!(stream.exhausted(), 0);
        f64::from(stream.drawn()) / f64::from(words * CALLS)
    }

    #[test]
    fn every_loop_accepts_at_least_one_draw_in_fifty() {
        let cuts = HistoryCuts { absorption_mev: 1e-3, collision_mev: 1e-3, photon_mev: 1e-3, track_length_mev: 0.0 };
        let mut worst = [0.0f64; 7];
        for name in ["water", "lung", "cortical_bone"] {
            let material = material::find(name).expect("known");
            let tables = FlatTables::new(std::slice::from_ref(material), &cuts, StepLimits::default(), false);
            let spectra = Spectra(&tables.spectra);
            let (incoherent, coherent, transfer) = (&tables.incoherent, &tables.coherent, &tables.transfer);
            let factors = FormFactors { incoherent, coherent, transfer };
            for step in 0..40 {
                let energy = (1.01e-3 * 1e4f64.powf(f64::from(step) / 40.0)) as f32;
                let cut = 1e-3f32.min(0.49 * energy);
                let found = [
                    draws(2, |stream| _ = moller(energy, cut, stream)),
                    draws(2, |stream| _ = bhabha(energy, cut, stream)),
                    draws(2, |stream| _ = bremsstrahlung(energy, cut, spectra, stream)),
                    draws(2, |stream| _ = annihilation(energy, stream)),
                    draws(3, |stream| _ = compton(energy, factors, stream)),
                    draws(2, |stream| _ = coherent_cosine(energy, factors, stream)),
                    draws(2, |stream| _ = photoelectron_cosine(energy, stream)),
                ];
                worst.iter_mut().zip(found).for_each(|(worst, draws)| *worst = worst.max(draws));
            }
        }
        println!("most draws: {worst:.1?}");
        assert!(worst.iter().all(|&draws| draws < 50.0), "{worst:?}");
    }

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
