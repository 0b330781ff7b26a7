//! What the stages need of an adapter. An OpenGL driver, or one of an old GPU, may compute and yet have less.

type Limit = (&'static str, fn(&wgpu::Limits) -> u32);

/// The limits on which the stages rely, by what they count. How large a binding may be is not among them: a convolution
/// is divided to fit.
const NEEDED: [Limit; 6] = [
    ("storage buffers in a stage", |limits| limits.max_storage_buffers_per_shader_stage),
    ("bytes of memory of a workgroup", |limits| limits.max_compute_workgroup_storage_size),
    ("lanes of a workgroup", |limits| limits.max_compute_invocations_per_workgroup),
    ("lanes of a workgroup along x", |limits| limits.max_compute_workgroup_size_x),
    ("workgroups along an axis", |limits| limits.max_compute_workgroups_per_dimension),
    ("uniform buffers with an offset", |limits| limits.max_dynamic_uniform_buffers_per_pipeline_layout.min(1)),
];

/// What an adapter has too little of; none if it has all that WebGPU's default limits give, within which every stage is
/// tested.
pub(super) fn lacking(offered: &wgpu::Limits) -> Option<String> {
    let needed = wgpu::Limits::default();
    let lacks = NEEDED.iter().filter(|(_, of)| of(offered) < of(&needed));
    let lacks: Vec<_> =
        lacks.map(|(what, of)| format!("{} {what} where {} are needed", of(offered), of(&needed))).collect();
    (!lacks.is_empty()).then(|| lacks.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gpu::shader::BindingKind;
    use crate::engine::gpu::stages;

    #[test]
    fn a_device_of_webgpu_lacks_nothing() {
        assert_eq!(lacking(&wgpu::Limits::default()), None);
    }

    #[test]
    fn what_is_too_little_is_named() {
        let few = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::default() };
        let told = lacking(&few).expect("four buffers are too few");
        assert_eq!(told, "4 storage buffers in a stage where 8 are needed");
        let old = wgpu::Limits::downlevel_webgl2_defaults();
        let told = lacking(&old).expect("WebGL 2 does not compute");
        assert!(told.contains("0 lanes of a workgroup where 256"), "{told}");
    }

    #[test]
    fn no_stage_takes_more_than_is_asked_for() {
        let most = wgpu::Limits::default().max_storage_buffers_per_shader_stage as usize;
        let stages = stages::all();
        assert!(!stages.is_empty());
        for stage in stages {
            let bindings = stage.shader.bindings.iter();
            let storage = bindings.filter(|one| matches!(one.kind, BindingKind::ReadOnly | BindingKind::ReadWrite));
            let storage = storage.count();
            assert!(storage <= most, "{}: {storage} storage buffers", stage.shader.name);
        }
    }
}
