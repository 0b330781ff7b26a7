//! What several tests share.

pub(crate) mod command;
pub(crate) mod direct;
pub(crate) mod nifti;
pub(crate) mod sources;

use std::path::PathBuf;

use dosegrid::domain::{DeviceKind, DeviceSelector};
use dosegrid::engine::{Device, list_devices};

/// Every engine of this machine: the CPU, and a GPU if there is one (a software adapter will do).
pub(crate) fn engines() -> Vec<Device> {
    let cpu = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
    std::iter::once(cpu).chain(gpu()).collect()
}

/// The first GPU, software adapters included; says so where there is none, and fails if `REQUIRE_GPU=1` asks for one.
pub(crate) fn gpu() -> Option<Device> {
    let infos = list_devices();
    let position = infos.iter().filter(|info| info.kind != DeviceKind::Cpu).position(|_| true);
    match position {
        Some(number) => {
            Some(Device::open(DeviceSelector::GpuNumber(number)).expect("a GPU that is listed can be opened"))
        }
        None => {
            assert!(std::env::var("REQUIRE_GPU").as_deref() != Ok("1"), "REQUIRE_GPU=1, but no GPU adapter was found");
            eprintln!("no GPU adapter: the WGSL engine is not tested (install a Vulkan driver, or Mesa's lavapipe)");
            None
        }
    }
}

/// The reference data that may not be committed: `$DOSEGRID_REFERENCE`, or `../shared/reference`. Says so where absent.
pub(crate) fn reference(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("DOSEGRID_REFERENCE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference")), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        Some(path)
    } else {
        eprintln!("reference data `{name}` is absent: this comparison is not made (set DOSEGRID_REFERENCE)");
        None
    }
}
