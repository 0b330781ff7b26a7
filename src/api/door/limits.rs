//! File descriptors: how many connections they suffice for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for everything but connections: store, devices, logs, metrics.
const KEPT: u64 = 256;
/// The least number of connections, where the system grants few descriptors.
const LEAST: u64 = 8;

/// How many connections there may be so that descriptors are left for everything else. The limit of this process is
/// raised as far as is needed and the system allows.
pub(in crate::api) fn connections_within(wanted: usize) -> usize {
    let wanted = wanted as u64;
    let limit = getrlimit(Resource::Nofile);
    let needed = wanted.saturating_add(KEPT);
    let Some(now) = limit.current.filter(|now| *now < needed) else { return to_usize(wanted) };
    let reachable = limit.maximum.map_or(needed, |most| most.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), ..limit }).is_ok();
    let have = if raised { reachable } else { now };
    // Where there are few, half of them are kept.
    let room = have.saturating_sub(KEPT).max(have / 2).max(LEAST).min(wanted);
    if room < wanted {
        tracing::warn!(
            wanted,
            room,
            descriptors = have,
            "fewer connections than asked for: raise the limit of open files"
        );
    }
    to_usize(room)
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
