//! Progress on stderr: a bar on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::domain::{Progress, Stage};

/// Steps of the bar per stage.
const STEPS: u64 = 1000;
/// Part of a stage between two plain lines.
const LINE_STEP: f64 = 0.25;
/// How often progress is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// Shows progress.
pub(super) struct ProgressReport(Display);

enum Display {
    /// Nothing.
    Quiet,
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// A line for each stage and each quarter of it: the last one shown.
    Lines(Option<(Stage, f64)>),
}

impl ProgressReport {
    /// A report that suits stderr.
    pub(super) fn new(quiet: bool) -> Self {
        if quiet {
            return Self(Display::Quiet);
        }
        if !std::io::stderr().is_terminal() {
            return Self(Display::Lines(None));
        }
        let style = ProgressStyle::with_template("{msg:8} [{bar:40}] {percent:>3} % {elapsed}")
            .expect("the template is fixed and good")
            .progress_chars("=> ");
        Self(Display::Bar(ProgressBar::new(STEPS).with_style(style)))
    }

    /// Shows progress until the computation drops its end.
    pub(super) fn follow(&mut self, mut progress: watch::Receiver<Progress>) {
        loop {
            let latest = *progress.borrow_and_update();
            self.update(latest);
            if progress.has_changed().is_err() {
                return;
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// Shows one state.
    pub(super) fn update(&mut self, progress: Progress) {
        let Progress { stage, fraction } = progress;
        match &mut self.0 {
            Display::Quiet => {}
            Display::Bar(bar) => {
                bar.set_message(stage.name());
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
                bar.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
            }
            Display::Lines(last) => {
                let shown = last.is_some_and(|(s, f)| s == stage && fraction < f + LINE_STEP);
                if !shown && stage != Stage::Queued {
                    eprintln!("{} {:.0} %", stage.name(), fraction * 100.0);
                    *last = Some((stage, fraction));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Display::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
