//! Tables of energy in concentric shells around a point source, as other programs write them.

use crate::domain::Invalid;

/// Smallest number of shells in a table.
const FEWEST: usize = 11;

/// Energy absorbed between two radii, per decay.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
pub(super) struct EnergyShell {
    r_in_cm: f64,
    r_out_cm: f64,
    #[serde(rename = "E_MeV")]
    energy_mev: f64,
    /// 1σ of the energy, from the histories that scored it.
    #[serde(rename = "sigma_E_MeV")]
    sigma_mev: f64,
}

/// Energy absorbed within a radius, at ascending radii from 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cumulative {
    /// Radii [cm].
    pub(super) radii_cm: Vec<f64>,
    /// Energy within them [MeV per decay].
    pub(super) energy_mev: Vec<f64>,
}

/// Reads a table: `#` comments, a header, then one row per shell.
///
/// # Errors
/// If a row cannot be read, if shells do not follow each other from radius 0, or if an energy is not above 0.
pub(super) fn read(text: &str) -> Result<Vec<EnergyShell>, Invalid> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let shells: Vec<EnergyShell> =
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| Invalid::new(error.to_string()))?;
    let mut edge = 0.0;
    for shell in &shells {
        if shell.r_in_cm != edge || shell.r_out_cm <= edge || shell.r_out_cm.is_nan() {
            return Err(Invalid::new(format!("a shell from {} cm does not follow one to {edge} cm", shell.r_in_cm)));
        }
        if ![shell.energy_mev, shell.sigma_mev].iter().all(|e| e.is_finite() && *e > 0.0) {
            return Err(Invalid::new(format!("the shell from {edge} cm needs an energy and a σ above 0")));
        }
        edge = shell.r_out_cm;
    }
    if shells.len() < FEWEST { Err(Invalid::new("has too few shells")) } else { Ok(shells) }
}

/// The cumulative energy of all shells but the last.
pub(super) fn without_last(shells: &[EnergyShell]) -> Cumulative {
    let mut cumulative = Cumulative { radii_cm: vec![0.0], energy_mev: vec![0.0] };
    let mut energy = 0.0;
    for shell in &shells[..shells.len() - 1] {
        energy += shell.energy_mev;
        cumulative.radii_cm.push(shell.r_out_cm);
        cumulative.energy_mev.push(energy);
    }
    cumulative
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_tables_are_refused() {
        let head = "# comment\nr_in_cm,r_out_cm,E_MeV,sigma_E_MeV\n";
        for rows in [
            "0,1,x,1",
            "0,1,1,1\n2,3,1,1",
            "0.5,1,1,1",
            "0,1,0,1",
            "0,1,NaN,1",
            "0,1,1,0",
            "0,1,1,1",
            "0,NaN,1,1",
            "0,1",
        ] {
            assert!(read(&format!("{head}{rows}\n")).is_err(), "{rows}");
        }
    }
}
