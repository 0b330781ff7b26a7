//! How large a batch must be.

use crate::domain::DoseError;

/// Most that a batch grows at a time: a rate that is known from a short batch is not trusted further.
const MOST_GROWTH: f64 = 16.0;

/// Makes batches larger until one lasts `seconds`. The first, which pays for compiling, is thrown away.
///
/// * `first` – what the first batches hold, at least 1
/// * `most` – what no batch may exceed
/// * `run` – runs a batch of a size, and gives its time [s]
///
/// # Errors
/// Those of `run`.
pub(super) fn grow(
    first: u64,
    most: u64,
    seconds: f64,
    mut run: impl FnMut(u64) -> Result<f64, DoseError>,
) -> Result<u64, DoseError> {
    run(first)?;
    let mut size = first;
    loop {
        let found = run(size)?;
        if found >= seconds || size >= most {
            return Ok(size);
        }
        // A little more than it takes, so that this is the last time if the rate holds.
        let factor = (1.1 * seconds / found.max(1e-9)).clamp(1.5, MOST_GROWTH);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is bounded")]
        let wanted = (size as f64 * factor).ceil() as u64;
        size = wanted.min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_first_run_says_nothing_of_the_rate() {
        // A device that does 1e6 a second, after compiling for a minute.
        let (mut runs, mut sizes) = (0, Vec::new());
        let found = grow(1000, u64::MAX, 0.5, |size| {
            runs += 1;
            sizes.push(size);
            Ok(size as f64 / 1e6 + if runs == 1 { 60.0 } else { 0.0 })
        });
        let size = found.expect("nothing fails");
        assert!((500_000..1_000_000).contains(&size), "{sizes:?}");
        assert_eq!(sizes[..2], [1000, 1000]);
        assert!(sizes.len() <= 6 && sizes.windows(2).all(|pair| pair[1] <= 16 * pair[0]), "{sizes:?}");
    }

    #[test]
    fn growth_ends_at_the_bound_and_at_a_fault() {
        assert_eq!(grow(1, 100, 1.0, |_| Ok(0.0)), Ok(100));
        assert_eq!(grow(7, 100, 1.0, |_| Ok(2.0)), Ok(7));
        let mut runs = 0;
        let failing = |_| {
            runs += 1;
            if runs == 3 { Err(DoseError::Cancelled) } else { Ok(0.0) }
        };
        assert_eq!(grow(1, 100, 1.0, failing), Err(DoseError::Cancelled));
    }
}
