//! The rounds of a trial of losses: how many, for how long, how far it is, and what it found.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A number that a variable of the environment asks for, or the usual one.
pub(crate) fn times(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Prints a row of the tables of docs/reliability.md.
pub(crate) fn row(trial: &str, count: impl Display, found: &str) {
    println!("| {trial} | {count} | {found} |");
}

/// Rounds of a trial. All are begun, unless `RELIABILITY_MINUTES` are over before.
pub(crate) struct Rounds {
    trial: &'static str,
    all: usize,
    begun: AtomicUsize,
    since: Instant,
    longest: Option<Duration>,
}

impl Rounds {
    /// As many as a variable of the environment asks for, or the usual number.
    pub(crate) fn of(trial: &'static str, variable: &str, usual: usize) -> Self {
        let longest = match times("RELIABILITY_MINUTES", 0) {
            0 => None,
            minutes => Some(Duration::from_secs(60 * minutes as u64)),
        };
        Self { trial, all: times(variable, usual), begun: AtomicUsize::new(0), since: Instant::now(), longest }
    }

    /// Whether more are asked for than the usual number.
    pub(crate) fn are_more_than(&self, usual: usize) -> bool {
        self.all > usual
    }

    /// Begins the next round: its number. None if all have begun, or there is no time for more.
    pub(crate) fn next(&self) -> Option<usize> {
        if self.longest.is_some_and(|longest| self.since.elapsed() > longest) {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel);
        if number > 0 && number < self.all && number.is_multiple_of((self.all / 20).max(5)) {
            println!("{}: {number} of {} after {:.0} s", self.trial, self.all, self.since.elapsed().as_secs_f64());
        }
        (number < self.all).then_some(number)
    }

    /// How many there are.
    pub(crate) fn all(&self) -> usize {
        self.all
    }

    /// How many have begun.
    pub(crate) fn count(&self) -> usize {
        self.begun.load(Ordering::Acquire).min(self.all)
    }

    /// Prints the row of this trial.
    pub(crate) fn tell(&self, found: &str) {
        let each = self.since.elapsed().as_secs_f64() / self.count().max(1) as f64;
        row(self.trial, self.count(), &format!("{found}; {each:.2} s each"));
    }
}
