//! The stages as `build.rs` embeds them: source, lanes of a workgroup, bindings by name, and the structs the host fills
//! in.

/// One WGSL stage.
#[derive(Debug)]
pub(super) struct Shader {
    /// The file's stem.
    pub(super) name: &'static str,
    /// WGSL, imports resolved. Of a stage that transforms lines, their text is not in it yet (`lines.rs`).
    pub(super) source: &'static str,
    /// Lanes of a workgroup, unless lines are transformed.
    pub(super) lanes: u32,
    /// What it reads and writes.
    pub(super) bindings: &'static [Binding],
    /// Constants that it takes when it is compiled.
    pub(super) overrides: &'static [&'static str],
}

/// One resource of a stage.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) slot: u32,
    /// The WGSL variable.
    pub(super) name: &'static str,
    pub(super) kind: BindingKind,
}

/// What a stage may do with a resource.
#[derive(Clone, Copy, Debug)]
pub(super) enum BindingKind {
    Uniform {
        /// Size of its struct.
        bytes: u64,
    },
    ReadOnly,
    ReadWrite,
}

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
