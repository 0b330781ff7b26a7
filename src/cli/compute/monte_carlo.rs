//! Flags of Monte Carlo transport, and the small files that some of them name.

use std::path::{Path, PathBuf};

use super::method::number;
use crate::cli::daughters::parse_time_s;
use crate::domain::{Checks, ChosenCuts, Extras, Invalid};
use crate::formats::materials;
use crate::request::{RawMaterial, RawMedium, RawMonteCarlo, RawRegion, RawTarget};

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Monte Carlo (--method monte-carlo)")]
pub(super) struct MonteCarloArgs {
    /// Stop after this many histories, such as 2e7. One history is one decay with all that it emits [default, if no
    /// rule is given: a target uncertainty of 0.01, at most 2e8 histories and 5min]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    histories: Option<String>,
    /// Stop when the mean relative uncertainty (1σ) of the voxels of every label in --labels is at most this, such as
    /// 0.01; of a label without uptake of its own, that of its mean dose; without --labels, of the voxels above a tenth
    /// of the maximum dose
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    target_uncertainty: Option<String>,
    /// Look only at voxels with at least this fraction of the maximum dose
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    target_fraction: Option<String>,
    /// Look only at voxels with this label in --labels, whether it takes up activity or not
    #[arg(long, value_name = "LABEL", allow_negative_numbers = true)]
    target_label: Option<String>,
    /// Stop after this computing time, such as 90s or 10min
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    time_limit: Option<String>,
    /// At an interrupt (Ctrl-C), end with the dose of the histories done so far; a second one ends at once. Without it,
    /// an interrupt ends at once and writes nothing
    #[arg(long)]
    pub(super) keep_partial: bool,
    /// Seed of the random numbers [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,
    /// Number of the first history. `dosegrid merge` adds up runs with different histories [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    first_history: Option<String>,
    /// One material everywhere: a known name, such as water, or a definition as in data/materials/ [default: by
    /// density]
    #[arg(long, value_name = "NAME|FILE.toml")]
    material: Option<String>,
    /// Material of each voxel, by number. NIfTI-1 of whole numbers on the grid of the activity
    #[arg(long, value_name = "FILE")]
    pub(super) material_map: Option<PathBuf>,
    /// Materials of the numbers in --material-map. TOML of [[material]] with a label and a known name, or a definition
    #[arg(long, value_name = "FILE.toml")]
    material_table: Option<PathBuf>,
    /// Absorb electrons and positrons on the spot below this energy, such as 10keV or 0.01MeV [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    absorption_energy: Option<String>,
    /// Simulate one by one the collisions that set free an electron above this energy [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    collision_cut: Option<String>,
    /// Follow bremsstrahlung photons above this energy, and absorb all photons below it on the spot, emitted ones too
    /// [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    photon_cut: Option<String>,
    /// Score photons below this energy along their track; 0keV: none [default: by voxel size]
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    track_length_below: Option<String>,
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
            ("keep-partial", self.keep_partial),
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

    /// Input files that these flags name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let material = self.material.as_deref().map(Path::new);
        [self.material_map.as_deref(), self.material_table.as_deref(), material].into_iter().flatten()
    }

    /// The options. A bad flag has its fault recorded and keeps its default, so that the others are still checked.
    ///
    /// * `has_labels` – whether there is a map of regions, one of which may be the target
    pub(super) fn raw(&self, has_labels: bool, extras: Extras, checks: &mut Checks) -> RawMonteCarlo {
        let mut cut = |text, flag| parsed(text, flag, energy_mev, checks);
        let cuts = ChosenCuts {
            absorption_mev: cut(&self.absorption_energy, "absorption-energy"),
            collision_mev: cut(&self.collision_cut, "collision-cut"),
            photon_mev: cut(&self.photon_cut, "photon-cut"),
            track_length_mev: cut(&self.track_length_below, "track-length-below"),
        };
        RawMonteCarlo {
            histories: parsed(&self.histories, "histories", count, checks),
            target_uncertainty: self.target(has_labels, checks),
            time_limit_s: parsed(&self.time_limit, "time-limit", parse_time_s, checks),
            seed: parsed(&self.seed, "seed", count, checks),
            first_history: parsed(&self.first_history, "first-history", count, checks),
            minimum_density_g_cm3: None,
            cuts,
            medium: self.medium(checks),
            extras,
        }
    }

    fn target(&self, has_labels: bool, checks: &mut Checks) -> Option<RawTarget> {
        let part = number(self.target_fraction.as_deref(), "target-fraction", checks).map(RawRegion::DoseFraction);
        let label = parsed(&self.target_label, "target-label", label, checks).map(RawRegion::Label);
        if self.target_label.is_some() && !has_labels {
            checks.fail("target-label", "has no effect without --labels");
        }
        let relative = number(self.target_uncertainty.as_deref(), "target-uncertainty", checks);
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
        relative.map(|relative| RawTarget { relative, region: label.filter(|_| has_labels).or(part) })
    }

    fn medium(&self, checks: &mut Checks) -> Option<RawMedium> {
        let table = self.material_table.as_deref().map(|path| checks.at("material-table", materials::read_table(path)));
        let uniform = self.material.as_deref().and_then(|name| {
            if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
                checks.at("material", materials::read(Path::new(name))).as_ref().map(RawMaterial::from)
            } else {
                Some(RawMaterial::Known(name.to_owned()))
            }
        });
        match (&self.material_map, table) {
            (Some(_), None) => checks.fail("material-map", "needs --material-table, which says what its numbers are"),
            (None, Some(_)) => checks.fail("material-table", "has no effect without --material-map"),
            (Some(_), Some(_)) if self.material.is_some() => {
                checks.fail("material", "is given beside --material-map; only one of the two can hold");
            }
            (Some(_), Some(table)) => return table.as_ref().map(RawMedium::from),
            (None, None) => {}
        }
        uniform.map(RawMedium::Uniform)
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

fn label(text: &str) -> Result<u32, Invalid> {
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
    // Divided, not multiplied: only so is 10keV the same number as 0.01MeV.
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
