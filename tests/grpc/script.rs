//! A device that does what a test says for the jobs of one owner, and computes all others.

use std::sync::mpsc;

use dosegrid::domain::{Control, DeviceInfo, DoseError, DoseRequest, DoseResult};
use dosegrid::engine::Device;
use dosegrid::jobs::{DeviceExecutor, Executor, Job};
use dosegrid::plan::Limits;

/// Whose jobs follow a script.
pub(super) const OWNER: &str = "script";

/// What a test does on the thread of the device, before the job is computed.
pub(super) type Script = Box<dyn FnOnce(&Control) -> Result<(), DoseError> + Send>;

struct Scripted {
    device: DeviceExecutor,
    scripts: mpsc::Receiver<Script>,
}

/// A device, and the way to its scripts: one for each job of [`OWNER`], in their order.
pub(super) fn scripted(device: Device, limits: Limits) -> (mpsc::Sender<Script>, Box<dyn Executor>) {
    let (send, scripts) = mpsc::channel();
    (send, Box::new(Scripted { device: DeviceExecutor::new(device, limits), scripts }))
}

impl Executor for Scripted {
    fn device(&self) -> DeviceInfo {
        self.device.device()
    }

    fn execute(&mut self, job: &Job, request: &DoseRequest, control: &Control) -> Result<DoseResult, DoseError> {
        if job.owner == OWNER {
            let script = self.scripts.recv().expect("a script for each job");
            script(control)?;
        }
        self.device.execute(job, request, control)
    }

    fn reopen(&mut self) -> Result<(), DoseError> {
        self.device.reopen()
    }
}
