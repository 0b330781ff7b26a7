//! Computes the tables of the known materials that the program embeds, after a change of what they are made from.
//!
//! `cargo run --release --example known_tables`

use dosegrid::physics::known;

fn main() -> std::io::Result<()> {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/data/known_tables.bin"), known::computed())
}
