//! Flags of what decays besides the nuclide itself, and of how its radiation is weighted.

use std::path::{Path, PathBuf};

use super::options::number;
use crate::cli::daughters::WhichDaughters;
use crate::domain::{ActivityUnit, BiologicalWeighting, Checks, Invalid, Nuclide, Source};
use crate::physics::{chain, nuclide};

// Strings where they are numbers, so that one run names every fault.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Daughters and biological weighting")]
pub(super) struct DaughterArgs {
    #[command(flatten)]
    which: WhichDaughters,
    /// Map of a daughter that moved before it decayed, such as Bi-213=map.nii.gz, in the unit of --activity-unit, which must be time-integrated; may be repeated
    #[arg(long, value_name = "NAME=FILE")]
    daughter_activity: Vec<String>,
    /// Weight of alpha particles in --weighted-output [default: 5]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    rbe_alpha: Option<String>,
    /// Weight of recoils in --weighted-output [default: that of alpha particles]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    rbe_recoil: Option<String>,
}

/// What decays in each map.
pub(super) struct Sources {
    pub(super) first: Source,
    pub(super) daughters: Vec<(Source, PathBuf)>,
}

impl DaughterArgs {
    /// Names of the flags that were given and say what decays.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let own = (!self.daughter_activity.is_empty()).then_some("daughter-activity");
        self.which.given().chain(own)
    }

    /// Files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = Option<&Path>> {
        self.daughter_activity.iter().map(|text| text.split_once('=').map(|(_, file)| Path::new(file)))
    }

    /// What decays in each map.
    pub(super) fn sources(
        &self,
        nuclide: Option<&'static Nuclide>,
        unit: Option<ActivityUnit>,
        checks: &mut Checks,
    ) -> Option<Sources> {
        let mode = self.which.mode(unit, checks);
        let maps = self.maps(unit, checks);
        let (nuclide, mode, maps) = (nuclide?, mode?, maps?);
        let apart: Vec<&'static Nuclide> = maps.iter().map(|(daughter, _)| *daughter).collect();
        let first = checks.at("daughter-activity", chain::source(nuclide, mode, &apart))?;
        let daughter = |(daughter, file): (&'static Nuclide, PathBuf)| {
            Some((chain::source(daughter, mode, &chain::among_descendants(daughter, &apart)).ok()?, file))
        };
        Some(Sources { first, daughters: maps.into_iter().map(daughter).collect::<Option<_>>()? })
    }

    /// The daughters with maps of their own.
    fn maps(&self, unit: Option<ActivityUnit>, checks: &mut Checks) -> Option<Vec<(&'static Nuclide, PathBuf)>> {
        if let (false, Some(ActivityUnit::Bq { .. })) = (self.daughter_activity.is_empty(), unit) {
            let reason = "needs a time-integrated unit, bq-s or mbq-h: a daughter does not wane with one half-life";
            checks.fail("daughter-activity", reason);
        }
        let map = |text: &String| {
            let parts = text.split_once('=').filter(|(_, file)| !file.is_empty());
            let parts = parts.ok_or_else(|| Invalid::new(format!("is a nuclide, = and a file, got `{text}`")));
            let (name, file) = checks.at("daughter-activity", parts)?;
            Some((checks.at("daughter-activity", nuclide::find(name))?, PathBuf::from(file)))
        };
        // Every one is looked at, even after a bad one.
        let maps: Vec<_> = self.daughter_activity.iter().map(map).collect();
        maps.into_iter().collect()
    }

    /// * `wanted` – whether a weighted dose is asked for
    pub(super) fn weighting(&self, wanted: bool, checks: &mut Checks) -> Option<BiologicalWeighting> {
        let flags = [("rbe-alpha", &self.rbe_alpha), ("rbe-recoil", &self.rbe_recoil)];
        if !wanted {
            for (flag, _) in flags.iter().filter(|(_, given)| given.is_some()) {
                checks.fail(*flag, "has no effect without --weighted-output");
            }
            return None;
        }
        let [alpha, recoil] = flags.map(|(flag, text)| number(text, flag, checks));
        let alpha = alpha.unwrap_or(BiologicalWeighting::default().alpha);
        let weighting = BiologicalWeighting { alpha, recoil: recoil.unwrap_or(alpha) };
        let mut faults = Checks::new();
        weighting.check("rbe", &mut faults);
        for fault in faults.into_violations() {
            checks.fail(fault.field.replace('.', "-"), fault.reason);
        }
        Some(weighting)
    }
}
