//! Assembles, validates and reflects the shaders. Part of the build script.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, Scalar, StorageAccess, TypeInner};

use super::{lines, twins, wgsl};

/// The line of the stage of twin tests that the calls of the tests replace.
const TWINS: &str = "\n#twins\n";
/// What the transforms of lines are written with. A stage has it where the engine puts the text for the lengths of a
/// request.
const TRANSFORMS: &str = "fft";
/// Lines that stages are checked with.
const LINES: lines::Lines = lines::Lines { length: 288, tile: 4, max_lanes: 256 };

/// Writes `shaders.rs`: every stage with what the engine must know of it, and every struct that the host fills in.
/// Writes `twins.rs`: the bodies of transport that both engines have, and their tests.
pub(crate) fn embed() {
    println!("cargo::rerun-if-changed=shaders");
    println!("cargo::rerun-if-changed=src/engine/gpu/lines.rs");
    let shared: BTreeMap<String, wgsl::File> = wgsl_files("shaders/shared").iter().map(|path| parsed(path)).collect();
    for name in shared.keys() {
        validated_alone(Path::new(&format!("shaders/shared/{name}.wgsl")));
    }
    let (mut stages, mut structs, mut faults) = (String::new(), Vec::new(), Vec::new());
    for folder in ["shaders", "shaders/probes", "shaders/checks"] {
        for file in wgsl_files(folder) {
            let (_, stage_file) = parsed(&file);
            faults.extend(wgsl::import_faults(&stage_file, &shared));
            let mut source = assembled(&file);
            if source.contains(TWINS) {
                source = source.replace(TWINS, &twins::dispatch(&twins::tests(&stage_file)));
                write("twins.rs", &twin_list(&stage_file, &shared));
            }
            let specialised = lines::specialised(&source, LINES).map(|(source, _)| source);
            let module = validated(&file, specialised.as_ref().unwrap_or(&source));
            assert!(
                matches!(&module.entry_points[..], [entry] if entry.name == "main"),
                "{}: one entry point, `main`",
                file.display()
            );
            stages += &stage(&file, &source, &module);
            structs.extend(host_structs(&module));
        }
    }
    faults.extend(shared.values().flat_map(|file| wgsl::import_faults(file, &shared)));
    assert!(faults.is_empty(), "imports of shaders:\n{}", faults.join("\n"));
    structs.sort();
    structs.dedup();
    write("shaders.rs", &(stages + &structs.concat()));
}

fn write(name: &str, text: &str) {
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join(name), text).expect("OUT_DIR can be written");
}

/// The files of a folder, sorted.
fn wgsl_files(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("the folder of shaders");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file by its stem.
fn parsed(path: &Path) -> (String, wgsl::File) {
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a shader has a name").to_owned();
    let file = wgsl::File::parse(&name, &read(path));
    (name, file)
}

/// The list of twin bodies and their tests. A body without a test ends the build.
fn twin_list(stage: &wgsl::File, shared: &BTreeMap<String, wgsl::File>) -> String {
    let mut bodies = Vec::new();
    for file in shared.values().filter(|file| !file.twins.is_empty()) {
        let rust: Vec<String> = file.twins.iter().map(|path| read(Path::new(path))).collect();
        for path in &file.twins {
            println!("cargo::rerun-if-changed={path}");
        }
        bodies.extend(twins::bodies(file, &rust).unwrap_or_else(|fault| panic!("{fault}")));
    }
    let files: Vec<&wgsl::File> = shared.values().chain([stage]).collect();
    let untested = twins::untested(&bodies, &files);
    assert!(untested.is_empty(), "without a test in shaders/checks/{}.wgsl: {}", stage.name, untested.join(", "));
    twins::list(&twins::tests(stage), &bodies)
}

/// A stage with all that it imports, each file once.
fn assembled(file: &Path) -> String {
    let mut source = String::new();
    assemble(file, &mut source, &mut Vec::new());
    source
}

/// Appends a file, each `#import name` replaced by `shaders/shared/name.wgsl` where it comes first.
fn assemble(file: &Path, source: &mut String, imported: &mut Vec<String>) {
    for line in read(file).lines() {
        let has_lines = line.starts_with(lines::MARKER);
        let import = line.strip_prefix("#import ").map(str::trim).or_else(|| has_lines.then_some(TRANSFORMS));
        if let Some(name) = import.filter(|name| !imported.iter().any(|known| known == name)) {
            imported.push(name.to_owned());
            assemble(Path::new(&format!("shaders/shared/{name}.wgsl")), source, imported);
        }
        if import.is_none() || has_lines {
            *source += &format!("{line}\n");
        }
    }
}

/// A shared file with what it imports, and nothing else, must be a valid module.
fn validated_alone(file: &Path) {
    let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a shader has a name").to_owned();
    let mut source = String::new();
    assemble(file, &mut source, &mut vec![name]);
    validated(file, &source);
}

/// A broken shader ends the build, with its file and what is wrong.
fn validated(file: &Path, source: &str) -> Module {
    let path = file.display().to_string();
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(source, &path)));
    if let Err(error) = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module) {
        panic!("{}", error.emit_to_string_with_path(source, &path));
    }
    module
}

