//! Assembles, validates and reflects the shaders. Part of the build script.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};

/// Writes `shaders.rs`: every stage with what the engine must know of it, and every struct that the host fills in.
pub(crate) fn embed() {
    println!("cargo::rerun-if-changed=shaders");
    let folder = fs::read_dir("shaders").expect("the folder of shaders");
    let mut files: Vec<_> = folder.map(|file| file.expect("a file").path()).filter(|path| path.is_file()).collect();
    files.sort();
    let (mut stages, mut structs) = (String::new(), Vec::new());
    for file in files {
        let mut source = String::new();
        assemble(&file, &mut source, &mut Vec::new());
        let module = validated(&file, &source);
        stages += &stage(&file, &source, &module);
        structs.extend(host_structs(&module));
    }
    structs.sort();
    structs.dedup();
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("shaders.rs"), stages + &structs.concat()).expect("OUT_DIR can be written");
}

/// Appends a file, each `#import name` replaced by `shaders/shared/name.wgsl` where it comes first.
fn assemble(file: &Path, source: &mut String, imported: &mut Vec<String>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for line in text.lines() {
        match line.strip_prefix("#import ").map(str::trim) {
            Some(name) if imported.iter().any(|known| known == name) => {}
            Some(name) => {
                imported.push(name.to_owned());
                assemble(Path::new(&format!("shaders/shared/{name}.wgsl")), source, imported);
            }
            None => *source += &format!("{line}\n"),
        }
    }
}

/// A broken shader ends the build, with its file and what is wrong.
fn validated(file: &Path, source: &str) -> Module {
    let path = file.display().to_string();
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(source, &path)));
    if let Err(error) = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module) {
        panic!("{}", error.emit_to_string_with_path(source, &path));
    }
    assert!(matches!(&module.entry_points[..], [entry] if entry.name == "main"), "{path}: one entry point, `main`");
    module
}

fn stage(file: &Path, source: &str, module: &Module) -> String {
    let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a stage has a name");
    let [lanes, _, _] = module.entry_points[0].workgroup_size;
    let mut bindings = String::new();
    for (_, variable) in module.global_variables.iter() {
        let (Some(binding), Some(name)) = (&variable.binding, &variable.name) else { continue };
        let written =
            matches!(variable.space, AddressSpace::Storage { access } if access.contains(StorageAccess::STORE));
        let uniform = variable.space == AddressSpace::Uniform;
        let kind = if uniform {
            "Uniform"
        } else if written {
            "ReadWrite"
        } else {
            "ReadOnly"
        };
        write!(bindings, "Binding {{ slot: {}, name: {name:?}, kind: BindingKind::{kind} }}, ", binding.binding)
            .expect("a string can be written");
    }
    format!(
        "/// `shaders/{name}.wgsl`\npub(super) static {}: Shader = Shader {{ name: {name:?}, source: {source:?}, \
         lanes: {lanes}, bindings: &[{bindings}] }};\n",
        name.to_uppercase()
    )
}

/// The structs that stages take as uniforms (all members are 32-bit words), with their words in WGSL's order.
fn host_structs(module: &Module) -> impl Iterator<Item = String> {
    let uniforms = module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::Uniform);
    uniforms.map(|(_, variable)| {
        let ty = &module.types[variable.ty];
        let TypeInner::Struct { members, span } = &ty.inner else { panic!("a uniform is a struct") };
        assert_eq!(*span as usize, 4 * members.len(), "members of a uniform are 32-bit words");
        let (name, names) = (ty.name.as_deref(), members.iter().map(|m| m.name.as_deref().expect("a name")));
        let fields = names.clone().map(|n| format!("pub(super) {n}: u32, ")).collect::<String>();
        let words = names.map(|n| format!("self.{n}, ")).collect::<String>();
        let name = name.expect("a struct has a name");
        format!(
            "/// `{name}` in `shaders/shared`\n#[derive(Clone, Copy, Debug, Default)]\npub(super) struct {name} {{ {fields}}}\n\
             impl {name} {{\n    /// In the order of the WGSL struct.\n    pub(super) fn words(&self) -> [u32; {}] {{ [{words}] }}\n}}\n",
            members.len()
        )
    })
}
