//! A device that does what a test says for the jobs of one owner, and computes all others.

use std::sync::{Arc, Mutex, mpsc};

use dosegrid::domain::{Control, DeviceInfo, DoseError, DoseRequest, DoseResult};
use dosegrid::engine::Device;
use dosegrid::jobs::{DeviceExecutor, Executor, Job};
use dosegrid::plan::Limits;

/// Whose jobs follow a script.
pub(super) const OWNER: &str = "script";

/// What a test does on the thread of the device, before the job is computed.
pub(super) type Script = Box<dyn FnOnce(&Control) -> Result<(), DoseError> + Send>;

/// How jobs ended on the device, in their order.
pub(super) type Ends = Arc<Mutex<Vec<Result<(), DoseError>>>>;

struct Scripted {
    device: DeviceExecutor,
    scripts: mpsc::Receiver<Script>,
    ends: Ends,
}

/// A device, the way to its scripts, one for each job of [`OWNER`] in their order, and how jobs ended.
pub(super) fn scripted(device: Device, limits: Limits) -> (mpsc::Sender<Script>, Ends, Box<dyn Executor>) {
    let ((send, scripts), ends) = (mpsc::channel(), Ends::default());
    let executor = Scripted { device: DeviceExecutor::new(device, limits), scripts, ends: ends.clone() };
    (send, ends, Box::new(executor))
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
        let result = self.device.execute(job, request, control);
        let end = result.as_ref().map(drop).map_err(Clone::clone);
        self.ends.lock().expect("no test panics with the lock").push(end);
        result
    }

    fn reopen(&mut self) -> Result<(), DoseError> {
        self.device.reopen()
    }
}
