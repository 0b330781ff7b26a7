//! The `dosegrid` program.
fn main() {}
