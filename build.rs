//! Build script.
fn main() {
    println!("cargo::rustc-env=DOSEGRID_COMMIT=unknown");
}
