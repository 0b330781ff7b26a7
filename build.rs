//! Compiles the protocol, assembles and validates the shaders, and notes the commit.

use std::{env, fs, path::PathBuf, process::Command};

fn main() {
    note_commit();
    compile_protocol();
}

/// `DOSEGRID_COMMIT` is the commit of the checkout, with `-dirty` if it was changed, or `unknown` outside a checkout.
fn note_commit() {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/index");
    let describe = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let commit = match describe {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    };
    println!("cargo::rustc-env=DOSEGRID_COMMIT={commit}");
}

/// Message types and stubs, and the descriptor that reflection serves, from `proto/` (no `protoc` needed).
fn compile_protocol() {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["dosegrid/v1/dose_service.proto"], ["proto"]).expect("proto/ compiles");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let encoded = prost::Message::encode_to_vec(&descriptors);
    fs::write(out.join("dosegrid.v1.bin"), encoded).expect("OUT_DIR can be written");
    tonic_prost_build::configure()
        .bytes(".dosegrid.v1.VolumeChunk.data")
        .compile_fds(descriptors)
        .expect("the descriptors make Rust code");
}
