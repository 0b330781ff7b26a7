//! Calls of a server, for the commands that can leave their work to one.

use crate::api::client::Client;
use crate::api::status::in_words_of_flags;
use crate::domain::{Checks, DoseError, Violation};

/// Records a `--server` that is no URL.
pub(super) fn check_url(url: &str, checks: &mut Checks) {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        checks.fail("server", format!("is a URL such as http://127.0.0.1:50051, got `{url}`"));
    }
}

/// Calls the server of a URL and waits for its answer.
///
/// # Errors
/// If nobody answers, and those of the call.
pub(super) fn on_server<T>(url: &str, call: impl AsyncFnOnce(Client) -> Result<T, DoseError>) -> Result<T, DoseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DoseError::Io(format!("no asynchronous runtime: {error}")))?;
    runtime.block_on(async { call(Client::connect(url).await?).await })
}

/// Faults that a server found, in the words of the command line.
///
/// * `flag` – the flag of a field
pub(super) fn in_words(error: DoseError, flag: impl Fn(String) -> String) -> DoseError {
    let DoseError::Invalid(faults) = error else { return error };
    let told = |Violation { field, reason }| Violation { field: flag(field), reason: in_words_of_flags(&reason) };
    DoseError::Invalid(faults.into_iter().map(told).collect())
}
