//! Which GPUs there are, and which one a caller means.

use super::{missing, needs};
use crate::domain::{DeviceInfo, DeviceKind, DeviceSelector, DoseError};
use crate::engine::DeviceIdentity;

/// All adapters on which the stages run, the best kind first. The place of an adapter in this list is its number.
/// OpenGL is used only where there is nothing better, or where the environment (`WGPU_BACKEND`) selects it: it would
/// list the same GPUs a second time.
fn adapters() -> Vec<wgpu::Adapter> {
    adapters_and_others().0
}

/// Those of [`adapters`], and those that compute but have too little: each with what it lacks.
fn adapters_and_others() -> (Vec<wgpu::Adapter>, Vec<String>) {
    let (mut adapters, mut others) = (Vec::new(), Vec::new());
    for backends in [wgpu::Backends::PRIMARY, wgpu::Backends::SECONDARY] {
        for adapter in adapters_of(backends) {
            match needs::lacking(&adapter.limits()) {
                None => adapters.push(adapter),
                Some(lacks) => others.push(format!("`{}` cannot be used: {lacks}", adapter.get_info().name)),
            }
        }
        if !adapters.is_empty() {
            break;
        }
    }
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    (adapters, others)
}

/// The device is given the workgroups of transport as its plan leaves them, without a stage of wgpu before each
/// dispatch that looks at them and copies them: they are within what every device takes (`MOST_WORKGROUPS` in
/// `shaders/shared/counters.wgsl`), and no stage that is dispatched so asks how many there are. The environment
/// (`WGPU_VALIDATION_INDIRECT_CALL=1`) has them looked at.
fn adapters_of(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends.with_env();
    descriptor.flags = (descriptor.flags & !wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL).with_env();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let computes = wgpu::DownlevelFlags::COMPUTE_SHADERS | wgpu::DownlevelFlags::INDIRECT_EXECUTION;
    adapters.retain(|adapter| adapter.get_downlevel_capabilities().flags.contains(computes));
    adapters
}

