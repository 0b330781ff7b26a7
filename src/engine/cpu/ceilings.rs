//! What the CPU can do at most, as this program is compiled, on all threads.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use crate::domain::{Control, DoseError};
use crate::engine::measures::Ceilings;

/// Values of an array: far more than a cache holds.
const VALUES: usize = 1 << 26;
/// Values that one task works on.
const PIECE: usize = 1 << 16;
/// Runs; the fastest counts.
const REPEATS: usize = 3;
/// Chains of one task that do not wait for each other, and rounds over them.
const CHAINS: usize = 64;
const ROUNDS: usize = 1 << 20;

/// Measures memory and arithmetic. A CPU has no transfers, and its engine no atomics.
///
/// # Errors
/// [`DoseError::Cancelled`].
pub fn measure(control: &Control) -> Result<Ceilings, DoseError> {
    let bytes = (VALUES * size_of::<f32>()) as f64;
    let mut target = vec![0.0_f32; VALUES];
    let write = fastest(control, || target.par_chunks_mut(PIECE).for_each(|piece| piece.fill(black_box(1.0))))?;
    let source = target.clone();
    let copy = fastest(control, || {
        let pieces = target.par_chunks_mut(PIECE).zip(source.par_chunks(PIECE));
        pieces.for_each(|(target, source)| target.copy_from_slice(source));
    })?;
    let read = fastest(control, || {
        black_box(source.par_chunks(PIECE).map(sum).sum::<f32>());
    })?;
    let threads = rayon::current_num_threads();
    let tasks = || (0..threads).into_par_iter();
    let flop = fastest(control, || tasks().for_each(|_| multiply_and_add()))?;
    let integer = fastest(control, || tasks().for_each(|_| add_and_rotate()))?;
    let steps = (threads * CHAINS * ROUNDS) as f64;
    Ok(Ceilings {
        read_bytes_per_s: Some(bytes / read),
        write_bytes_per_s: Some(bytes / write),
        copy_bytes_per_s: Some(2.0 * bytes / copy),
        flop_per_s: Some(2.0 * steps / flop),
        integer_per_s: Some(5.0 * steps / integer),
        ..Ceilings::default()
    })
}

/// Time of the fastest of some runs [s].
fn fastest(control: &Control, mut work: impl FnMut()) -> Result<f64, DoseError> {
    let mut seconds = f64::INFINITY;
    for _ in 0..REPEATS {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        let start = Instant::now();
        work();
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// The sum of values, in chains that do not wait for each other.
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; CHAINS];
    for row in values.chunks_exact(CHAINS) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum()
}

fn multiply_and_add() {
    let (factor, term) = (black_box(0.999_f32), black_box(1e-3_f32));
    let mut values = [1.0_f32; CHAINS];
    for _ in 0..ROUNDS {
        values.iter_mut().for_each(|value| *value = *value * factor + term);
    }
    black_box(values);
}

fn add_and_rotate() {
    let term = black_box(0x9E37_79B9_u32);
    let mut values = [1_u32; CHAINS];
    for _ in 0..ROUNDS {
        values.iter_mut().for_each(|value| {
            let sum = value.wrapping_add(term);
            *value = sum ^ sum.rotate_left(13);
        });
    }
    black_box(values);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn a_sum_takes_every_whole_row() {
        assert!((sum(&[1.0; 3 * CHAINS]) - 192.0).abs() < 1e-3);
    }

    #[test]
    fn it_can_be_stopped() {
        let token = CancellationToken::new();
        token.cancel();
        let stopped = fastest(&Control::new(token).0, || panic!("it was cancelled before"));
        assert_eq!(stopped, Err(DoseError::Cancelled));
    }
}
