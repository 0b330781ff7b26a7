//! Angles and paths that several interactions share, and the bound of every rejection loop.
//! Twin: `shaders/shared/sampling.wgsl`.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};

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

/// Cosine and sine of a uniform azimuth.
#[inline]
pub(crate) fn next_azimuth(stream: &mut Stream) -> [f32; 2] {
    azimuth(stream.next_word())
}

/// Cosine and sine of the azimuth that a word stands for: two bits choose a quarter of the circle, and the others the
/// angle from its middle. By series, to 3e-7: trigonometric functions differ between devices.
#[inline]
pub(crate) fn azimuth(word: u32) -> [f32; 2] {
    let angle = ((word << 2 >> 9) as f32 + 0.5) * (FRAC_PI_2 / 8_388_608.0) - FRAC_PI_4;
    let square = angle * angle;
    let cosine = 1.0
        - square * 0.5 * (1.0 - square * (1.0 / 12.0) * (1.0 - square * (1.0 / 30.0) * (1.0 - square * (1.0 / 56.0))));
    let sine = angle * (1.0 - square * (1.0 / 6.0) * (1.0 - square * 0.05 * (1.0 - square * (1.0 / 42.0))));
    let sign = if word >> 31 == 0 { 1.0 } else { -1.0 };
    let [x, y] = if word & 1 << 30 == 0 { [cosine, sine] } else { [sine, cosine] };
    [sign * x, sign * y]
}

/// A place in a voxel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlaceInVoxel {
    /// From 0 to 1 by axis.
    pub(crate) place: [f32; 3],
    /// Unit vector to the face that it lies under.
    pub(crate) to_face: [f32; 3],
}

/// A uniform place in a voxel, from 0 to 1 by axis, whose nearest face and distance from it follow from one number:
/// systematic in that number, the decays of a voxel are systematic in what decides whether they reach other voxels.
///
/// The voxel is cut into six pyramids from its centre, one for each face. The first number chooses the pyramid, and how
/// far the place is from the centre on the way to the face: the cubic root of a uniform number.
///
/// * `part` – from 0 to 1
/// * `aside` – two uniform numbers, for the other two axes
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 6")]
pub(crate) fn place_in_voxel(part: f32, aside: [f32; 2]) -> PlaceInVoxel {
    let faces = part * 6.0;
    let face = (faces as u32).min(5);
    let reach = 0.5 * cubic_root((faces - face as f32).min(1.0));
    let side = if face.is_multiple_of(2) { -1.0 } else { 1.0 };
    let along = 0.5 + side * reach;
    let [u, v] = aside.map(|uniform| 0.5 + reach * (2.0 * uniform - 1.0));
    let (place, to_face) = match face / 2 {
        0 => ([along, u, v], [side, 0.0, 0.0]),
        1 => ([v, along, u], [0.0, side, 0.0]),
        _ => ([u, v, along], [0.0, 0.0, side]),
    };
    PlaceInVoxel { place, to_face }
}

/// Cubic root of a number from 1e-12 to 1, or of the nearest of these, by two steps of Halley's from a root of its
/// exponent: powers differ between devices.
#[inline]
fn cubic_root(x: f32) -> f32 {
    let x = x.max(1e-12);
    let mut root = f32::from_bits(x.to_bits() / 3 + 0x2A51_37A0);
    for _ in 0..2 {
        let cube = root * root * root;
        root *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    root
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
    use crate::math::watch::Unwatched;
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
            let materials = std::slice::from_ref(material);
            let tables = FlatTables::new(materials, &cuts, StepLimits::default(), false, &Unwatched);
            let tables = tables.expect("nobody stops it");
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
    fn cubic_roots_are_right() {
        for x in [0.0f32, 1e-30, 1e-6, 0.01, 0.125, 0.3, 0.999_999, 1.0] {
            let (found, expected) = (cubic_root(x), x.max(1e-12).cbrt());
            assert!((found - expected).abs() <= 3e-7 * expected, "{x}: {found} {expected}");
        }
    }

    /// Places fill the voxel evenly: in 4³ equal cells, and by axis and pair of axes in mean and spread.
    #[test]
    fn places_are_uniform_in_the_voxel() {
        const PLACES: u32 = 640_000;
        let mut stream = Stream::new([8, 0, 1, 0], 2);
        let (mut cells, mut sums) = ([0u32; 64], [0.0f64; 9]);
        for number in 0..PLACES {
            let part = (number as f32 + stream.next_uniform()) / PLACES as f32;
            let aside = [stream.next_uniform(), stream.next_uniform()];
            let PlaceInVoxel { place, to_face } = place_in_voxel(part, aside);
            let toward: f32 = (0..3).map(|axis| to_face[axis] * (place[axis] - 0.5)).sum();
            assert!(place.iter().all(|x| (x - 0.5).abs() <= toward + 1e-6), "{place:?} {to_face:?}");
            assert!(place.iter().all(|x| (0.0..=1.0).contains(x)), "{place:?}");
            #[expect(clippy::cast_sign_loss, reason = "from 0 to 1")]
            let [x, y, z] = place.map(|x| ((4.0 * x) as usize).min(3));
            cells[16 * z + 4 * y + x] += 1;
            let from_middle = place.map(|x| f64::from(x) - 0.5);
            for axis in 0..3 {
                let (own, next) = (from_middle[axis], from_middle[(axis + 1) % 3]);
                sums[axis] += own;
                sums[3 + axis] += own * own - 1.0 / 12.0;
                sums[6 + axis] += own * next;
            }
        }
        // 1σ of a cell is at most 100, of the means at most 0.00036.
        assert!(cells.iter().all(|&count| count.abs_diff(10_000) < 450), "{cells:?}");
        assert!(sums.iter().all(|sum| sum.abs() / f64::from(PLACES) < 0.0016), "{sums:?}");
        // The ends of a part lie at the middle and on faces.
        assert!(place_in_voxel(0.0, [0.1, 0.9]).place.iter().all(|x| (x - 0.5).abs() < 1e-4));
        assert!(place_in_voxel(1.0, [0.2, 0.7]).place[2] > 0.999_999);
    }

    /// Means of the circle's first four harmonics: all 0.
    #[test]
    fn azimuths_are_uniform_and_on_the_circle() {
        const WORDS: u32 = 1 << 16;
        let mut means = [0.0f64; 8];
        for half in 0..WORDS {
            let [x, y] = azimuth(half << 16 | 0x8000).map(f64::from);
            assert!((x.hypot(y) - 1.0).abs() < 1e-6, "{half}: {x} {y}");
            let angle = y.atan2(x);
            for harmonic in 1..=4u32 {
                let (sine, cosine) = (f64::from(harmonic) * angle).sin_cos();
                means[2 * harmonic as usize - 2] += cosine / f64::from(WORDS);
                means[2 * harmonic as usize - 1] += sine / f64::from(WORDS);
            }
        }
        assert!(means.iter().all(|mean| mean.abs() < 1e-6), "{means:?}");
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
