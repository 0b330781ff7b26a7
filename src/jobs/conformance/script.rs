//! An executor that does what a test says in place of a computation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::subject::dose;
use crate::domain::{Control, DeviceInfo, DeviceKind, DoseError, DoseRequest, DoseResult};
use crate::jobs::{Executor, Job};

/// What a test does in place of a computation; a dose follows where it goes well.
pub(super) type Script = Box<dyn FnOnce(&Control) -> Result<(), DoseError> + Send>;

/// Runs one script for each job, in order.
pub(super) struct Scripted {
    scripts: mpsc::Receiver<Script>,
    /// Whether the device comes back after it was lost.
    comes_back: Arc<AtomicBool>,
}

/// An executor, and the way to its scripts.
pub(super) fn scripted(comes_back: Arc<AtomicBool>) -> (mpsc::Sender<Script>, Box<Scripted>) {
    let (send, scripts) = mpsc::channel();
    (send, Box::new(Scripted { scripts, comes_back }))
}

impl Executor for Scripted {
    fn device(&self) -> DeviceInfo {
        let text = String::new;
        DeviceInfo { id: "script".into(), kind: DeviceKind::Cpu, name: text(), backend: text(), driver: text() }
    }

    fn execute(&mut self, _job: &Job, _request: &DoseRequest, control: &Control) -> Result<DoseResult, DoseError> {
        let script = self.scripts.recv().expect("a script for each job");
        script(control).map(|()| dose())
    }

    fn reopen(&mut self) -> Result<(), DoseError> {
        if self.comes_back.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(DoseError::DeviceUnavailable("script".into()))
        }
    }
}
