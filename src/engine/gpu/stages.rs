//! The stages with the constants that the engine gives them, for compilers other than the one in use.

use super::pipeline::line_constants;
use super::shader::{self, Shader};
use super::transport::constants;

/// Points of the lines that a transform is compiled for, and lines of a workgroup. Others differ in constants only.
const LINES: (usize, usize) = (288, 4);

/// A stage of convolution or transport as a compiler gets it.
#[derive(Clone, Debug)]
pub struct StageSource {
    /// The stem of its file in `shaders/`.
    pub name: &'static str,
    /// WGSL, imports resolved. The entry point is `main`.
    pub source: &'static str,
    /// Values of its override constants.
    pub constants: Vec<(String, f64)>,
}

/// Every stage of convolution and transport, with constants as the engine sets them.
pub fn stage_sources() -> Vec<StageSource> {
    let source = |(shader, constants): (&'static Shader, Vec<(String, f64)>)| {
        let taken = constants.into_iter().filter(|(name, _)| shader.overrides.contains(&name.as_str()));
        StageSource { name: shader.name, source: shader.source, constants: taken.collect() }
    };
    all().into_iter().map(source).collect()
}

/// Every stage of convolution and transport, with at least the constants that it takes.
pub(super) fn all() -> Vec<(&'static Shader, Vec<(String, f64)>)> {
    let lines = [&shader::FORWARD_X, &shader::FORWARD_Y, &shader::MULTIPLY_Z, &shader::INVERSE_Y, &shader::INVERSE_X];
    let transport = [
        &shader::TRANSPORT_SCHEDULE,
        &shader::TRANSPORT_EMISSION,
        &shader::TRANSPORT_CHARGED,
        &shader::TRANSPORT_PHOTON,
    ];
    let convolution = lines.into_iter().map(|shader| (shader, line_constants(shader, LINES)));
    let transport = transport.into_iter().map(|shader| (shader, constants()));
    let plain = [&shader::CORE_DIRECT, &shader::SUMMARY_VOXELS, &shader::SUMMARY_REGIONS];
    plain.map(|shader| (shader, Vec::new())).into_iter().chain(convolution).chain(transport).collect()
}
