//! Keeps stderr free of what a driver says for itself.

/// Starts this program anew, in the same process, with a good `XDG_RUNTIME_DIR` if it has none.
///
/// While a Vulkan driver of Mesa lists its adapters, it looks for a display through libwayland, which says
/// `error: XDG_RUNTIME_DIR is invalid or not set in the environment.` unless the variable is an absolute path. The
/// program opens no display, so the path need not exist. A running program cannot safely change its own environment,
/// but a program that it becomes can have another. Where that fails, the words are said and nothing else changes.
#[cfg(unix)]
pub(super) fn silence() {
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    const VARIABLE: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(VARIABLE).is_some_and(|folder| Path::new(&folder).is_absolute()) {
        return;
    }
    let mut words = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), words.next()) {
        let error = Command::new(program).arg0(name).args(words).env(VARIABLE, "/nonexistent").exec();
        tracing::debug!(%error, "drivers may say something of their own");
    }
}

/// Other systems have no such drivers.
#[cfg(not(unix))]
pub(super) fn silence() {}
