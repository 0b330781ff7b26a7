//! A stage as a device runs it: compiled, with its buffers bound.

use std::borrow::Cow;

use super::lines::{self, Lines};
use super::shader::{Binding, BindingKind, Shader};

/// One stage, for lines of one length if it transforms any, with the layout of its bindings.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// The stage.
    pub(super) shader: &'static Shader,
    /// What it was compiled from.
    pub(super) source: Source,
    /// The compiled pipeline.
    pub(super) compute: wgpu::ComputePipeline,
    /// Values of the stage's constants.
    pub(super) constants: Vec<(String, f64)>,
    layout: wgpu::BindGroupLayout,
}

/// Buffers that are bound to a stage.
#[derive(Debug)]
pub(super) struct Bound {
    /// As the device takes them.
    pub(super) group: wgpu::BindGroup,
    /// By slot.
    pub(super) buffers: Vec<(u32, wgpu::Buffer)>,
}

/// The source of a stage, for lines of one length if it transforms any.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// WGSL.
    pub(super) text: Cow<'static, str>,
    /// Lanes of a workgroup.
    pub(super) lanes: u32,
}

impl Source {
    /// * `lines` – of a stage that transforms lines
    pub(super) fn new(shader: &Shader, lines: Option<Lines>) -> Self {
        match lines.and_then(|lines| lines::specialised(shader.source, lines)) {
            Some((text, lanes)) => {
                let lanes = u32::try_from(lanes).expect("a workgroup has few lanes");
                Self { text: Cow::Owned(text), lanes }
            }
            None => Self { text: Cow::Borrowed(shader.source), lanes: shader.lanes },
        }
    }
}

impl Pipeline {
    /// A stage that transforms no lines.
    ///
    /// * `constants` – at least those of the stage
    pub(super) fn compile(device: &wgpu::Device, shader: &'static Shader, constants: &[(String, f64)]) -> Self {
        Self::of_source(device, shader, Source::new(shader, None), constants)
    }

    /// * `constants` – at least those of the stage
    pub(super) fn of_source(
        device: &wgpu::Device,
        shader: &'static Shader,
        source: Source,
        constants: &[(String, f64)],
    ) -> Self {
        let label = Some(shader.name);
        let wgsl = wgpu::ShaderSource::Wgsl(Cow::Borrowed(&source.text));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source: wgsl });
        let entries: Vec<_> = shader.bindings.iter().map(layout_entry).collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let taken = constants.iter().filter(|(name, _)| shader.overrides.contains(&name.as_str()));
        let constants: Vec<(String, f64)> = taken.cloned().collect();
        let values: Vec<_> = constants.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let compute = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            })),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &values,
                zero_initialize_workgroup_memory: false, // every stage writes what it reads
            },
            cache: None,
        });
        Self { shader, source, compute, constants, layout }
    }

    /// Binds buffers to the stage's variables by name; every variable must be given, in any order.
    pub(super) fn bind(&self, device: &wgpu::Device, buffers: &[(&str, &wgpu::Buffer)]) -> Bound {
        let named = |binding: &Binding| {
            let (_, buffer) =
                buffers.iter().find(|(name, _)| *name == binding.name).expect("a stage gets all its buffers");
            *buffer
        };
        let entries = self.shader.bindings.iter().map(|binding| {
            let buffer = named(binding);
            let size = match binding.kind {
                BindingKind::Uniform { bytes } => wgpu::BufferSize::new(bytes),
                BindingKind::ReadOnly | BindingKind::ReadWrite => None,
            };
            let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: 0, size });
            wgpu::BindGroupEntry { binding: binding.slot, resource }
        });
        let entries: Vec<_> = entries.collect();
        let label = Some(self.shader.name);
        let descriptor = wgpu::BindGroupDescriptor { label, layout: &self.layout, entries: &entries };
        let bound = self.shader.bindings.iter().map(|binding| (binding.slot, named(binding).clone()));
        Bound { group: device.create_bind_group(&descriptor), buffers: bound.collect() }
    }
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.kind {
        BindingKind::Uniform { .. } => wgpu::BufferBindingType::Uniform,
        BindingKind::ReadOnly => wgpu::BufferBindingType::Storage { read_only: true },
        BindingKind::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    let has_dynamic_offset = matches!(binding.kind, BindingKind::Uniform { .. });
    wgpu::BindGroupLayoutEntry {
        binding: binding.slot,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    }
}
