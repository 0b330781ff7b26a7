//! Writes every stage of the GPU engine as other compilers take it: `STAGE.wgsl`, and `stages.json` with the values of
//! each one's override constants.
//!
//!     cargo run --release --example shaders -- FOLDER

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use dosegrid::engine::gpu::stage_sources;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("the folder to write to is missing")?);
    fs::create_dir_all(&folder)?;
    let mut constants = BTreeMap::new();
    for stage in stage_sources() {
        fs::write(folder.join(stage.name).with_extension("wgsl"), &*stage.source)?;
        constants.insert(stage.name, BTreeMap::from_iter(stage.constants));
    }
    fs::write(folder.join("stages.json"), serde_json::to_string_pretty(&constants)?)?;
    println!("{} stages in {}", constants.len(), folder.display());
    Ok(())
}
