//! The thread that owns a device.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::queue::{Line, Work};
use crate::domain::DoseError;
use crate::engine::Device;

/// Whether a device can be used again after some work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceState {
    Usable,
    /// It was lost, or its results are not to be trusted.
    Suspect,
}

impl DeviceState {
    pub(super) fn after<T>(outcome: &Result<T, DoseError>) -> Self {
        match outcome {
            Err(DoseError::DeviceLost(_) | DoseError::NotPhysical(_) | DoseError::EnergyBalance { .. }) => {
                Self::Suspect
            }
            Ok(_) | Err(_) => Self::Usable,
        }
    }
}

/// Does the work of a queue on one device until the queue is gone. The same device is opened again when it is no longer usable.
pub(super) fn run(line: &Line, device: Device) {
    let info = device.info();
    let mut device = Some(device);
    while let Some(work) = line.next() {
        device = match device.take().map_or_else(|| Device::open_same(&info), Ok) {
            Ok(device) => perform(work, device),
            Err(error) => {
                tracing::error!(device = info.id, "the device cannot be opened again");
                work(Err(error));
                None
            }
        };
    }
}

/// Does one piece of work. The device, unless it has to be opened again.
fn perform(work: Work, mut device: Device) -> Option<Device> {
    match catch_unwind(AssertUnwindSafe(|| work(Ok(&mut device)))) {
        Ok(DeviceState::Usable) => Some(device),
        Ok(DeviceState::Suspect) => {
            tracing::warn!("the device is opened again: it was lost, or its result was not physical");
            None
        }
        Err(_) => {
            tracing::error!("a computation panicked; the device is opened again");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::Queue;
    use super::*;
    use crate::domain::{DeviceSelector, Stage};

    fn queue(length: usize) -> Queue {
        Queue::start(Device::open(DeviceSelector::Cpu).expect("the CPU is always there"), length).expect("a thread")
    }

    /// Work that holds the device until the sender is dropped, and word that it has begun.
    fn occupy(queue: &Queue) -> (super::super::Running<()>, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let running = queue.submit(move |_, _| {
            begun.send(()).expect("the test listens");
            let _ = held.recv();
            Ok(())
        });
        begins.recv().expect("the work begins");
        (running.expect("an empty queue"), release)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let queue = queue(1);
        let (mut first, release) = occupy(&queue);
        let mut second = queue.submit(|_, _| Ok(2)).expect("one may wait");
        assert!(matches!(queue.submit(|_, _| Ok(3)), Err(DoseError::Busy { what: "the queue", .. })));
        assert!(queue.check_room().is_err());
        drop(release);
        assert_eq!((first.finished().await, second.finished().await), (Ok(()), Ok(2)));
        assert_eq!(queue.submit(|_, _| Ok(4)).expect("room again").finished().await, Ok(4));
    }

    #[tokio::test]
    async fn dropped_work_leaves_the_queue_and_never_runs() {
        let queue = queue(1);
        let (_first, release) = occupy(&queue);
        let memory = std::sync::Arc::new(());
        let held = memory.clone();
        let waiting = queue.submit(move |_, _| -> Result<(), DoseError> { panic!("must not run: {held:?}") });
        drop(waiting.expect("one may wait"));
        assert_eq!(std::sync::Arc::strong_count(&memory), 1, "what the work held is free at once");
        let mut next = queue.submit(|_, _| Ok(())).expect("the place is free again");
        drop(release);
        assert_eq!(next.finished().await, Ok(()));
    }

    #[tokio::test]
    async fn dropping_running_work_cancels_it() {
        let queue = queue(1);
        let (ended, ends) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        let running = queue.submit(move |_, control| -> Result<(), DoseError> {
            begun.send(()).expect("the test listens");
            let error = loop {
                if let Err(error) = control.checkpoint(Stage::Dose, 0.0) {
                    break error;
                }
                std::thread::yield_now();
            };
            ended.send(error.clone()).expect("the test listens");
            Err(error)
        });
        begins.recv().expect("the work begins");
        drop(running);
        let error = ends.recv_timeout(std::time::Duration::from_secs(5)).expect("the work ends");
        assert_eq!(error, DoseError::Cancelled);
    }

    #[tokio::test]
    async fn the_thread_survives_panics_and_lost_devices() {
        let queue = queue(4);
        let mut panics = queue.submit(|_, _| -> Result<(), DoseError> { panic!("on purpose") }).expect("room");
        assert!(matches!(panics.finished().await, Err(DoseError::Internal(_))));
        let lost = || DoseError::DeviceLost("on purpose".into());
        let mut loses = queue.submit(move |_, _| -> Result<(), DoseError> { Err(lost()) }).expect("room");
        assert_eq!(loses.finished().await, Err(lost()));
        let mut works = queue.submit(|device, _| Ok(device.info().id)).expect("room");
        assert_eq!(works.finished().await, Ok("cpu".to_owned()));
    }
}