fn stage(file: &Path, source: &str, module: &Module) -> String {
    let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a stage has a name");
    let [lanes, _, _] = module.entry_points[0].workgroup_size;
    let overrides: Vec<&str> = module.overrides.iter().filter_map(|(_, constant)| constant.name.as_deref()).collect();
    let mut bindings = String::new();
    for (_, variable) in module.global_variables.iter() {
        let bytes = module.types[variable.ty].inner.size(module.to_ctx());
        let (Some(binding), Some(name)) = (&variable.binding, &variable.name) else { continue };
        let written =
            matches!(variable.space, AddressSpace::Storage { access } if access.contains(StorageAccess::STORE));
        let uniform = variable.space == AddressSpace::Uniform;
        let kind = if uniform {
            format!("Uniform {{ bytes: {bytes} }}")
        } else if written {
            "ReadWrite".to_owned()
        } else {
            "ReadOnly".to_owned()
        };
        write!(bindings, "Binding {{ slot: {}, name: {name:?}, kind: BindingKind::{kind} }}, ", binding.binding)
            .expect("a string can be written");
    }
    format!(
        "/// `{}`\npub(super) static {}: Shader = Shader {{ name: {name:?}, source: {source:?}, \
         lanes: {lanes}, bindings: &[{bindings}], overrides: &{overrides:?} }};\n",
        file.display(),
        name.to_uppercase()
    )
}

/// The structs that the host fills in (uniforms) or reads (storage). All members are 32-bit words, except an array at
/// the end of a struct in storage.
fn host_structs(module: &Module) -> impl Iterator<Item = String> {
    module.global_variables.iter().filter_map(|(_, variable)| {
        variable.binding?;
        let ty = &module.types[variable.ty];
        let TypeInner::Struct { members, .. } = &ty.inner else { return None };
        let words: Vec<_> =
            members.iter().filter_map(|member| Some((member.name.as_deref()?, word(module, member)?))).collect();
        let has_array =
            matches!(members.last().map(|last| &module.types[last.ty].inner), Some(TypeInner::Array { .. }));
        assert_eq!(words.len() + usize::from(has_array), members.len(), "members of a host struct are 32-bit words");
        let name = ty.name.as_deref().expect("a struct has a name");
        Some(if variable.space == AddressSpace::Uniform {
            written_struct(name, &words)
        } else {
            read_struct(name, &words)
        })
    })
}

/// The Rust type of a member that is one word.
fn word(module: &Module, member: &naga::StructMember) -> Option<&'static str> {
    let inner = &module.types[member.ty].inner;
    if *inner == TypeInner::Scalar(Scalar::F32) {
        return Some("f32");
    }
    let words = [TypeInner::Scalar(Scalar::U32), TypeInner::Atomic(Scalar::U32)];
    words.contains(inner).then_some("u32")
}

fn fields(words: &[(&str, &str)]) -> String {
    words.iter().map(|(name, ty)| format!("pub(super) {name}: {ty}, ")).collect()
}

fn written_struct(name: &str, words: &[(&str, &str)]) -> String {
    let bits = |(name, ty): &(&str, &str)| format!("self.{name}{}, ", if *ty == "f32" { ".to_bits()" } else { "" });
    let values = words.iter().map(bits).collect::<String>();
    format!(
        "/// `{name}` in `shaders/shared`\n#[derive(Clone, Copy, Debug, Default)]\npub(super) struct {name} {{ {} }}\n\
         impl {name} {{\n    {}    /// In the order of the WGSL struct.\n    \
         pub(super) fn words(&self) -> [u32; {}] {{ [{values}] }}\n}}\n",
        fields(words),
        field_names(words),
        words.len()
    )
}

fn read_struct(name: &str, words: &[(&str, &str)]) -> String {
    let values = words.iter().enumerate().map(|(i, (name, _))| format!("{name}: words[{i}], ")).collect::<String>();
    format!(
        "/// `{name}` in `shaders/shared`, without the array at its end.\n#[derive(Clone, Copy, Debug, Default)]\n\
         #[allow(dead_code, reason = \"some are for the device alone\")]\npub(super) struct {name} {{ {} }}\n\
         impl {name} {{\n    /// Words before the array.\n    pub(super) const WORDS: usize = {};\n    {}    \
         /// From its words in WGSL's order.\n    \
         pub(super) fn read(words: &[u32]) -> Self {{ Self {{ {values} }} }}\n}}\n",
        fields(words),
        words.len(),
        field_names(words)
    )
}

fn field_names(words: &[(&str, &str)]) -> String {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    format!(
        "/// The names of its words, in order.\n    #[allow(dead_code, reason = \"recordings need those of some\")]\n    \
         pub(super) const FIELDS: [&'static str; {}] = {names:?};\n",
        names.len()
    )
}
