//! Which threads go first where there are more than cores.

use rayon::ThreadPoolBuilder;

use crate::priority::stand_back;

/// Has the threads that compute doses stand back behind those that answer callers.
pub(super) fn let_callers_go_first() {
    if let Err(error) = ThreadPoolBuilder::new().start_handler(|_| stand_back()).build_global() {
        tracing::debug!(%error, "the threads that compute are there already");
    }
}
