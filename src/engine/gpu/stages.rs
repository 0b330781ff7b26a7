//! The stages with the constants that the engine gives them, for compilers other than the one in use.

use std::borrow::Cow;
use std::collections::HashSet;

use super::lines::Lines;
use super::pipeline::Source;
use super::shader::{self, Shader};
use super::tiling::{Bounds, Tiling};
use super::transport::constants;
use crate::plan::Block;

/// Lines that the transforms are written for when their compilers are timed.
const LINES: Lines = Lines { length: 288, tile: 4, max_lanes: 256 };
/// Lines whose every transform is given to other compilers: together they have every factor, in two, three and four
/// parts and alone, and the longest that fits every device.
const LENGTHS: [usize; 19] =
    [2, 18, 20, 21, 54, 96, 120, 200, 240, 250, 252, 280, 288, 300, 320, 504, 1024, 1250, 2048];
/// The limits of every WebGPU device, and those of a large one, whose workgroups have more lines.
const DEVICES: [Bounds; 2] = [
    Bounds { workgroup_bytes: 16 << 10, lanes: 256, binding_bytes: 128 << 20 },
    Bounds { workgroup_bytes: 32 << 10, lanes: 1024, binding_bytes: 2 << 30 },
];

/// A stage of convolution or transport as a compiler gets it.
#[derive(Clone, Debug)]
pub struct StageSource {
    /// The stem of its file in `shaders/`.
    pub stage: &'static str,
    /// The same with the length of its lines and the lanes of a workgroup, if it transforms any: no two have one name.
    pub name: String,
    /// WGSL, imports resolved. The entry point is `main`.
    pub source: Cow<'static, str>,
    /// Values of its override constants.
    pub constants: Vec<(String, f64)>,
    /// Lanes of a workgroup.
    pub lanes: u32,
}

/// A stage of convolution or transport as the engine compiles it.
#[derive(Clone, Debug)]
pub(super) struct CompiledStage {
    pub(super) shader: &'static Shader,
    /// At least those that it takes.
    pub(super) constants: Vec<(String, f64)>,
    /// Of a stage that transforms lines.
    pub(super) lines: Option<Lines>,
}

/// Every stage of convolution and transport, with constants as the engine sets them: those that transform lines, for
/// many lengths.
pub fn stage_sources() -> Vec<StageSource> {
    let (transforms, others): (Vec<_>, Vec<_>) = all().into_iter().partition(|stage| stage.lines.is_some());
    let mut sources: Vec<StageSource> = others.into_iter().map(source).collect();
    let mut names = HashSet::new();
    for (bounds, length) in DEVICES.into_iter().flat_map(|bounds| LENGTHS.map(|length| (bounds, length))) {
        for stage in &transforms {
            let Some(tile) = tile_of(stage.shader.name, length, bounds) else { continue };
            let lines = Some(Lines { length, tile, max_lanes: bounds.lanes as usize });
            let source = source(CompiledStage { lines, ..stage.clone() });
            // Both devices divide some alike.
            if names.insert(source.name.clone()) {
                sources.push(source);
            }
        }
    }
    sources
}

/// How many lines of a cube with padded edges of `length` the engine gives a workgroup of a stage; none if it never has
/// lines of that length.
fn tile_of(stage: &str, length: usize, bounds: Bounds) -> Option<usize> {
    let has_rows = stage.ends_with("_x");
    if has_rows && !length.is_multiple_of(2) {
        return None; // a row is padded to an even length
    }
    let block = Block { output_z: 0..length, source_z: 0..length, padded_shape: [length; 3] };
    let [rows, columns, _] = Tiling::new([length; 2], 1, &block, bounds).ok()?.tiles;
    Some(if has_rows { rows } else { columns })
}

fn source(CompiledStage { shader, constants, lines }: CompiledStage) -> StageSource {
    let taken = constants.into_iter().filter(|(name, _)| shader.overrides.contains(&name.as_str()));
    let constants = taken.collect();
    let Source { text, lanes } = Source::new(shader, lines);
    let name = match lines {
        Some(Lines { length, tile, .. }) => format!("{}-{length}x{tile}-{lanes}", shader.name),
        None => shader.name.to_owned(),
    };
    StageSource { stage: shader.name, name, source: text, constants, lanes }
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

#[cfg(test)]
mod tests {
    use super::super::lines::radices;
    use super::*;

    #[test]
    fn every_stage_is_written_for_lines_with_every_factor() {
        let factors = |lengths: Vec<usize>| {
            let mut found: Vec<_> = lengths.into_iter().filter_map(radices).flatten().collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let even = LENGTHS.into_iter().filter(|length| length.is_multiple_of(2)).collect();
        assert_eq!(factors(LENGTHS.to_vec()), [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18]);
        // An even length has 6 or 12 in place of 3.
        assert_eq!(factors(even), [2, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18]);
        let sources = stage_sources();
        for CompiledStage { shader, lines, .. } in all() {
            let of_stage: Vec<_> = sources.iter().filter(|source| source.stage == shader.name).collect();
            if lines.is_none() {
                assert_eq!(of_stage.len(), 1, "{}", shader.name);
                continue;
            }
            for length in LENGTHS.into_iter().filter(|length| length.is_multiple_of(2)) {
                let said = format!("// Lines of {length} points, ");
                assert!(of_stage.iter().any(|source| source.source.contains(&said)), "{} of {length}", shader.name);
            }
            let lanes = || of_stage.iter().map(|source| source.lanes);
            assert!(lanes().any(|lanes| lanes <= 256) && lanes().any(|lanes| lanes > 256), "{}", shader.name);
        }
    }
}
