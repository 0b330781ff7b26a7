//! Who made an adapter, and what it offers.

use crate::engine::gpu::context::Context;
use crate::engine::measures::Portrait;

/// What the adapter of an open device is and offers.
pub(super) fn of(context: &Context) -> Portrait {
    let (info, limits) = (context.device.adapter_info(), context.device.limits());
    let limits = [
        ("maxBufferSize", limits.max_buffer_size),
        ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
        ("maxComputeWorkgroupStorageSize", limits.max_compute_workgroup_storage_size.into()),
        ("maxComputeInvocationsPerWorkgroup", limits.max_compute_invocations_per_workgroup.into()),
        ("maxComputeWorkgroupSizeX", limits.max_compute_workgroup_size_x.into()),
        ("maxComputeWorkgroupsPerDimension", limits.max_compute_workgroups_per_dimension.into()),
        ("maxStorageBuffersPerShaderStage", limits.max_storage_buffers_per_shader_stage.into()),
        ("minUniformBufferOffsetAlignment", limits.min_uniform_buffer_offset_alignment.into()),
        ("minStorageBufferOffsetAlignment", limits.min_storage_buffer_offset_alignment.into()),
    ];
    let named = |features: wgpu::Features| features.iter_names().map(|(name, _)| name.to_owned()).collect();
    Portrait {
        vendor: info.vendor,
        device: info.device,
        pci_bus_id: info.device_pci_bus_id,
        limits: limits.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect(),
        features: named(context.offered),
        features_used: named(context.device.features()),
    }
}
