//! Flags of Monte Carlo transport, and the small files that some of them name.

use std::path::{Path, PathBuf};

use crate::cli::daughters::parse_time_s;
use crate::domain::monte_carlo::DEFAULT_DOSE_FRACTION;
use crate::domain::{
    Checks, ChosenCuts, EmissionSpectrum, Extras, Invalid, Medium, MonteCarloOptions, Region, StopRule,
    TargetUncertainty,
};
use crate::formats::{emissions, materials};
use crate::physics::material;

// Strings where they are numbers, so that one run names every fault.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Method monte-carlo")]
pub(super) struct MonteCarloArgs {
    /// Stop after so many histories, such as 2e7; one is one decay with all that it emits [default: 1e7, unless another rule stops it]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) histories: Option<String>,
    /// Stop once the mean relative 1σ of the voxels in the target's region is so small, such as 0.01
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    pub(super) target_uncertainty: Option<String>,
    /// Region of the target: voxels of at least this part of the maximum dose [default: 0.5]
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    pub(super) target_fraction: Option<String>,
    /// Region of the target: voxels of this label in --labels
    #[arg(long, value_name = "LABEL", allow_negative_numbers = true)]
    pub(super) target_label: Option<String>,
    /// Stop after so much computing time, such as 90s or 10min
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(super) time_limit: Option<String>,
    /// Seed of the random numbers [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<String>,
    /// Number of the first history; runs of other histories can be merged with `dosegrid merge` [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) first_history: Option<String>,
    /// Spectrum in place of what the nuclide emits, CSV of charge (-1, 0, 1), lower and upper energy in MeV, yield per decay
    #[arg(long, value_name = "FILE")]
    pub(super) emissions: Option<PathBuf>,
    /// One material everywhere: a known name, such as water, or a definition as in data/materials/ [default: by density]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(super) material: Option<String>,
    /// What each voxel is made of, NIfTI-1 of whole numbers on the grid of the activity
    #[arg(long, value_name = "FILE")]
    pub(super) material_map: Option<PathBuf>,
    /// What those numbers stand for, TOML of [[material]] with label and name, or a definition
    #[arg(long, value_name = "FILE.toml")]
    pub(super) material_table: Option<PathBuf>,
    /// Electrons and positrons below this energy, such as 10keV or 0.01MeV, are absorbed where they are [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_negative_numbers = true)]
    pub(super) absorption_energy: Option<String>,
    /// Collisions that set free an electron above this energy are simulated one by one [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_negative_numbers = true)]
    pub(super) collision_cut: Option<String>,
    /// Bremsstrahlung photons above this energy are simulated, photons below are absorbed [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_negative_numbers = true)]
    pub(super) photon_cut: Option<String>,
    /// Photons below this energy are scored along their track; 0keV: none [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_negative_numbers = true)]
    pub(super) track_length_below: Option<String>,
}

