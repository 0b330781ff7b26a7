//! Slow work, on a thread that serves no connection.

use std::sync::LazyLock;
use std::thread::{self, available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::{Control, DoseError};
use crate::priority::stand_back;

/// Threads for what a header asks for, such as the spectra of its nuclide. A dose that is computed has all threads of
/// the common pool, and a caller would wait for its batch there. None: the system has no thread left.
pub(super) static HEADERS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, usize::from);
    ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("header {number}")).build().ok()
});

/// The threads for headers have one piece of work at a time: a thread that waits within a piece, say for a part of a
/// spectrum that all may use later, must not begin another piece that waits for the same spectrum. Who waits for the
/// turn takes no thread.
static TURN: Semaphore = Semaphore::const_new(1);

/// Emissions of a caller's own whose kernels are summed in some tens of milliseconds. No nuclide has more.
const MANY_EMISSIONS: usize = 2000;

/// Runs work on a thread of its own and waits for it. If the caller goes away, the work is finished and its result
/// dropped.
///
/// # Errors
/// Those of the work; [`DoseError::Internal`] if it panicked.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DoseError> + Send + 'static,
) -> Result<T, DoseError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| without_a_result())?
}

fn without_a_result() -> DoseError {
    DoseError::Internal("a part of the request ended without a result".into())
}

/// As [`off_thread`], for work of which there may be much: it stands back behind what answers callers.
///
/// # Errors
/// As [`off_thread`]; [`DoseError::Internal`] if the system has no thread left.
pub(super) async fn standing_back<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DoseError> + Send + 'static,
) -> Result<T, DoseError> {
    apart_from_answers(work).await?
}

/// Runs work on a thread of its own that stands back behind those that answer callers.
///
/// # Errors
/// [`DoseError::Internal`] if it panicked, or the system has no thread left.
pub(super) async fn apart_from_answers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DoseError> {
    let (done, doing) = oneshot::channel();
    let work = move || {
        stand_back();
        // The caller may have gone.
        let _ = done.send(work());
    };
    let no_thread = |error| DoseError::Internal(format!("no thread for a part of the request: {error}"));
    thread::Builder::new().name("work".into()).spawn(work).map_err(no_thread)?;
    doing.await.map_err(|_| without_a_result())
}

/// Work, and what stops it when it is dropped.
pub(super) struct Watched<W> {
    /// The work.
    pub(super) run: W,
    /// Stops it.
    pub(super) stop: DropGuard,
}

/// Work that hears when nobody waits for it any more.
pub(super) fn watched<T>(
    work: impl FnOnce(&Control) -> Result<T, DoseError> + Send + 'static,
) -> Watched<impl FnOnce() -> Result<T, DoseError> + Send + 'static> {
    let cancel = CancellationToken::new();
    let (control, _progress) = Control::new(cancel.clone());
    Watched { run: move || work(&control), stop: cancel.drop_guard() }
}

/// As [`off_thread`], for what a caller waits for before any dose is computed: it never waits for a dose of others. If
/// the caller goes away, the work is told so.
///
/// * `emissions` – of the caller's own; who sends many does not keep others from the threads for headers
///
/// # Errors
/// As [`off_thread`].
pub(super) async fn for_header<T: Send + 'static>(
    emissions: usize,
    work: impl FnOnce(&Control) -> Result<T, DoseError> + Send + 'static,
) -> Result<T, DoseError> {
    let Watched { run, stop: _stop } = watched(work);
    if emissions > MANY_EMISSIONS {
        return off_thread(run).await;
    }
    let turn = TURN.acquire().await.map_err(|_| DoseError::ShuttingDown)?;
    off_thread(move || {
        // Kept to the end of the work, even if the caller goes away.
        let _turn = turn;
        match &*HEADERS {
            Some(pool) => pool.install(run),
            None => run(),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread")]
    async fn work_stands_back_behind_headers() {
        use crate::priority::of_this_thread;

        let own = of_this_thread();
        let header = for_header(0, |_| Ok(of_this_thread())).await;
        let work = standing_back(|| Ok(of_this_thread())).await;
        assert_eq!(header, Ok(own), "a caller waits for it");
        // The last place of all is 19.
        assert!(work.is_ok_and(|nice| nice > own || own == 19), "{own}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_header_does_not_wait_for_a_dose() {
        // Every thread of the common pool is taken until the header has been looked at.
        let (taken, takes) = channel();
        let (release, held) = channel::<()>();
        let held = std::sync::Mutex::new(held);
        let dose = std::thread::spawn(move || {
            rayon::broadcast(|_| {
                taken.send(()).expect("the test listens");
                let _ = held.lock().expect("no panic").recv();
            });
        });
        for _ in 0..rayon::current_num_threads() {
            takes.recv().expect("every thread begins");
        }
        let sum = for_header(0, |_| Ok(rayon::join(|| 3, || 4))).await;
        drop(release);
        dose.join().expect("no panic");
        assert_eq!(sum, Ok((3, 4)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn headers_that_want_the_same_spectrum_do_not_wait_for_each_other_for_ever() {
        static SPECTRUM: OnceLock<u32> = OnceLock::new();
        let part = || std::thread::sleep(Duration::from_millis(20));
        let find = move |_: &Control| {
            Ok(*SPECTRUM.get_or_init(|| {
                rayon::join(|| rayon::join(part, part), || rayon::join(part, part));
                7
            }))
        };
        let all: Vec<_> = (0..8).map(|_| tokio::spawn(for_header(0, find))).collect();
        for header in all {
            let found = tokio::time::timeout(Duration::from_secs(60), header).await.expect("it does not hang");
            assert_eq!(found.expect("no panic"), Ok(7));
        }
    }
}
