//! How long a device has worked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time in which at least one thread had work on a device. It rises while they work.
#[derive(Clone, Debug, Default)]
pub(super) struct Worked(Arc<Mutex<Sum>>);

#[derive(Debug, Default)]
struct Sum {
    before: Duration,
    /// How many threads work, and since when one of them has.
    threads: usize,
    since: Option<Instant>,
}

/// A thread at work, until it is dropped.
#[derive(Debug)]
pub(super) struct AtWork(Worked);

impl Worked {
    fn lock(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread begins.
    pub(super) fn begin(&self) -> AtWork {
        let mut sum = self.lock();
        sum.threads += 1;
        sum.since.get_or_insert_with(Instant::now);
        drop(sum);
        AtWork(self.clone())
    }

    /// The time so far.
    pub(super) fn time(&self) -> Duration {
        let sum = self.lock();
        sum.before + sum.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut sum = self.0.lock();
        sum.threads -= 1;
        if sum.threads == 0 {
            let last = sum.since.take().map_or(Duration::ZERO, |since| since.elapsed());
            sum.before += last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn time_rises_while_threads_work_and_two_at_once_count_once() {
        let (worked, pause) = (Worked::default(), Duration::from_millis(20));
        sleep(pause);
        assert_eq!(worked.time(), Duration::ZERO);
        let began = Instant::now();
        let large = worked.begin();
        sleep(pause);
        assert!(worked.time() >= pause, "before its end");
        let small = worked.begin();
        sleep(pause);
        drop(large);
        sleep(pause);
        drop(small);
        let (time, passed) = (worked.time(), began.elapsed());
        assert!(time >= pause * 3 && time <= passed, "{time:?} of {passed:?}");
        sleep(pause);
        assert_eq!(worked.time(), time, "it rests");
    }
}
