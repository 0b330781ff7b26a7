//! A stage as a device runs it: compiled, with its buffers bound.

use super::fft::{MAX_STAGES, radices};
use super::shader::{Binding, BindingKind, Shader};

/// One stage, specialised to one length of lines, with the layout of its bindings.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// The stage.
    pub(super) shader: &'static Shader,
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

/// How a stage is specialised: points of a line and lines of a workgroup. Without lines for stages that transform
/// nothing.
pub(super) type Lines = Option<(usize, usize)>;

impl Pipeline {
    /// * `constants` – at least those of the stage
    pub(super) fn compile(device: &wgpu::Device, shader: &'static Shader, constants: &[(String, f64)]) -> Self {
        let label = Some(shader.name);
        let source = wgpu::ShaderSource::Wgsl(shader.source.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
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
        Self { shader, compute, constants, layout }
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

/// The override constants of `shaders/shared/fft.wgsl`.
pub(super) fn line_constants(shader: &Shader, (length, tile): (usize, usize)) -> Vec<(String, f64)> {
    let radices = radices(length).expect("a tiling has lengths with stages only");
    // Along x, the points of a line lie side by side in memory, along the other axes the lines do.
    let has_rows = shader.name.ends_with("_x");
    let mut constants = vec![
        ("ROWS".to_owned(), f64::from(u8::from(has_rows))),
        ("LENGTH".to_owned(), length as f64),
        ("TILE".to_owned(), tile as f64),
        ("LINE_POINTS".to_owned(), (length * tile) as f64),
    ];
    for stage in 0..MAX_STAGES {
        constants.push((format!("RADIX_{stage}"), radices.get(stage).copied().map_or(1.0, f64::from)));
    }
    constants
}
