//! The stages of a study, and how long each took.

use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;

/// A stage that has ended.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stage {
    name: &'static str,
    seconds: f64,
}

/// Says each stage as it begins, and measures it.
pub(super) struct Stages {
    ended: Vec<Stage>,
    running: Option<(&'static str, Instant)>,
    is_quiet: bool,
}

impl Stages {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { ended: Vec::new(), running: None, is_quiet }
    }

    /// Ends the stage that runs, and begins another.
    pub(super) fn begin(&mut self, name: &'static str) {
        self.end();
        if !self.is_quiet {
            tell!("study: {name}");
        }
        self.running = Some((name, Instant::now()));
    }

    /// Ends the stage that runs.
    pub(super) fn end(&mut self) {
        let ended = self.running.take().map(|(name, start)| Stage { name, seconds: start.elapsed().as_secs_f64() });
        self.ended.extend(ended);
    }

    /// Those that have ended.
    pub(super) fn ended(&self) -> &[Stage] {
        &self.ended
    }

    /// A line for a reader.
    pub(super) fn line(&self) -> String {
        let mut text = String::from("stages     ");
        for (at, Stage { name, seconds }) in self.ended.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(text, "{comma}{name} {seconds:.2} s").expect("a string takes all text");
        }
        text + "\n"
    }
}
