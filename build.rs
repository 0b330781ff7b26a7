//! Compiles the protocol, assembles and validates the shaders, lists the nuclides and materials, and notes the commit
//! and what the tables are made from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[path = "build/data_digest.rs"]
mod data_digest;
#[path = "src/engine/gpu/lines.rs"]
mod lines;
#[path = "build/shaders.rs"]
mod shaders;
#[path = "build/test_needs.rs"]
mod test_needs;
#[path = "build/twins.rs"]
mod twins;
#[path = "build/wgsl.rs"]
mod wgsl;

/// The files of the services; they name all others.
const PROTOCOL: [&str; 3] = ["dosegrid/v1/dose_service.proto", "dosegrid/v1/jobs.proto", "dosegrid/v1/volumes.proto"];

fn main() {
    note_commit();
    compile_protocol();
    shaders::embed();
    println!("cargo::rerun-if-changed=data");
    list_nuclides();
    list_materials();
    data_digest::emit(&data());
    test_needs::emit();
}

/// `DOSEGRID_COMMIT` is the commit of the checkout, with `-dirty` if it was changed, or `unknown` outside a checkout.
///
/// Nothing here writes git's index, nor depends on it: a look at the state would have everything compiled anew.
fn note_commit() {
    // The log has a line more whenever HEAD is another commit; HEAD itself names its branch.
    for name in ["HEAD", "logs/HEAD"] {
        // In a linked worktree they lie elsewhere, and cargo takes a file that is absent for a change at every build.
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["describe", "--always", "--abbrev=12"]).map(|commit| {
        // A change of any of these that is not committed is one that the commit does not have. Tests write beside the
        // Python client.
        let parts =
            ["src", "build", "build.rs", "Cargo.toml", "Cargo.lock", "templates", "clients/browser", "clients/page"];
        for part in parts.into_iter().filter(|part| Path::new(part).exists()) {
            println!("cargo::rerun-if-changed={part}");
        }
        let changed = git(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"]);
        if changed.is_some_and(|files| !files.is_empty()) { commit + "-dirty" } else { commit }
    });
    println!("cargo::rustc-env=DOSEGRID_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

/// What git answers, without the end of the line; none outside a checkout.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Message types and stubs, and the descriptor that reflection serves, from `proto/` (no `protoc` needed).
fn compile_protocol() {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOCOL, ["proto"]).expect("proto/ compiles");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let encoded = prost::Message::encode_to_vec(&descriptors);
    fs::write(out.join("dosegrid.v1.bin"), encoded).expect("OUT_DIR can be written");
    // The codec asks a message for its name.
    let mut names = tonic_prost_build::Config::new();
    names.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".dosegrid.v1.VolumeChunk.data")
        .bytes(".dosegrid.v1.TallyChunk.data")
        .bytes(".dosegrid.v1.PutVolumeRequest.data")
        .bytes(".dosegrid.v1.GetVolumeResponse.data")
        // Maps have an order, so that the same message always has the same bytes.
        .btree_map(".dosegrid.v1")
        .codec_path("crate::api::capped::CappedCodec")
        .compile_fds_with_config(descriptors, names)
        .expect("the descriptors make Rust code");
}

/// Writes the names and texts in `data/nuclides/` to `nuclide_files.rs`.
fn list_nuclides() {
    let text = |name: &String| format!("({name:?}, {}),\n", include(&format!("nuclides/{name}.toml")));
    let list: String = toml_names("nuclides").iter().map(text).collect();
    write_list("nuclide_files.rs", format!("const FILES: &[(&str, &str)] = &[\n{list}];\n"));
}

/// Writes the list of the files in `data/materials/` to `material_files.rs`.
fn list_materials() {
    let mut list = String::from("static FILES: &[&str] = &[\n");
    for name in toml_names("materials") {
        list += &format!("{},\n", include(&format!("materials/{name}.toml")));
    }
    write_list("material_files.rs", list + "];\n");
}

/// The folder of the data.
fn data() -> PathBuf {
    Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("data")
}

/// Names, without extension, of the TOML files in a folder of the data, sorted.
fn toml_names(folder: &str) -> Vec<String> {
    let files = fs::read_dir(data().join(folder)).expect("the folder is part of the source");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The Rust expression that embeds a file of the data.
fn include(path: &str) -> String {
    format!("include_str!({:?})", data().join(path))
}

fn write_list(name: &str, list: String) {
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join(name);
    fs::write(out, list).expect("the build folder can be written to");
}
