//! Variables of a MATLAB file of level 4, as ITK writes them.
//!
//! Source: MathWorks, "MAT-File Format", level 4.

use crate::domain::Invalid;

/// Bytes before the name of a variable.
const HEADER_BYTES: usize = 20;
/// Most numbers of a variable.
const MAX_NUMBERS: usize = 64;

/// All variables, in the order of the file.
///
/// # Errors
/// If the file is something else.
pub(super) fn variables(mut bytes: &[u8]) -> Result<Vec<(String, Vec<f64>)>, Invalid> {
    let not_one = || Invalid::new("is no transform of ITK: not a MATLAB file of level 4");
    let mut variables = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(not_one)?;
        let (fields, _) = header.as_chunks::<4>();
        let [kind, rows, columns, imaginary, name] = [0, 1, 2, 3, 4].map(|at: usize| u32::from_le_bytes(fields[at]));
        let count = (rows as usize).checked_mul(columns as usize).filter(|count| *count <= MAX_NUMBERS);
        // Little-endian, full matrix; the tens are the type of number.
        let size = match kind {
            0 => 8,
            10 => 4,
            _ => return Err(not_one()),
        };
        let (count, name) = (count.ok_or_else(not_one)?, name as usize);
        if imaginary != 0 || name > 256 {
            return Err(not_one());
        }
        let (name, rest) = rest.split_at_checked(name).ok_or_else(not_one)?;
        let (values, rest) = rest.split_at_checked(count * size).ok_or_else(not_one)?;
        let values = match size {
            8 => values.as_chunks::<8>().0.iter().map(|&value| f64::from_le_bytes(value)).collect(),
            _ => values.as_chunks::<4>().0.iter().map(|&value| f64::from(f32::from_le_bytes(value))).collect(),
        };
        let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
        variables.push((name, values));
        bytes = rest;
    }
    Ok(variables)
}
