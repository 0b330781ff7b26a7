//! What a report is made from, in a folder, to make it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::{ActivityAccount, DoseError, DoseResult, Invalid, Organ, Organs, Provenance, Volume, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::formats::atomic::{behind_links, remove_if_there};
use crate::formats::json;
use crate::formats::labels::write_mask;
use crate::formats::volume_file::{Origin, read_volume, write_volume};
use crate::report::dose_report::ReportOrgans;

/// What the file of words and figures is called, and what it says it is.
const FILE: &str = "report_data.json";
const FORMAT: &str = "dosegrid.report_data";
/// Version of it that is written, and alone is read.
const VERSION: u32 = 1;
/// The maps.
const DOSE: &str = "dose.nii.gz";
const DENSITY: &str = "density.nii.gz";
/// How the name of the mask of an organ begins, before its label.
const MASK: &str = "organ_";

/// Words and figures.
#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    provenance: Provenance,
    activity: ActivityAccount,
    warnings: Vec<Warning>,
    has_density: bool,
    /// None: there were no organs.
    organs: Option<Vec<OrganDose>>,
    histograms: Vec<Option<CumulativeHistogram>>,
    /// Input files by their flags, and their SHA-256.
    inputs: Vec<(String, String)>,
}

/// What a report is made from.
pub(super) struct ReportData {
    /// Without uncertainty, weighted dose and tally.
    pub(super) result: DoseResult,
    pub(super) density: Option<Volume<f32>>,
    pub(super) organs: Option<(Organs, Vec<OrganDose>)>,
    pub(super) histograms: Vec<Option<CumulativeHistogram>>,
    pub(super) inputs: Vec<(String, String)>,
}

/// What is written.
pub(super) struct Written<'a> {
    pub(super) result: &'a DoseResult,
    pub(super) density: Option<&'a Volume<f32>>,
    pub(super) organs: Option<ReportOrgans<'a>>,
    pub(super) inputs: &'a [(String, String)],
}

impl Written<'_> {
    /// Writes all into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<(), DoseError> {
        let failed = |error: std::io::Error| DoseError::Io(format!("report-data: cannot be written: {error}"));
        fs::create_dir_all(folder).map_err(failed)?;
        // Without it nothing is read: no report is made of two results if this ends early.
        remove_if_there(&folder.join(FILE)).map_err(failed)?;
        let map = |name: &str, volume: &Volume<f32>, what: &str| {
            write_volume(&folder.join(name), volume, what, &Origin::default()).map_err(failed)
        };
        map(DOSE, &self.result.dose, "dosegrid: absorbed dose [Gy]")?;
        if let Some(density) = self.density {
            map(DENSITY, density, "dosegrid: mass density [g/cm3]")?;
        }
        if let Some(ReportOrgans { organs, .. }) = self.organs {
            for organ in organs.organs() {
                let path = mask(folder, organ.label);
                write_mask(&path, organs.grid(), organ, "dosegrid: organ").map_err(failed)?;
            }
        }
        let file = File {
            format: FORMAT.into(),
            version: VERSION,
            provenance: self.result.provenance.clone(),
            activity: self.result.activity.clone(),
            warnings: self.result.warnings.clone(),
            has_density: self.density.is_some(),
            organs: self.organs.map(|organs| organs.doses.to_vec()),
            histograms: self.organs.map(|organs| organs.histograms.to_vec()).unwrap_or_default(),
            inputs: self.inputs.to_vec(),
        };
        json::write(&folder.join(FILE), &file).map_err(failed)
    }
}

/// Whether a file has the place of one that [`Written::write`] may write.
pub(super) fn would_replace(folder: &Path, path: &Path) -> bool {
    let path = behind_links(path);
    let above = path.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    let is_inside = above.is_some_and(|above| {
        folder.canonicalize().is_ok_and(|folder| above.canonicalize().is_ok_and(|above| above == folder))
    });
    is_inside && is_own(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Whether a name is that of a file of such a folder.
fn is_own(name: &str) -> bool {
    let is_mask = name.strip_prefix(MASK).and_then(|rest| rest.strip_suffix(".nii.gz")).is_some();
    is_mask || [FILE, DOSE, DENSITY].contains(&name)
}

/// Removes what [`Written::write`] has left in a folder; it need not be there.
///
/// # Errors
/// If a file cannot be removed.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    // First that without which nothing is read.
    remove_if_there(&folder.join(FILE))?;
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if is_own(&entry.file_name().to_string_lossy()) {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// The file of an organ.
fn mask(folder: &Path, label: u16) -> PathBuf {
    folder.join(format!("{MASK}{label}.nii.gz"))
}

impl ReportData {
    /// Reads what [`Written::write`] wrote.
    ///
    /// # Errors
    /// If a file is not there or not what it should be.
    pub(super) fn read(folder: &Path) -> Result<Self, Invalid> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| {
            Invalid::new(format!(
                "{} cannot be read: {error}; it is written by `study`, and by `compute` with --report-data",
                path.display()
            ))
        })?;
        let file: File =
            serde_json::from_str(&text).map_err(|error| Invalid::new(format!("{}: {error}", path.display())))?;
        if file.format != FORMAT || file.version != VERSION {
            return Err(Invalid::new(format!("{} is not {FORMAT} of version {VERSION}", path.display())));
        }
        let map = |name: &str| -> Result<Volume<f32>, Invalid> {
            let named = |Invalid(reason): Invalid| Invalid::new(format!("{name}: {reason}"));
            Ok(read_volume(&folder.join(name)).map_err(named)?.volume)
        };
        let dose = map(DOSE)?;
        let density = if file.has_density { Some(map(DENSITY)?) } else { None };
        let grid = dose.grid().clone();
        let organ = |organ: &OrganDose| {
            let volume = read_volume(&mask(folder, organ.label))?.volume;
            grid.check_same(volume.grid())?;
            Organ::of_shares(organ.label, Some(organ.name.clone()), &volume)
        };
        let organs = match file.organs {
            None => None,
            Some(doses) => {
                let organs: Result<Vec<Organ>, Invalid> = doses.iter().map(organ).collect();
                Some((Organs::new(grid.clone(), organs?)?, doses))
            }
        };
        Ok(Self {
            result: DoseResult {
                dose,
                uncertainty: None,
                weighted: None,
                tally: None,
                provenance: file.provenance,
                activity: file.activity,
                warnings: file.warnings,
            },
            density,
            organs,
            histograms: file.histograms,
            inputs: file.inputs,
        })
    }
}
