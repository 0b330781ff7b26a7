//! Every stage becomes what other systems take: SPIR-V for Vulkan, HLSL for DirectX 12, MSL for Metal, through the
//! compiler that wgpu has. SPIR-V is checked by `spirv-val` where it is found.
//!
//! SHADER_FOLDER: where to keep what is written, for other compilers (`.ci/gpus`, `benches/stages.py`).

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dosegrid::engine::gpu::{StageSource, stage_sources};
use naga::back::{hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};

/// The module of a stage with its constants in place.
fn compiled(stage: &StageSource) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(&stage.source).unwrap_or_else(|error| panic!("{}: {error}", stage.name));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{}: {error}", stage.name));
    let constants = stage.constants.iter().cloned().collect();
    let entry = Some((ShaderStage::Compute, "main"));
    let processed = pipeline_constants::process_overrides(&module, &info, entry, &constants);
    let (module, info) = processed.unwrap_or_else(|error| panic!("{}: {error}", stage.name));
    (module.into_owned(), info.into_owned())
}

/// What a device may have beyond what every WebGPU device has, as a stage would use it.
const FEATURES: [(&str, &str); 6] = [
    ("subgroups", "fn uses() -> u32 { return subgroupAdd(1u); }"),
    ("64-bit integers", "fn uses() -> u64 { return 1lu; }"),
    ("64-bit atomics", "var<workgroup> wide: atomic<u64>; fn uses() -> u64 { return atomicAdd(&wide, 1lu); }"),
    ("push constants", "var<immediate> pushed: u32; fn uses() -> u32 { return pushed; }"),
    ("64-bit floats", "fn uses() -> f64 { return 1.0lf; }"),
    ("16-bit floats", "fn uses() -> f16 { return 1.0h; }"),
];

/// Whether a device with these capabilities takes a stage.
fn is_taken(source: &str, capabilities: Capabilities) -> bool {
    let module = naga::front::wgsl::parse_str(source);
    module.is_ok_and(|module| Validator::new(ValidationFlags::all(), capabilities).validate(&module).is_ok())
}

#[test]
fn no_stage_uses_a_feature_that_a_device_may_lack() {
    let mut seen = HashSet::new();
    for stage in stage_sources() {
        assert!(is_taken(&stage.source, Capabilities::empty()), "{}", stage.name);
        // Lines of another length are written with the same words.
        if !seen.insert(stage.stage) {
            continue;
        }
        for (feature, line) in FEATURES {
            let first = if feature == "16-bit floats" { "enable f16;\n" } else { "" };
            let source = format!("{first}{}\n{line}\n", stage.source);
            // That it is taken where the feature is there shows what it is refused for.
            assert!(is_taken(&source, Capabilities::all()), "{} with {feature}", stage.name);
            assert!(!is_taken(&source, Capabilities::empty()), "{} with {feature}", stage.name);
        }
    }
}

/// Bytes of SPIR-V 1.3, which Vulkan 1.1 takes.
fn spirv(stage: &StageSource) -> Vec<u8> {
    let (module, info) = compiled(stage);
    // As the engine compiles them: every stage writes what it reads.
    let zero_initialize_workgroup_memory = spv::ZeroInitializeWorkgroupMemoryMode::None;
    let options = spv::Options { lang_version: (1, 3), zero_initialize_workgroup_memory, ..spv::Options::default() };
    let entry = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".to_owned() };
    let words = spv::write_vec(&module, &info, &options, Some(&entry));
    let words = words.unwrap_or_else(|error| panic!("{}: {error}", stage.name));
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn hlsl(stage: &StageSource) -> String {
    let (module, info) = compiled(stage);
    let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..hlsl::Options::default() };
    let mut text = String::new();
    let entry = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".to_owned())) };
    let reflection = hlsl::Writer::new(&mut text, &options, &entry).write(&module, &info, None);
    let reflection = reflection.unwrap_or_else(|error| panic!("{}: {error}", stage.name));
    assert!(reflection.entry_point_names.iter().all(Result::is_ok), "{}: {:?}", stage.name, reflection);
    text
}

fn msl(stage: &StageSource) -> String {
    let (module, info) = compiled(stage);
    let options = msl::Options { lang_version: (2, 3), ..msl::Options::default() };
    let entry = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, "main".to_owned())),
        ..msl::PipelineOptions::default()
    };
    let written = msl::write_string(&module, &info, &options, &entry);
    written.unwrap_or_else(|error| panic!("{}: {error}", stage.name)).0
}

fn kept_folder() -> Option<PathBuf> {
    std::env::var_os("SHADER_FOLDER").map(PathBuf::from)
}

#[test]
fn every_stage_is_written_for_directx_and_metal() {
    let stages = stage_sources();
    assert!(stages.len() > 100, "{} sources", stages.len());
    for stage in &stages {
        let (hlsl, msl) = (hlsl(stage), msl(stage));
        if let Some(folder) = kept_folder() {
            let file = folder.join(&stage.name);
            fs::write(file.with_extension("hlsl"), &hlsl).expect("a file");
            fs::write(file.with_extension("metal"), &msl).expect("a file");
        }
        assert!(hlsl.contains("[numthreads("), "{}", stage.name);
        assert!(msl.contains("kernel void"), "{}", stage.name);
    }
}

#[test]
fn every_stage_is_valid_spirv() {
    let temporary = tempfile::tempdir().expect("a folder");
    let kept = kept_folder();
    let folder = kept.as_deref().unwrap_or_else(|| temporary.path());
    let found = Command::new("spirv-val").arg("--version").output().is_ok();
    if !found {
        println!("spirv-val is absent (Debian: spirv-tools): the words are written and not checked");
    }
    for stage in stage_sources() {
        let bytes = spirv(&stage);
        assert_eq!(bytes[..4], 0x0723_0203u32.to_le_bytes(), "{}", stage.name);
        let file = folder.join(&stage.name).with_extension("spv");
        fs::write(&file, &bytes).expect("a file");
        if found {
            let output = Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(&file).output();
            let output = output.expect("spirv-val runs");
            let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}: {said}", stage.name);
        }
    }
}
