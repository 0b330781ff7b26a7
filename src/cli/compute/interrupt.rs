//! Interrupts from the keyboard (Ctrl-C).

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::domain::DoseError;

/// Exit status of a program that an interrupt ended, as shells give it.
const EXIT_INTERRUPTED: i32 = 130;

/// What an interrupt of a Monte Carlo run says.
pub(in crate::cli) const WITH_HISTORIES: &str = "interrupted: ending with the histories done so far";

/// A token that the first interrupt cancels. The second one ends the program. Interrupts count from the return of this
/// function on, also where the program was started with interrupts ignored.
///
/// * `words` – what is said then
///
/// # Errors
/// If interrupts cannot be received.
pub(in crate::cli) fn first(words: &'static str) -> Result<CancellationToken, DoseError> {
    let failed = |error: std::io::Error| DoseError::Io(format!("interrupts cannot be received: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut interrupts = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).map_err(failed)?
    };
    let first = CancellationToken::new();
    let token = first.clone();
    let wait = async move {
        if interrupts.recv().await.is_some() {
            tell!("{words}");
            token.cancel();
        }
        if interrupts.recv().await.is_some() {
            std::process::exit(EXIT_INTERRUPTED);
        }
    };
    // It waits as long as the program lives.
    std::thread::Builder::new().name("interrupt".into()).spawn(move || runtime.block_on(wait)).map_err(failed)?;
    Ok(first)
}
