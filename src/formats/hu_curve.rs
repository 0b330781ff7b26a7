//! A custom calibration from CT number to density: CSV of `hu,density_g_cm3`.

use std::path::Path;

use super::rows::{Row, read_rows};
use crate::domain::Invalid;
use crate::physics::tissue::DensityCurve;

/// Reads a calibration with two numbers in each row. A header is optional; `#` begins a comment.
///
/// # Errors
/// If the file cannot be read. Otherwise every bad line, by its number.
pub fn read(path: &Path) -> Result<DensityCurve, Invalid> {
    checked(path).map(|(_, curve)| curve)
}

/// The points of [`read`], by rising CT number: CT number [HU] and density [g/cm³].
///
/// # Errors
/// As [`read`].
pub fn read_points(path: &Path) -> Result<Vec<[f64; 2]>, Invalid> {
    checked(path).map(|(points, _)| points)
}

fn checked(path: &Path) -> Result<(Vec<[f64; 2]>, DensityCurve), Invalid> {
    let rows = read_rows(path, |fields| {
        let number = |field: &str, what: &str| {
            field.parse::<f64>().map_err(|_| Invalid::new(format!("the {what} is not a number")))
        };
        match fields {
            [hu, density] => Ok([number(hu, "CT number")?, number(density, "density")?]),
            _ => Err(Invalid::new(format!("needs 2 fields, hu and density, got {}", fields.len()))),
        }
    })?;
    let points: Vec<[f64; 2]> = rows.iter().map(|row| row.value).collect();
    let curve = DensityCurve::from_points(&points).map_err(|(number, Invalid(reason))| match rows.get(number) {
        Some(Row { line, .. }) => Invalid(format!("line {line}: {reason}")),
        None => Invalid(reason),
    })?;
    Ok((points, curve))
}
