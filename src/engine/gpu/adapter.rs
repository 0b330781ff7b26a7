//! Which GPUs there are, and which one a caller means.

use crate::domain::{DeviceInfo, DeviceKind, DeviceSelector, DoseError};

/// All adapters that can compute, the best kind first. The place of an adapter in this list is its number. OpenGL is
/// used only where there is nothing better, or where the environment (`WGPU_BACKEND`) selects it: it would list the
/// same GPUs a second time.
fn adapters() -> Vec<wgpu::Adapter> {
    let mut adapters = adapters_of(wgpu::Backends::PRIMARY);
    if adapters.is_empty() {
        adapters = adapters_of(wgpu::Backends::SECONDARY);
    }
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    adapters
}

fn adapters_of(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends.with_env();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let computes = wgpu::DownlevelFlags::COMPUTE_SHADERS;
    adapters.retain(|adapter| adapter.get_downlevel_capabilities().flags.contains(computes));
    adapters
}

/// Discrete before integrated, native interfaces before OpenGL, software last.
fn rank(info: &wgpu::AdapterInfo) -> (u8, bool) {
    let by_kind = match kind(info.device_type) {
        DeviceKind::DiscreteGpu => 0,
        DeviceKind::IntegratedGpu => 1,
        DeviceKind::VirtualGpu => 2,
        DeviceKind::OtherGpu => 3,
        DeviceKind::SoftwareGpu | DeviceKind::Cpu => 4,
    };
    (by_kind, info.backend == wgpu::Backend::Gl)
}

fn kind(device_type: wgpu::DeviceType) -> DeviceKind {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu,
        wgpu::DeviceType::Cpu => DeviceKind::SoftwareGpu,
        wgpu::DeviceType::Other => DeviceKind::OtherGpu,
    }
}

fn describe(number: usize, adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    DeviceInfo {
        id: DeviceSelector::GpuNumber(number).to_string(),
        kind: kind(info.device_type),
        name: info.name,
        backend: info.backend.to_string(),
        driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
    }
}

/// All GPUs, software ones included, in the order of their numbers.
pub fn list() -> Vec<DeviceInfo> {
    adapters().iter().enumerate().map(|(number, adapter)| describe(number, adapter)).collect()
}

/// Whether there is a GPU that is not software.
pub fn has_hardware() -> bool {
    first_hardware(&list()).is_some()
}

/// The number of the best GPU that is not software. The list has the best kind first.
fn first_hardware(infos: &[DeviceInfo]) -> Option<usize> {
    infos.iter().position(|info| !matches!(info.kind, DeviceKind::SoftwareGpu | DeviceKind::Cpu))
}

/// The number a selector means, in a list of GPUs.
fn select(selector: DeviceSelector, infos: &[DeviceInfo]) -> Option<usize> {
    match selector {
        DeviceSelector::Auto | DeviceSelector::Gpu => first_hardware(infos),
        DeviceSelector::GpuNumber(number) => (number < infos.len()).then_some(number),
        DeviceSelector::Cpu => None,
    }
}

/// The adapter that `selector` means.
///
/// # Errors
/// [`DoseError::DeviceUnavailable`] with a list of the devices that exist.
pub(super) fn find(selector: DeviceSelector) -> Result<(wgpu::Adapter, DeviceInfo), DoseError> {
    let mut adapters = adapters();
    let mut infos: Vec<_> = adapters.iter().enumerate().map(|(number, adapter)| describe(number, adapter)).collect();
    match select(selector, &infos) {
        Some(number) => Ok((adapters.swap_remove(number), infos.swap_remove(number))),
        None => Err(DoseError::DeviceUnavailable(format!("`{selector}`; {}", choices(selector, &infos)))),
    }
}

/// What a caller can select where a selector means none of these GPUs.
fn choices(selector: DeviceSelector, infos: &[DeviceInfo]) -> String {
    if infos.is_empty() {
        return "this machine has no GPU that a driver offers; there is `cpu`".to_owned();
    }
    let software = |info: &DeviceInfo| if info.kind == DeviceKind::SoftwareGpu { ", software" } else { "" };
    let named = infos.iter().map(|info| format!("`{}` ({}{})", info.id, info.name, software(info)));
    let named = named.collect::<Vec<_>>().join(", ");
    if selector == DeviceSelector::Gpu {
        return format!("this machine has only software GPUs, which are selected by number: {named}; or use `cpu`");
    }
    format!("there are `cpu`, {named}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(number: usize, kind: DeviceKind) -> DeviceInfo {
        let id = DeviceSelector::GpuNumber(number).to_string();
        DeviceInfo { id, kind, name: "x".into(), backend: "vulkan".into(), driver: String::new() }
    }

    #[test]
    fn software_runs_only_when_named() {
        let software = [gpu(0, DeviceKind::SoftwareGpu)];
        assert_eq!(select(DeviceSelector::Gpu, &software), None);
        assert_eq!(select(DeviceSelector::Auto, &software), None);
        assert_eq!(select(DeviceSelector::GpuNumber(0), &software), Some(0));
        assert_eq!(select(DeviceSelector::GpuNumber(1), &software), None);
    }

    #[test]
    fn discrete_comes_before_integrated_and_software_last() {
        use wgpu::{AdapterInfo, Backend, DeviceType};
        let mut adapters = [
            AdapterInfo::new(DeviceType::Cpu, Backend::Vulkan),
            AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Gl),
            AdapterInfo::new(DeviceType::IntegratedGpu, Backend::Metal),
            AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan),
        ];
        adapters.sort_by_key(rank);
        let order = adapters.map(|info| (info.device_type, info.backend));
        assert_eq!(order[0], (DeviceType::DiscreteGpu, Backend::Vulkan));
        assert_eq!(order[1], (DeviceType::DiscreteGpu, Backend::Gl));
        assert_eq!((order[2].0, order[3].0), (DeviceType::IntegratedGpu, DeviceType::Cpu));
    }

    #[test]
    fn software_is_offered_by_its_number() {
        let offered = choices(DeviceSelector::Gpu, &[gpu(0, DeviceKind::SoftwareGpu)]);
        assert!(offered.contains("only software") && offered.contains("`gpu:0` (x, software)"), "{offered}");
        assert!(choices(DeviceSelector::Gpu, &[]).contains("no GPU"));
    }

    #[test]
    fn an_unknown_device_is_named_with_what_there_is() {
        let error = find(DeviceSelector::GpuNumber(999)).expect_err("no machine has a thousand adapters").to_string();
        assert!(error.contains("gpu:999") && error.contains("`cpu`"), "{error}");
    }
}
