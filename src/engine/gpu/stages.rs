//! The stages with the constants that the engine gives them, for compilers other than the one in use.

use std::borrow::Cow;

use super::lines::Lines;
use super::pipeline::Source;
use super::shader::{self, Shader};
use super::transport::constants;

/// Lines that the transforms are written for.
const LINES: Lines = Lines { length: 288, tile: 4, max_lanes: 256 };

/// A stage of convolution or transport as a compiler gets it.
#[derive(Clone, Debug)]
pub struct StageSource {
    /// The stem of its file in `shaders/`.
    pub name: &'static str,
    /// WGSL, imports resolved. The entry point is `main`.
    pub source: Cow<'static, str>,
    /// Values of its override constants.
    pub constants: Vec<(String, f64)>,
}

/// A stage of convolution or transport as the engine compiles it.
#[derive(Debug)]
pub(super) struct CompiledStage {
    pub(super) shader: &'static Shader,
    /// At least those that it takes.
    pub(super) constants: Vec<(String, f64)>,
    /// Of a stage that transforms lines.
    pub(super) lines: Option<Lines>,
}

/// Every stage of convolution and transport, with constants as the engine sets them.
pub fn stage_sources() -> Vec<StageSource> {
    let source = |CompiledStage { shader, constants, lines }: CompiledStage| {
        let taken = constants.into_iter().filter(|(name, _)| shader.overrides.contains(&name.as_str()));
        StageSource { name: shader.name, source: Source::new(shader, lines).text, constants: taken.collect() }
    };
    all().into_iter().map(source).collect()
}

/// Every stage of convolution and transport.
pub(super) fn all() -> Vec<CompiledStage> {
    let lines = [&shader::FORWARD_X, &shader::FORWARD_Y, &shader::MULTIPLY_Z, &shader::INVERSE_Y, &shader::INVERSE_X];
    let transport = [
        &shader::TRANSPORT_SCHEDULE,
        &shader::TRANSPORT_EMISSION,
        &shader::TRANSPORT_CHARGED,
        &shader::TRANSPORT_PHOTON,
    ];
    let stage = |shader, constants, lines| CompiledStage { shader, constants, lines };
    let convolution = lines.into_iter().map(|shader| stage(shader, Vec::new(), Some(LINES)));
    let transport = transport.into_iter().map(|shader| stage(shader, constants(), None));
    let summary = [&shader::SUMMARY_VOXELS, &shader::SUMMARY_REGIONS].map(|shader| stage(shader, Vec::new(), None));
    summary.into_iter().chain(convolution).chain(transport).collect()
}
