//! Which threads go first where there are more than cores.

use rayon::ThreadPoolBuilder;

/// By how much the threads that compute doses stand back; the kernel's own scale, on which 19 is the last.
const NICE: i32 = 5;

/// Has the threads that compute doses stand back behind those that answer callers. They have all that others leave.
pub(super) fn let_callers_go_first() {
    let stand_back = |_| {
        // Of this thread alone, as Linux has it. Elsewhere, and where it is refused, all threads are alike.
        if cfg!(target_os = "linux") {
            let _ = rustix::process::nice(NICE);
        }
    };
    if let Err(error) = ThreadPoolBuilder::new().start_handler(stand_back).build_global() {
        tracing::debug!(%error, "the threads that compute are there already");
    }
}
