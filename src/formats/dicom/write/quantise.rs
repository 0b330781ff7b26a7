//! A dose as whole numbers and what one of them is worth.

use super::decimal::decimal_at_least;
use crate::domain::{Invalid, Volume, words};

/// A dose in whole quanta.
pub(super) struct Quantised {
    /// The worth of one quantum as a decimal string [Gy].
    pub(super) scale: String,
    /// Quanta of each voxel, as 32-bit little-endian words, x fastest.
    pub(super) words: Vec<u8>,
}

/// The scale is resolved as a decimal string first, rounded up, so that the peak is at most the largest word; then each
/// dose is divided by what that string says, in double precision. No voxel is off by more than half a quantum.
///
/// * `dose` – [Gy]
///
/// # Errors
/// If a dose is NaN, infinite or below 0: how many, and the first one's place.
pub(super) fn quantised(dose: &Volume<f32>) -> Result<Quantised, Invalid> {
    check(dose)?;
    let peak_gy = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
    let (scale, quantum_gy) =
        if peak_gy > 0.0 { decimal_at_least(peak_gy / f64::from(u32::MAX)) } else { ("1".to_owned(), 1.0) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at the largest word")]
    let word = |gy: f32| (f64::from(gy) / quantum_gy).round() as u32;
    let words = dose.as_slice().iter().flat_map(|&gy| word(gy).to_le_bytes()).collect();
    Ok(Quantised { scale, words })
}

fn check(dose: &Volume<f32>) -> Result<(), Invalid> {
    for (what, is_bad) in [
        ("not a number", (|gy| gy.is_nan()) as fn(f32) -> bool),
        ("infinite", f32::is_infinite),
        ("below 0", |gy| gy < 0.0),
    ] {
        let mut bad = dose.as_slice().iter().enumerate().filter(|(_, gy)| is_bad(**gy)).map(|(index, _)| index);
        if let Some(first) = bad.next() {
            let [nx, ny, _] = dose.grid().shape();
            let at = [first % nx, first / nx % ny, first / (nx * ny)];
            let count = 1 + bad.count();
            return Err(Invalid::new(format!(
                "a dose in DICOM is a number from 0 on: {} {} {what}, the first at {at:?}; mend the map first",
                words::voxels(count),
                words::are(count)
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn dose(values: Vec<f32>) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values).expect("a value a voxel")
    }

    #[test]
    fn every_voxel_is_within_half_a_quantum() {
        for peak in [43.343_1_f32, 1.0, 1e-30, 3e38, 1e-45, 0.1] {
            #[expect(clippy::cast_possible_truncation, reason = "a part of a number in single precision")]
            let part = |i: u16| (f64::from(peak) * f64::from(i) / 1000.0) as f32;
            let values: Vec<f32> = (0..=1000).map(part).collect();
            let Quantised { scale, words } = quantised(&dose(values.clone())).expect("a good dose");
            let quantum: f64 = scale.parse().expect("a number");
            let (words, []) = words.as_chunks::<4>() else { panic!("whole words") };
            for (value, word) in values.iter().zip(words) {
                let gy = f64::from(u32::from_le_bytes(*word)) * quantum;
                assert!((gy - f64::from(*value)).abs() <= 0.5 * quantum * (1.0 + 1e-6), "{value}: {gy}");
            }
            let most = u32::from_le_bytes(words[1000]);
            assert!(most > u32::MAX - 1000, "peak {peak} is {most}");
        }
    }

    #[test]
    fn a_zero_dose_is_a_dose_and_what_is_no_number_is_none() {
        let zero = quantised(&dose(vec![0.0, -0.0])).expect("a dose");
        assert_eq!((zero.scale.as_str(), zero.words), ("1", vec![0; 8]));
        for (bad, word) in [(f32::NAN, "not a number"), (f32::INFINITY, "infinite"), (-1e-9, "below 0")] {
            let Err(Invalid(reason)) = quantised(&dose(vec![1.0, bad, bad])) else { panic!("{bad} is taken") };
            assert!(reason.contains(word) && reason.contains("2 voxels") && reason.contains("[1, 0, 0]"), "{reason}");
        }
    }
}
