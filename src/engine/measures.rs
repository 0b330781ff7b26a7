//! What can be known of a device besides its doses: who made it, what it can do at most, how long it compiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an adapter is and offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Portrait {
    /// The maker's number: of PCI on most systems.
    pub vendor: u32,
    /// The model's number, given by the maker.
    pub device: u32,
    /// Where it is plugged in, `0000:01:00.0`; empty if the driver does not say.
    pub pci_bus_id: String,
    /// The limits that decide how work is divided, by their WebGPU names.
    pub limits: BTreeMap<String, u64>,
    /// The features that the adapter offers, by their WebGPU names.
    pub features: Vec<String>,
    /// Those that this program uses.
    pub features_used: Vec<String>,
}

/// How long one stage took to compile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CompileTime {
    /// The stage.
    pub stage: String,
    /// The first time in this process [s]. A driver that keeps compiled code on disk may be quick even so.
    pub cold_s: f64,
    /// The second time [s].
    pub warm_s: f64,
}

/// Additions to a number of addresses at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AtomicRate {
    /// Words that are added to, in a scattered order.
    pub addresses: u64,
    /// Additions per second.
    pub adds_per_s: f64,
}

/// What a device can do at most: the bounds that its figures are to be compared with. None where it was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ceilings {
    /// Reading device memory [bytes/s].
    pub read_bytes_per_s: Option<f64>,
    /// Writing device memory [bytes/s].
    pub write_bytes_per_s: Option<f64>,
    /// Copying within device memory, bytes read and written [bytes/s].
    pub copy_bytes_per_s: Option<f64>,
    /// Multiplications with an addition in single precision, each counted as two [1/s].
    pub flop_per_s: Option<f64>,
    /// Operations on 32-bit integers: additions, shifts, exclusive ors [1/s].
    pub integer_per_s: Option<f64>,
    /// From the host's memory to the device's [bytes/s].
    pub upload_bytes_per_s: Option<f64>,
    /// From the device's memory to the host's [bytes/s].
    pub readback_bytes_per_s: Option<f64>,
    /// Handing over nothing, and waiting until it is done [s].
    pub empty_submit_s: Option<f64>,
    /// One more dispatch of one workgroup that does nothing [s].
    pub empty_dispatch_s: Option<f64>,
    /// Atomic additions, by how many addresses share them.
    pub atomics: Vec<AtomicRate>,
}

/// A body of the transport on a GPU next to its twin on the CPU: the same inputs and random words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TwinFigure {
    /// Name of the test, which calls one body or several.
    pub test: String,
    /// Inputs.
    pub cases: usize,
    /// Those that drew another number of random words, since a value lies within rounding of the edge of a rejection.
    pub straying: usize,
    /// Largest difference of a value in the others, as a part of the CPU's, or of 0.001 if that is more.
    pub worst: f32,
    /// Those of the others that differ by more than rounding explains.
    pub differing: usize,
    /// Whether none differs, and few enough stray.
    pub agrees: bool,
}

/// What the transport did on a device since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportWork {
    /// Most steps that the lanes were given.
    pub planned_steps: u64,
    /// Cycles of a plan, emission, steps of charged particles and steps of photons.
    pub cycles: u64,
    /// Workgroups of these stages but the plan.
    pub workgroups: u64,
    /// Particles that moved in the cycles that were looked at (the last of each batch), and lanes of the workgroups
    /// that these took.
    pub moving: u64,
    /// See [`TransportWork::moving`].
    pub lanes: u64,
}
