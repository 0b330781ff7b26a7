//! The memory of this machine, and of the group of processes that this one runs in.

use std::fs;
use std::path::Path;

use crate::domain::{DoseError, Invalid};

/// Part of the memory that is taken where nobody has set a limit.
const SHARE: u64 = 4;
const SHARE_TAKEN: u64 = 3;
const MIB: u64 = 1 << 20;

/// The limit for all requests together [bytes].
///
/// # Errors
/// [`DoseError::Invalid`] if somebody has set more than there is.
///
/// * `wanted` – the limit [MiB]
/// * `is_given` – whether somebody has set it
pub(in crate::cli) fn limit_bytes(wanted_mib: u64, is_given: bool) -> Result<u64, DoseError> {
    let limit = bounded(wanted_mib, is_given, available_bytes());
    limit.map_err(|Invalid(reason)| DoseError::invalid("memory-mib", reason))
}

fn bounded(wanted_mib: u64, is_given: bool, available: Option<u64>) -> Result<u64, Invalid> {
    let wanted = wanted_mib * MIB;
    match available {
        Some(available) if wanted > available && is_given => {
            let most = available / MIB;
            Err(Invalid::new(format!("is {wanted_mib} MiB, and this machine or group of processes has {most} MiB")))
        }
        Some(available) if !is_given => Ok(wanted.min(available / SHARE * SHARE_TAKEN).max(MIB)),
        Some(_) | None => Ok(wanted),
    }
}

/// What this process can have [bytes]: all of the machine, or the limit of its group.
pub(in crate::cli) fn available_bytes() -> Option<u64> {
    let system = rustix::system::sysinfo();
    let machine = system.totalram.saturating_mul(system.mem_unit.into());
    [Some(machine), group_bytes()].into_iter().flatten().min()
}

/// # Errors
/// [`DoseError::TooLarge`] if resampling takes more memory than this process can have.
pub(in crate::cli) fn check_resampling(needed_bytes: u64) -> Result<(), DoseError> {
    match available_bytes() {
        Some(limit_bytes) if needed_bytes > limit_bytes => {
            Err(DoseError::TooLarge { what: "resampling onto this grid", needed_bytes, limit_bytes })
        }
        Some(_) | None => Ok(()),
    }
}

/// The limit of the group of processes, in either version of the interface of Linux.
fn group_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let mut limits = Vec::new();
    // The limit of a group holds for all groups in it.
    for group in Path::new(unified).ancestors() {
        let folder = Path::new("/sys/fs/cgroup").join(group.strip_prefix("/").unwrap_or(group));
        limits.extend(number(&folder.join("memory.max")));
    }
    limits.extend(number(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes")));
    limits.into_iter().min()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused_and_the_default_fits() {
        assert_eq!(bounded(8192, true, Some(16_384 * MIB)), Ok(8192 * MIB));
        assert!(bounded(8192, true, Some(8191 * MIB)).is_err());
        assert_eq!(bounded(8192, false, Some(4096 * MIB)), Ok(3072 * MIB));
        assert_eq!(bounded(8192, false, Some(64_000 * MIB)), Ok(8192 * MIB));
        assert_eq!(bounded(8192, true, None), Ok(8192 * MIB));
        assert!(available_bytes().is_some_and(|bytes| bytes > MIB));
    }
}