/// Discrete before integrated, software last. Of the interfaces to one GPU Vulkan and Metal come first, then DirectX
/// 12, whose compilers take longer. OpenGL is last.
fn rank(info: &wgpu::AdapterInfo) -> (u8, u8) {
    let by_kind = match kind(info.device_type) {
        DeviceKind::DiscreteGpu => 0,
        DeviceKind::IntegratedGpu => 1,
        DeviceKind::VirtualGpu => 2,
        DeviceKind::OtherGpu => 3,
        DeviceKind::SoftwareGpu | DeviceKind::Cpu => 4,
    };
    let by_interface = match info.backend {
        wgpu::Backend::Vulkan | wgpu::Backend::Metal | wgpu::Backend::BrowserWebGpu => 0,
        wgpu::Backend::Dx12 => 1,
        wgpu::Backend::Gl | wgpu::Backend::Noop => 2,
    };
    (by_kind, by_interface)
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
pub(super) fn find(selector: DeviceSelector) -> Result<(wgpu::Adapter, DeviceIdentity), DoseError> {
    let (mut adapters, others) = adapters_and_others();
    let mut infos: Vec<_> = adapters.iter().enumerate().map(|(number, adapter)| describe(number, adapter)).collect();
    match select(selector, &infos) {
        Some(number) => {
            let adapter = adapters.swap_remove(number);
            let pci_bus_id = adapter.get_info().device_pci_bus_id;
            Ok((adapter, DeviceIdentity { info: infos.swap_remove(number), pci_bus_id }))
        }
        None => {
            let advice: Vec<_> = others.into_iter().chain(missing::advice()).collect();
            let choices = choices(selector, &infos, (!advice.is_empty()).then(|| advice.join("; ")));
            Err(DoseError::DeviceUnavailable(format!("`{selector}`; {choices}")))
        }
    }
}

/// The adapter of a GPU that was open before.
///
/// # Errors
/// [`DoseError::DeviceUnavailable`] if it is not there any more.
pub(super) fn find_again(identity: &DeviceIdentity) -> Result<(wgpu::Adapter, DeviceIdentity), DoseError> {
    let mut adapters = adapters();
    let identities = adapters.iter().enumerate().map(|(number, adapter)| DeviceIdentity {
        info: describe(number, adapter),
        pci_bus_id: adapter.get_info().device_pci_bus_id,
    });
    match place_of(identity, identities) {
        Some(number) => Ok((adapters.swap_remove(number), identity.clone())),
        None => Err(DoseError::DeviceUnavailable(identity.info.id.clone())),
    }
}

/// Where a device is in a list. Where a driver says how GPUs are plugged in, the number does not count: two of one name
/// may have changed places. Without, it must be the same.
fn place_of(wanted: &DeviceIdentity, mut listed: impl Iterator<Item = DeviceIdentity>) -> Option<usize> {
    listed.position(|found| {
        let is_in_place = found.info.id == wanted.info.id || !wanted.pci_bus_id.is_empty();
        let info = DeviceInfo { id: wanted.info.id.clone(), ..found.info };
        is_in_place && DeviceIdentity { info, ..found } == *wanted
    })
}

/// What a caller can select where a selector means none of these GPUs.
///
/// * `advice` – what to do so that a driver offers a GPU, if something is known
fn choices(selector: DeviceSelector, infos: &[DeviceInfo], advice: Option<String>) -> String {
    let advice = advice.filter(|_| first_hardware(infos).is_none()).map(|advice| format!("; {advice}"));
    let advice = advice.unwrap_or_default();
    if infos.is_empty() {
        return format!("this machine has no GPU that a driver offers; there is `cpu`{advice}");
    }
    let software = |info: &DeviceInfo| if info.kind == DeviceKind::SoftwareGpu { ", software" } else { "" };
    let named = infos.iter().map(|info| format!("`{}` ({}{})", info.id, info.name, software(info)));
    let named = named.collect::<Vec<_>>().join(", ");
    if selector == DeviceSelector::Gpu {
        return format!(
            "this machine has only software GPUs, which are selected by number: {named}; or use `cpu`{advice}"
        );
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
            AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Dx12),
            AdapterInfo::new(DeviceType::IntegratedGpu, Backend::Metal),
            AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan),
        ];
        adapters.sort_by_key(rank);
        let order = adapters.map(|info| (info.device_type, info.backend));
        assert_eq!(order[0], (DeviceType::DiscreteGpu, Backend::Vulkan));
        assert_eq!(order[1], (DeviceType::DiscreteGpu, Backend::Dx12));
        assert_eq!(order[2], (DeviceType::DiscreteGpu, Backend::Gl));
        assert_eq!((order[3].0, order[4].0), (DeviceType::IntegratedGpu, DeviceType::Cpu));
    }

    #[test]
    fn software_is_offered_by_its_number() {
        let advice = || Some("do this".to_owned());
        let offered = choices(DeviceSelector::Gpu, &[gpu(0, DeviceKind::SoftwareGpu)], advice());
        assert!(offered.contains("only software") && offered.contains("`gpu:0` (x, software)"), "{offered}");
        assert!(offered.ends_with("; do this"), "{offered}");
        let none = choices(DeviceSelector::Gpu, &[], None);
        assert!(none.contains("no GPU") && none.ends_with("`cpu`"), "{none}");
        let other = choices(DeviceSelector::GpuNumber(7), &[gpu(0, DeviceKind::DiscreteGpu)], advice());
        assert!(!other.contains("do this"), "a driver offers one: {other}");
    }

    #[test]
    fn a_gpu_is_known_by_where_it_is_plugged_in() {
        let at = |number: usize, bus: &str| DeviceIdentity {
            info: gpu(number, DeviceKind::DiscreteGpu),
            pci_bus_id: bus.to_owned(),
        };
        let place = |wanted: &DeviceIdentity, listed: &[DeviceIdentity]| place_of(wanted, listed.iter().cloned());
        let [first, second] = [at(0, "0000:01:00.0"), at(1, "0000:41:00.0")];
        assert_eq!(place(&second, &[first.clone(), second.clone()]), Some(1));
        // The first one has gone, or they have changed places.
        assert_eq!(place(&second, &[at(0, "0000:41:00.0")]), Some(0));
        assert_eq!(place(&first, &[at(0, "0000:41:00.0"), at(1, "0000:01:00.0")]), Some(1));
        assert_eq!(place(&first, &[at(0, "0000:41:00.0")]), None);
        // Where a driver does not say it, number and name must be the same.
        assert_eq!(place(&at(0, ""), &[at(0, "")]), Some(0));
        assert_eq!(place(&at(1, ""), &[at(0, "")]), None);
    }

    #[test]
    fn an_unknown_device_is_named_with_what_there_is() {
        let error = find(DeviceSelector::GpuNumber(999)).expect_err("no machine has a thousand adapters").to_string();
        assert!(error.contains("gpu:999") && error.contains("`cpu`"), "{error}");
    }
}
