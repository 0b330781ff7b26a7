//! The phantom as a study from the scanner: a CT, three SPECT images and a segmentation, in DICOM.

use std::fs;
use std::path::Path;

use super::{PhantomRegion, Spect, StylisedPhantom, uptake};
use crate::domain::{DoseError, Invalid, LabelMap, Organs, Volume};
use crate::formats::dicom::write::{Administration, DicomObject, Reference, ct_slices, nm_tomography, segmentation};

/// The patient, who is nobody, and the date of the study.
const PATIENT: [&str; 3] = ["PHANTOM^STYLISED", "DOSEGRID-DEMO", "20260105"];
/// Code of the nuclide in SNOMED CT, and its name there.
const NUCLIDE: [&str; 2] = ["447553000", "^177^Lutetium"];
/// The injection.
const INJECTION: &str = "20260105090000";
/// Hours after it at which the SPECT images begin, and their date and time.
pub const SCANS: [(f64, [&str; 2]); 3] =
    [(24.0, ["20260106", "090000"]), (72.0, ["20260108", "090000"]), (168.0, ["20260112", "090000"])];

/// A phantom seen by a scanner.
#[derive(Clone, Debug)]
pub struct DicomStudy {
    /// CT numbers [HU].
    pub ct: Volume<f32>,
    /// Activity concentration at each of [`SCANS`] [Bq/mL].
    pub activities: Vec<Volume<f32>>,
    /// The organs and tumours.
    pub organs: Organs,
}

impl DicomStudy {
    /// Sees the phantom. The noise of the images is that of [`Spect`], with a seed for each.
    ///
    /// # Errors
    /// If the phantom has too many voxels for organs.
    pub fn of(phantom: &StylisedPhantom) -> Result<Self, Invalid> {
        let voxel_ml = phantom.grid().voxel_volume_cm3();
        let image = |(seed, (hours, _)): (u64, &(f64, [&str; 2]))| {
            let truth = phantom.spread(|region| uptake::activity_bq(phantom, region, *hours));
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
            Spect { seed, ..Spect::default() }.image(&truth).map(|bq| (f64::from(*bq) / voxel_ml) as f32)
        };
        let activities = (1..).zip(&SCANS).map(image).collect();
        let found = Organs::of_map(&LabelMap::of(phantom.labels().map(|label| u16::from(*label))))?;
        let name = |label: u16| {
            let region = PhantomRegion::ALL.into_iter().find(|region| u16::from(region.label()) == label);
            region.map(|region| region.name().to_owned())
        };
        let named: Result<Vec<_>, Invalid> =
            found.organs().iter().map(|organ| organ.renamed(organ.label, name(organ.label))).collect();
        Ok(Self { ct: phantom.ct_numbers(), activities, organs: Organs::new(found.grid().clone(), named?)? })
    }

    /// Writes the study into a folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), DoseError> {
        let [name, id, date] = PATIENT;
        let reference = Reference::made_up(name, id, date);
        let failed = |error: std::io::Error| DoseError::Io(format!("{} cannot be written: {error}", folder.display()));
        let made = |Invalid(reason): Invalid| DoseError::Internal(format!("the phantom {reason}"));
        fs::create_dir_all(folder.join("ct")).map_err(failed)?;
        let write = |name: &str, object: &DicomObject| object.write(&folder.join(name)).map_err(failed);
        for (number, slice) in ct_slices(&self.ct, SCANS[0].1, &reference).map_err(made)?.iter().enumerate() {
            write(&format!("ct/{:03}.dcm", number + 1), slice)?;
        }
        let administration =
            Administration { nuclide: NUCLIDE, time: INJECTION, activity_mbq: uptake::ADMINISTERED_BQ / 1e6 };
        for (number, (activity, (_, time))) in self.activities.iter().zip(SCANS).enumerate() {
            let object = nm_tomography(activity, time, &administration, &reference).map_err(made)?;
            write(&format!("spect-{}.dcm", number + 1), &object)?;
        }
        write("organs.dcm", &segmentation(&self.organs, &reference).map_err(made)?)
    }
}
