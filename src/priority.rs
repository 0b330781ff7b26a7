//! Which threads go first where there are more than cores.

/// By how much a thread that computes stands back; the kernel's own scale, on which 19 is the last.
const NICE: i32 = 5;

/// Has this thread, and those that it will begin, stand back behind threads that answer callers. It has all that those
/// leave. For good: a thread is not let forward again.
pub(crate) fn stand_back() {
    // Of this thread alone, as Linux has it. Elsewhere, and where it is refused, all threads are alike.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::nice(NICE);
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) fn of_this_thread() -> i32 {
    rustix::process::nice(0).expect("it is known")
}
