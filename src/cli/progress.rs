//! Progress on stderr: a bar on a terminal, else plain lines.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::domain::{Progress, Stage, TransportProgress};

/// Steps of the bar per stage.
const STEPS: u64 = 1000;
/// Fraction of a stage between two plain lines.
const LINE_STEP: f64 = 0.25;

/// Shows progress.
pub(super) struct ProgressReport(Display);

enum Display {
    /// Nothing.
    Quiet,
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// A line for each quarter of a stage; holds the last one that was shown.
    Lines(Option<(Stage, f64)>),
}

impl ProgressReport {
    /// A report for stderr, whether it is a terminal or not.
    pub(super) fn new(quiet: bool) -> Self {
        if quiet {
            return Self(Display::Quiet);
        }
        if !std::io::stderr().is_terminal() {
            return Self(Display::Lines(None));
        }
        let style = ProgressStyle::with_template("{prefix:8} [{bar:40}] {percent:>3} % {elapsed} {msg}")
            .expect("the template is fixed and good")
            .progress_chars("=> ");
        Self(Display::Bar(ProgressBar::new(STEPS).with_style(style)))
    }

    /// Shows progress until the computation ends, and returns at once when it does.
    pub(super) fn follow(&mut self, mut progress: watch::Receiver<Progress>) {
        progress.mark_changed();
        while pollster::block_on(progress.changed()).is_ok() {
            let latest = *progress.borrow_and_update();
            self.update(latest);
        }
    }

    /// Shows the latest progress.
    pub(super) fn update(&mut self, progress: Progress) {
        let Progress { stage, fraction, transport } = progress;
        let transport = transport.map(describe).unwrap_or_default();
        match &mut self.0 {
            Display::Quiet => {}
            Display::Bar(bar) => {
                bar.set_prefix(stage.name());
                bar.set_message(transport);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
                bar.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
            }
            Display::Lines(last) => {
                let shown = last.is_some_and(|(s, f)| s == stage && fraction < f + LINE_STEP);
                if !shown && stage != Stage::Queued {
                    tell!(
                        "{} {:.0} %{}{transport}",
                        stage.name(),
                        fraction * 100.0,
                        if transport.is_empty() { "" } else { ", " }
                    );
                    *last = Some((stage, fraction));
                }
            }
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Display::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Histories, their uncertainty and the time left, as far as they are known.
fn describe(TransportProgress { histories, relative_sigma, time_left_s }: TransportProgress) -> String {
    let mut text = format!("{:.3e} histories", histories as f64);
    if let Some(sigma) = relative_sigma {
        text += &format!(", 1σ {:.2} %", 100.0 * sigma);
    }
    if let Some(seconds) = time_left_s {
        text += &format!(", {seconds:.0} s left");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_transport_is_said() {
        let known = TransportProgress { histories: 12_345_678, relative_sigma: Some(0.0123), time_left_s: Some(9.6) };
        assert_eq!(describe(known), "1.235e7 histories, 1σ 1.23 %, 10 s left");
        let new = TransportProgress { histories: 1000, relative_sigma: None, time_left_s: None };
        assert_eq!(describe(new), "1.000e3 histories");
    }
}
