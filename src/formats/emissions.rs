//! A custom emission spectrum: CSV of `charge,low_mev,high_mev,yield_per_decay`.

use std::path::Path;

use super::rows::read_rows;
use crate::domain::{Emission, EmissionSpectrum, Invalid, Particle};

/// Reads a spectrum. Each row has a charge (-1 electron, 0 photon, 1 positron), the lowest and highest energy in MeV
/// (equal for a line of the spectrum) and the yield per decay. A header is optional; `#` begins a comment.
///
/// # Errors
/// If the file cannot be read, or the spectrum has no energy or too many particles. Otherwise every bad line, by its
/// number.
pub fn read(path: &Path) -> Result<EmissionSpectrum, Invalid> {
    let rows = read_rows(path, |fields| match fields {
        [charge, low, high, number] => {
            let emission = Emission {
                particle: particle(charge)?,
                low_mev: parse(low, "lower energy")?,
                high_mev: parse(high, "upper energy")?,
                yield_per_decay: parse(number, "yield")?,
            };
            emission.check().map(|()| emission)
        }
        _ => Err(Invalid::new(format!(
            "needs 4 fields, charge, lower energy, upper energy and yield, got {}",
            fields.len()
        ))),
    })?;
    EmissionSpectrum::new(rows.into_iter().map(|row| row.value).collect())
        .map_err(|faults| Invalid::new(faults.into_iter().map(|fault| fault.reason).collect::<Vec<_>>().join("; ")))
}

/// The charge may be written as `-1`, `+1` or `-1.0`.
fn particle(charge: &str) -> Result<Particle, Invalid> {
    let known = |value: f64| Particle::ALL.into_iter().find(|particle| f64::from(particle.charge()) == value);
    charge.parse().ok().and_then(known).ok_or_else(|| Invalid::new("the charge is not -1, 0 or 1"))
}

fn parse(field: &str, what: &str) -> Result<f64, Invalid> {
    field.parse().map_err(|_| Invalid::new(format!("the {what} is not a number")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn spectrum(text: &str) -> Result<EmissionSpectrum, Invalid> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("emissions.csv");
        fs::write(&path, text).expect("a writable folder");
        read(&path)
    }

    #[test]
    fn rows_are_lines_and_bins_of_three_kinds() {
        let found = spectrum("# a comment\ncharge,low,high,yield\n-1,0,0.5,1\n0, 0.1, 0.1, 0.25\n+1,0.2,0.3,0.5\n");
        let found = found.expect("a good file");
        let kinds: Vec<Particle> = found.emissions().iter().map(|emission| emission.particle).collect();
        assert_eq!(kinds, [Particle::Electron, Particle::Photon, Particle::Positron]);
        assert!((found.total_mev() - (0.25 + 0.025 + 0.125)).abs() < 1e-15);
    }

    #[test]
    fn the_files_for_validation_are_such_files() {
        for name in ["Lu-177", "Y-90", "I-131"] {
            let path = format!("{}/data/validation/emissions_{name}.csv", env!("CARGO_MANIFEST_DIR"));
            assert!(read(Path::new(&path)).expect("a good file").total_mev() > 0.1, "{name}");
        }
    }

    #[test]
    fn every_bad_line_is_named() {
        let text = "-1,0,0.5,1\n2,0,0.5,1\n0,0.5,0.1,1\n0,nan,0.1,1\n0,0.1,0.1\n0,0.1,x,1\n0,0.1,0.1,-1\n";
        let Invalid(reason) = spectrum(text).expect_err("six lines are bad");
        for line in 2..=7 {
            assert!(reason.contains(&format!("line {line}: ")), "{reason}");
        }
        assert!(!reason.contains("line 1: "), "{reason}");
        assert!(spectrum("# nothing\n").expect_err("empty").0.contains("no energy"));
        assert!(spectrum(&"3,0,0,0\n".repeat(50)).expect_err("all bad").0.contains("40 more lines"));
    }
}