impl MonteCarloArgs {
    /// The flags that were given; they have no effect with another method.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            ("histories", self.histories.is_some()),
            ("target-uncertainty", self.target_uncertainty.is_some()),
            ("target-fraction", self.target_fraction.is_some()),
            ("target-label", self.target_label.is_some()),
            ("time-limit", self.time_limit.is_some()),
            ("seed", self.seed.is_some()),
            ("first-history", self.first_history.is_some()),
            ("material", self.material.is_some()),
            ("material-map", self.material_map.is_some()),
            ("material-table", self.material_table.is_some()),
            ("absorption-energy", self.absorption_energy.is_some()),
            ("collision-cut", self.collision_cut.is_some()),
            ("photon-cut", self.photon_cut.is_some()),
            ("track-length-below", self.track_length_below.is_some()),
        ];
        flags.into_iter().filter_map(|(flag, given)| given.then_some(flag))
    }

    /// The input files.
    pub(super) fn files(&self) -> [Option<&Path>; 3] {
        [self.emissions.as_deref(), self.material_map.as_deref(), self.material_table.as_deref()]
    }

    /// A spectrum of the caller's own; none if there is none, or a fault was recorded.
    pub(super) fn emissions(&self, checks: &mut Checks) -> Option<EmissionSpectrum> {
        checks.at("emissions", emissions::read(self.emissions.as_deref()?))
    }

    /// A flag at fault has recorded it and is left at its default, so that the others are still checked.
    pub(super) fn options(
        &self,
        minimum_density_g_cm3: Option<f64>,
        extras: Extras,
        checks: &mut Checks,
    ) -> MonteCarloOptions {
        let default = MonteCarloOptions::default();
        let time_limit_s = self.time_limit.as_deref().and_then(|text| checks.at("time-limit", parse_time_s(text)));
        let stop = StopRule {
            histories: parsed(&self.histories, "histories", count, checks),
            target: self.target(checks),
            time_limit_s,
        };
        let mut cut = |text, flag| parsed(text, flag, energy_mev, checks);
        let cuts = ChosenCuts {
            absorption_mev: cut(&self.absorption_energy, "absorption-energy"),
            collision_mev: cut(&self.collision_cut, "collision-cut"),
            photon_mev: cut(&self.photon_cut, "photon-cut"),
            track_length_mev: cut(&self.track_length_below, "track-length-below"),
        };
        MonteCarloOptions {
            stop,
            medium: self.medium(checks).unwrap_or_default(),
            seed: parsed(&self.seed, "seed", count, checks).unwrap_or(default.seed),
            first_history: parsed(&self.first_history, "first-history", count, checks).unwrap_or(default.first_history),
            minimum_density_g_cm3: minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
            cuts,
            extras,
        }
    }

    fn target(&self, checks: &mut Checks) -> Option<TargetUncertainty> {
        let part = parsed(&self.target_fraction, "target-fraction", number, checks);
        let label = parsed(&self.target_label, "target-label", label, checks);
        let relative = parsed(&self.target_uncertainty, "target-uncertainty", number, checks);
        for (flag, given) in
            [("target-fraction", self.target_fraction.is_some()), ("target-label", self.target_label.is_some())]
        {
            if given && self.target_uncertainty.is_none() {
                checks.fail(flag, "has no effect without --target-uncertainty");
            }
        }
        if self.target_fraction.is_some() && self.target_label.is_some() {
            checks.fail("target-label", "is given beside --target-fraction; only one of the two can hold");
        }
        let region = label.map_or(Region::AboveDoseFraction(part.unwrap_or(DEFAULT_DOSE_FRACTION)), Region::Label);
        relative.map(|relative| TargetUncertainty { relative, region })
    }

    fn medium(&self, checks: &mut Checks) -> Option<Medium> {
        let table = self.material_table.as_deref().map(|path| checks.at("material-table", materials::read_table(path)));
        let uniform = self.material.as_deref().and_then(|name| {
            let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
            let found = if is_file { materials::read(Path::new(name)) } else { material::find(name).cloned() };
            checks.at("material", found)
        });
        match (&self.material_map, table) {
            (Some(_), None) => checks.fail("material-map", "needs --material-table, which says what its numbers are"),
            (None, Some(_)) => checks.fail("material-table", "has no effect without --material-map"),
            (Some(_), Some(_)) if self.material.is_some() => {
                checks.fail("material", "is given beside --material-map; only one of the two can hold");
            }
            (Some(_), Some(table)) => return table.map(Medium::Map),
            (None, None) => {}
        }
        uniform.map(Medium::Uniform)
    }
}

fn parsed<T>(
    text: &Option<String>,
    flag: &str,
    parse: impl Fn(&str) -> Result<T, Invalid>,
    checks: &mut Checks,
) -> Option<T> {
    checks.at(flag, parse(text.as_deref()?))
}

fn number(text: &str) -> Result<f64, Invalid> {
    text.parse().map_err(|_| Invalid::new(format!("is a number, got `{text}`")))
}

fn label(text: &str) -> Result<u16, Invalid> {
    text.parse().map_err(|_| Invalid::new(format!("is a whole number from 1 to 65535, got `{text}`")))
}

/// A whole number, as `20000000` or `2e7`.
fn count(text: &str) -> Result<u64, Invalid> {
    let exponential = |text: &str| {
        let value: f64 = text.parse().ok()?;
        // Up to here, every whole number is one in double precision.
        let is_count = value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number")]
        is_count.then_some(value as u64)
    };
    let parsed = text.parse().ok().or_else(|| exponential(text));
    parsed.ok_or_else(|| Invalid::new(format!("is a whole number, 0 or above, such as 2e7; got `{text}`")))
}

/// An energy with its unit, such as `10keV` [MeV].
fn energy_mev(text: &str) -> Result<f64, Invalid> {
    // Divided, because 10 keV are the nearest number to 0.01 MeV only then.
    let units = [("keV", 1000.0), ("MeV", 1.0)];
    let parse = |(unit, per_mev): (&str, f64)| Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? / per_mev);
    units
        .into_iter()
        .find_map(parse)
        .ok_or_else(|| Invalid::new(format!("is a number with the unit keV or MeV, such as 10keV; got `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_be_exponential() {
        for (text, value) in [("20000000", 20_000_000), ("2e7", 20_000_000), ("1.5e3", 1500), ("0", 0)] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "-1", "1.5", "1e30", "nan", "inf", "ten", "1e-3"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn energies_have_a_unit() {
        for (text, mev) in [("10keV", 0.01), ("0.01MeV", 0.01), ("2 MeV", 2.0), ("0keV", 0.0)] {
            assert_eq!(energy_mev(text), Ok(mev), "{text}");
        }
        for text in ["10", "10eV", "keV", "", "10kev"] {
            assert!(energy_mev(text).is_err(), "{text}");
        }
    }
}
