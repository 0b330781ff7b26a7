//! The studies of a cohort, some at a time, with progress.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::manifest::Line;
use super::one::{self, Task};
use super::{Cohort, folder_of};
use crate::cli::compute::interrupt;
use crate::cli::stdout;
use crate::domain::{Checks, DoseError, words};

/// Does what is not done, and notes how it ended. Whether it was interrupted.
///
/// # Errors
/// If a study cannot be begun, or its end not be noted.
pub(super) fn studies(cohort: &Cohort, tasks: &[(&Line, Task)], ledger: &Ledger) -> Result<bool, DoseError> {
    let is_done = |task: &Task| {
        let last = ledger.last(&task.study).filter(|entry| entry.reason.is_none() && entry.key == task.key);
        last.is_some() && folder_of(&cohort.args.output, &task.study).join("study.json").exists()
    };
    let left: Vec<&(&Line, Task)> = tasks.iter().filter(|(_, task)| !is_done(task)).collect();
    let progress = Progress::new(cohort, left.len());
    each(cohort, &left, |(line, task), stop| {
        let Some(entry) = one::run(cohort, line, task, stop)? else { return Ok(()) };
        progress.ended(line, &entry.study, entry.seconds, entry.reason.as_deref());
        ledger.note(entry)
    })
}

/// Asks every study what it would do, and does nothing.
///
/// # Errors
/// [`DoseError::Invalid`] with every line that would fail.
pub(super) fn plans(cohort: &Cohort) -> Result<(), DoseError> {
    let lines: Vec<&Line> = cohort.lines.iter().collect();
    let faults = Mutex::new(Vec::new());
    let interrupted = each(cohort, &lines, |line, stop| {
        if let Some(Err(reason)) = one::plan(cohort, line, stop)? {
            faults.lock().unwrap_or_else(PoisonError::into_inner).push((line.number, reason));
        }
        Ok(())
    })?;
    let mut faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
    faults.sort();
    let mut checks = Checks::new();
    faults.into_iter().for_each(|(line, reason)| checks.fail(format!("line {line}"), reason));
    checks.finish()?;
    if interrupted {
        return Err(DoseError::Cancelled);
    }
    stdout::print(&format!("{} can be computed\n", words::of(cohort.lines.len(), "study", "studies")))
}

/// Does something for each of a list, so many at a time. Whether an interrupt has ended it. The first error ends it
/// too.
fn each<T: Sync>(
    cohort: &Cohort,
    list: &[T],
    work: impl Fn(&T, &CancellationToken) -> Result<(), DoseError> + Sync,
) -> Result<bool, DoseError> {
    let stop = interrupt::first("interrupted: what is done is kept, and the same command goes on with the rest")?;
    let halt = stop.child_token();
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..cohort.jobs.min(list.len()) {
            scope.spawn(|| {
                while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !halt.is_cancelled()) {
                    if let Err(error) = work(one, &halt) {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        halt.cancel();
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(stop.is_cancelled()),
    }
}

/// A line on stderr for each study that ended.
struct Progress<'a> {
    cohort: &'a Cohort<'a>,
    left: usize,
    began: Instant,
    /// Studies that ended, and those of them that failed.
    counts: Mutex<[usize; 2]>,
}

impl<'a> Progress<'a> {
    fn new(cohort: &'a Cohort<'a>, left: usize) -> Self {
        if !cohort.args.quiet {
            let done = cohort.lines.len() - left;
            tell!("cohort: {}, {done} done before", words::of(cohort.lines.len(), "study", "studies"));
        }
        Self { cohort, left, began: Instant::now(), counts: Mutex::default() }
    }

    fn ended(&self, line: &Line, study: &str, seconds: f64, reason: Option<&str>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts[0] += 1;
        counts[1] += usize::from(reason.is_some());
        if self.cohort.args.quiet {
            return;
        }
        let [ended, failed] = *counts;
        let each = self.began.elapsed() / u32::try_from(ended).unwrap_or(u32::MAX);
        let rest = each * u32::try_from(self.left - ended).unwrap_or(u32::MAX);
        let became = reason.map_or_else(|| "done".to_owned(), |reason| format!("failed: {reason}"));
        tell!(
            "{ended} of {} ({failed} failed, {} left): line {}, {study}, {seconds:.1} s, {became}",
            self.left,
            about(rest),
            line.number
        );
    }
}

/// A time for people.
fn about(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match (time.as_secs(), minutes / 60) {
        (seconds @ 0..100, _) => format!("{seconds} s"),
        (_, 0) => format!("{minutes} min"),
        (_, hours) => format!("{hours} h {} min", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [3, 99, 100, 3599, 3601, 90_000].map(|seconds| about(Duration::from_secs(seconds)));
        assert_eq!(said, ["3 s", "99 s", "2 min", "1 h 0 min", "1 h 1 min", "25 h 0 min"]);
    }
}
