//! Flags of what decays.

use std::path::{Path, PathBuf};

use crate::cli::daughters::WhichDaughters;
use crate::domain::{Checks, Invalid, Part};
use crate::formats::emissions;
use crate::physics::nuclide;
use crate::request::{RawEmission, RawSource};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What decays")]
pub(super) struct SourceArgs {
    /// Radionuclide, such as Lu-177; `dosegrid nuclides` lists them (required, unless --emissions is given)
    #[arg(long, value_name = "NAME")]
    nuclide: Option<String>,
    #[command(flatten)]
    daughters: WhichDaughters,
    /// Activity map of a daughter that moved before it decayed, such as Bi-213=map.nii.gz. Its unit is that of
    /// --activity-unit, which must be time-integrated. May be repeated
    #[arg(long, value_name = "NAME=FILE")]
    daughter_activity: Vec<String>,
    /// Spectrum in place of what the nuclide emits. CSV of charge (-1, 0, 1), lower and upper energy in MeV, yield per
    /// decay
    #[arg(long, value_name = "FILE")]
    emissions: Option<PathBuf>,
}

/// The map of a daughter, as its flag names it.
pub(super) struct DaughterFile<'a> {
    pub(super) nuclide: &'a str,
    pub(super) file: &'a Path,
}

impl SourceArgs {
    /// The same flags, with the nuclide of the file of the activity where they name none. Another nuclide is recorded
    /// as a fault.
    pub(super) fn completed(&self, in_file: Option<&str>, checks: &mut Checks) -> Self {
        let mut completed = self.clone();
        let Some(in_file) = in_file.filter(|_| self.emissions.is_none()) else { return completed };
        match self.nuclide.as_deref().map(nuclide::find) {
            None => completed.nuclide = Some(in_file.to_owned()),
            Some(Ok(own)) if own.name != in_file => {
                checks.fail("nuclide", format!("the file of the activity says {in_file}; leave the flag out"));
            }
            Some(_) => {}
        }
        completed
    }

    /// The nuclide that is named.
    pub(super) fn nuclide(&self) -> Option<&str> {
        self.nuclide.as_deref()
    }

    /// What decays in the activity map.
    pub(super) fn raw(&self, checks: &mut Checks) -> RawSource {
        RawSource {
            nuclide: self.nuclide.clone(),
            emissions: read_emissions(self.emissions.as_deref(), checks),
            daughters: self.daughters.raw(checks),
        }
    }

    /// The daughters with their own maps; flags that cannot be read have their fault recorded.
    pub(super) fn daughter_files(&self, checks: &mut Checks) -> Vec<Part<DaughterFile<'_>>> {
        let mut files = Vec::new();
        for text in &self.daughter_activity {
            let file = split(text).ok_or_else(|| Invalid::new(format!("is a nuclide, = and a file, got `{text}`")));
            files.push(Part::given(checks.at("daughter-activity", file)));
        }
        files
    }

    /// Input files that these flags name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let maps = self.daughter_activity.iter().filter_map(|text| Some(split(text)?.file));
        self.emissions.as_deref().into_iter().chain(maps)
    }
}

fn split(text: &str) -> Option<DaughterFile<'_>> {
    let (nuclide, file) = text.split_once('=').filter(|(_, file)| !file.is_empty())?;
    Some(DaughterFile { nuclide, file: Path::new(file) })
}

/// A spectrum of the caller's own.
pub(in crate::cli) fn read_emissions(path: Option<&Path>, checks: &mut Checks) -> Part<Vec<RawEmission>> {
    let Some(path) = path else { return Part::Absent };
    let spectrum = checks.at("emissions", emissions::read(path));
    Part::given(spectrum.map(|spectrum| spectrum.emissions().iter().map(RawEmission::from).collect()))
}
