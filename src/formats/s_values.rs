//! Voxel S values: CSV of `i,j,k,s_gy_per_decay`.

use std::io::{self, Write};
use std::path::Path;

use ndarray::Array3;

use super::atomic::write_file;

/// Writes a table to a file.
///
/// * `s_gy` – S value at each offset in voxels [Gy per decay]
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, s_gy: &Array3<f64>) -> io::Result<()> {
    write_file(path, |file| encode(file, s_gy))
}

/// Writes one row for each offset, `k` fastest, with as many digits as tell any two values apart.
///
/// * `s_gy` – S value at each offset in voxels [Gy per decay]
///
/// # Errors
/// If the output cannot be written.
pub fn encode(output: &mut impl Write, s_gy: &Array3<f64>) -> io::Result<()> {
    writeln!(output, "i,j,k,s_gy_per_decay")?;
    for ((i, j, k), s_gy) in s_gy.indexed_iter() {
        writeln!(output, "{i},{j},{k},{s_gy:e}")?;
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_run_over_the_last_offset_first() {
        let mut text = Vec::new();
        encode(&mut text, &Array3::from_shape_fn((1, 1, 2), |(_, _, k)| k as f64 / 3.0)).expect("memory");
        let expected = "i,j,k,s_gy_per_decay\n0,0,0,0e0\n0,0,1,3.333333333333333e-1\n";
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }
}
