//! Figures of the process, as every exporter has them. They come from `/proc`; elsewhere they are absent.

use std::fs;

use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::{Level, Sum};

/// Registers what is known of this process now.
pub(super) fn register(to: &mut Registry) {
    let mut level = |name: &str, help: &str, value: f64| {
        let gauge = Level::default();
        gauge.set(value);
        to.register(name, help, gauge);
    };
    if let Some(descriptors) = open_descriptors() {
        level("open_fds", "Open file descriptors", count(descriptors));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        level("max_fds", "Most open file descriptors", count(most));
    }
    let Some(stat) = Stat::read() else { return };
    level("virtual_memory_bytes", "Virtual memory", stat.virtual_bytes);
    level("resident_memory_bytes", "Resident memory", stat.resident_bytes);
    level("threads", "Threads", stat.threads);
    if let Some(boot) = boot_time_s() {
        level("start_time_seconds", "Start of the process since the epoch", boot + stat.start_s);
    }
    let cpu = Sum::default();
    cpu.inc_by(stat.cpu_s);
    to.register("cpu_seconds", "Time of the CPU, user and system", cpu);
}

/// A count as a figure.
fn count(number: u64) -> f64 {
    number as f64
}

/// How many file descriptors this process has open.
pub(crate) fn open_descriptors() -> Option<u64> {
    // The folder itself is open while it is read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64)
}

struct Stat {
    cpu_s: f64,
    start_s: f64,
    threads: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Stat {
    /// Source: proc_pid_stat(5). Fields are counted from 1; the second may hold spaces, and ends with the last `)`.
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let ticks = count(clock_ticks_per_second());
        Some(Self {
            cpu_s: (field(14)? + field(15)?) / ticks,
            start_s: field(22)? / ticks,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * count(page_size() as u64),
        })
    }
}

/// When the system was started [s since the epoch].
fn boot_time_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
