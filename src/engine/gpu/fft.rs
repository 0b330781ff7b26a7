//! What the transforms of lines need from the host besides their source (`lines.rs`).

/// `exp(−2πi k / length)`, real and imaginary part after one another, computed in f64.
pub(super) fn twiddles(length: usize) -> Vec<f32> {
    let angle = |k: usize| -std::f64::consts::TAU * k as f64 / length as f64;
    #[expect(clippy::cast_possible_truncation, reason = "rounded once, from f64")]
    (0..length).flat_map(|k| [angle(k).cos() as f32, angle(k).sin() as f32]).collect()
}
