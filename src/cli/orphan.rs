//! Commands that another program starts, and that are not to outlive it.

/// Exit status of a process whose parent is gone.
const EXIT_ORPHAN: i32 = 1;

/// Ends this process when its standard input is closed, however the program that holds it has ended. What comes
/// through it before is dropped.
pub(super) fn end_with_stdin() {
    // On a thread of its own, which nobody waits for: a read cannot be interrupted.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(EXIT_ORPHAN);
    });
}
