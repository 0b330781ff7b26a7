//! A device.

use super::pb;
use crate::domain::{DeviceInfo, DeviceKind};

pub(in crate::api) fn encode(device: DeviceInfo) -> pb::Device {
    let kind = match device.kind {
        DeviceKind::Cpu => pb::DeviceKind::Cpu,
        DeviceKind::DiscreteGpu => pb::DeviceKind::DiscreteGpu,
        DeviceKind::IntegratedGpu => pb::DeviceKind::IntegratedGpu,
        DeviceKind::VirtualGpu => pb::DeviceKind::VirtualGpu,
        DeviceKind::SoftwareGpu => pb::DeviceKind::SoftwareGpu,
        DeviceKind::OtherGpu => pb::DeviceKind::OtherGpu,
    };
    let DeviceInfo { id, kind: _, name, backend, driver } = device;
    pb::Device { id, kind: kind.into(), name, backend, driver }
}

pub(in crate::api) fn decode(device: pb::Device) -> DeviceInfo {
    let kind = match device.kind() {
        pb::DeviceKind::Cpu => DeviceKind::Cpu,
        pb::DeviceKind::DiscreteGpu => DeviceKind::DiscreteGpu,
        pb::DeviceKind::IntegratedGpu => DeviceKind::IntegratedGpu,
        pb::DeviceKind::VirtualGpu => DeviceKind::VirtualGpu,
        pb::DeviceKind::SoftwareGpu => DeviceKind::SoftwareGpu,
        pb::DeviceKind::OtherGpu | pb::DeviceKind::Unspecified => DeviceKind::OtherGpu,
    };
    let pb::Device { id, kind: _, name, backend, driver } = device;
    DeviceInfo { id, kind, name, backend, driver }
}
