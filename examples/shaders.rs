//! Writes every stage of the GPU engine as other compilers take it: `STAGE.wgsl`, and `stages.json` with the values of
//! each one's override constants and the lanes of its workgroups.
//!
//!     cargo run --release --example shaders -- FOLDER

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use dosegrid::engine::gpu::stage_sources;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("the folder to write to is missing")?);
    fs::create_dir_all(&folder)?;
    let mut stages = BTreeMap::new();
    for stage in stage_sources() {
        fs::write(folder.join(&stage.name).with_extension("wgsl"), &*stage.source)?;
        let constants = BTreeMap::from_iter(stage.constants);
        stages.insert(stage.name, json!({ "constants": constants, "lanes": stage.lanes }));
    }
    fs::write(folder.join("stages.json"), serde_json::to_string_pretty(&stages)?)?;
    println!("{} stages in {}", stages.len(), folder.display());
    Ok(())
}
