//! The device that a flag names: opened, and told with the reason before the work begins.

use crate::domain::{DeviceInfo, DeviceKind, DeviceSelector, DoseError};
use crate::engine::Device;

/// Opens a device.
///
/// # Errors
/// A fault of `device`, with the devices that exist, if the one that was named does not.
pub(super) fn open(selector: DeviceSelector) -> Result<Device, DoseError> {
    Device::open(selector).map_err(by_flag)
}

/// The absence of a device as a fault of its flag.
pub(super) fn by_flag(error: DoseError) -> DoseError {
    let is_absent = matches!(error, DoseError::DeviceUnavailable(_));
    if is_absent { DoseError::invalid("device", error.to_string()) } else { error }
}

/// Opens a device, and says on stderr which and why before the work begins.
///
/// # Errors
/// As [`open`].
pub(super) fn open_aloud(selector: DeviceSelector, quiet: bool) -> Result<Device, DoseError> {
    let device = open(selector)?;
    if !quiet {
        tell!("device {}", chosen(selector, &device.info()));
    }
    Ok(device)
}

/// The device that computes, and why.
pub(super) fn chosen(selector: DeviceSelector, info: &DeviceInfo) -> String {
    let DeviceInfo { id, name, backend, driver, kind } = info;
    format!("{id} ({name}, {backend}, {driver}): {}", why(selector, *kind))
}

/// Why a selector chose a device of this kind.
pub(super) fn why(selector: DeviceSelector, kind: DeviceKind) -> &'static str {
    match (selector, kind) {
        (DeviceSelector::Auto, DeviceKind::Cpu) => "no hardware GPU was found",
        (DeviceSelector::Auto, _) => "the best GPU that was found",
        (DeviceSelector::Cpu | DeviceSelector::Gpu | DeviceSelector::GpuNumber(_), _) => "as requested",
    }
}
