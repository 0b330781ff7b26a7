//! Numbers as decimal strings (VR `DS`), which have at most 16 characters.

/// Most characters of a decimal string.
const MAX_LENGTH: usize = 16;
/// Digits behind the first that no `f64` has more of.
const MAX_DIGITS: usize = 16;

/// The decimal string nearest to a number.
///
/// * `value` – finite
pub(super) fn decimal(value: f64) -> String {
    // Never -0.
    let value = value + 0.0;
    let distance = |text: &String| (text.parse::<f64>().expect("a number") - value).abs();
    let fixed = (0..=MAX_DIGITS).map(|digits| format!("{value:.digits$}"));
    let floating = (0..=MAX_DIGITS).map(|digits| format!("{value:.digits$E}"));
    let fitting = [format!("{value}")].into_iter().chain(fixed).chain(floating).filter(|text| text.len() <= MAX_LENGTH);
    fitting.min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("one digit and an exponent fit")
}

/// The smallest decimal string that is not below a number, and what it says.
///
/// * `value` – finite, above 0
pub(super) fn decimal_at_least(value: f64) -> (String, f64) {
    let shortest = format!("{value:E}");
    if shortest.len() <= MAX_LENGTH {
        return (shortest, value);
    }
    let fitting = (0..=MAX_DIGITS).rev().find_map(|digits| rounded_up(value, digits));
    fitting.expect("one digit and an exponent fit")
}

/// * `digits` – behind the point
fn rounded_up(value: f64, digits: usize) -> Option<(String, f64)> {
    let nearest = format!("{value:.digits$E}");
    let text = if nearest.parse::<f64>().expect("a number") >= value { nearest } else { next(&nearest, digits) };
    let says = text.parse::<f64>().expect("a number");
    (text.len() <= MAX_LENGTH && says >= value).then_some((text, says))
}

/// The next number with so many digits behind the point.
fn next(text: &str, digits: usize) -> String {
    let (mantissa, exponent) = text.split_once('E').expect("a mantissa and an exponent");
    let mantissa: u64 = mantissa.replace('.', "").parse().expect("digits");
    let (mut mantissa, mut exponent) = (mantissa + 1, exponent.parse::<i32>().expect("an exponent"));
    if mantissa == 10u64.pow(u32::try_from(digits + 1).expect("at most 17 digits")) {
        (mantissa, exponent) = (mantissa / 10, exponent + 1);
    }
    let all = mantissa.to_string();
    let (first, rest) = all.split_at(1);
    if rest.is_empty() { format!("{first}E{exponent}") } else { format!("{first}.{rest}E{exponent}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_and_are_near() {
        for (value, text) in [(0.0, "0"), (-0.0, "0"), (2.5, "2.5"), (-310.0, "-310"), (1e-20, "1E-20")] {
            assert_eq!(decimal(value), text);
        }
        for value in [1.0 / 3.0, -2.0 / 3.0, 1e-5 / 3.0, -1_234.567_890_123_4, 6.02e23 / 7.0, -1e-300 / 7.0, 1e5 / 3.0]
        {
            let text = decimal(value);
            let says: f64 = text.parse().expect("a number");
            assert!(text.len() <= MAX_LENGTH && (says / value - 1.0).abs() < 1e-8, "{value}: {text}");
        }
    }

    #[test]
    fn a_scale_is_never_below_what_was_asked_for() {
        // 43.3431… Gy is the peak of a case in which rounding to 6 to 10 digits makes the scale too small.
        let peaks = [43.343_101_501_464_844, 1.0 / 3.0, 9.999_999_999_9, 1e-40, 1e38, f64::from(f32::MAX), 1e-45, 25.0];
        for value in peaks.map(|peak| peak / f64::from(u32::MAX)).into_iter().chain(peaks) {
            let (text, says) = decimal_at_least(value);
            assert_eq!(text.parse(), Ok(says));
            assert!(text.len() <= MAX_LENGTH && says >= value && says / value < 1.0 + 1e-7, "{value}: {text}");
        }
        assert_eq!(decimal_at_least(0.25).0, "2.5E-1");
        assert_eq!(next("9.99E-5", 2), "1.00E-4");
        assert_eq!(next("9E-5", 0), "1E-4");
    }
}
