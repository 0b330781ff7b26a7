//! The case of the demonstration: the files that a user would bring.

use std::io;
use std::path::{Path, PathBuf};

use super::{PhantomRegion, Spect, StylisedPhantom, uptake};
use crate::domain::{Invalid, Volume};
use crate::formats::{label_names, nifti};

/// The phantom with its time-integrated activity, CT and organs, all on one grid.
#[derive(Clone, Debug)]
pub struct Case {
    /// The phantom that the volumes are made from.
    pub phantom: StylisedPhantom,
    /// Time-integrated activity as a SPECT image shows it [Bq·s].
    pub activity: Volume<f32>,
    /// CT numbers [HU].
    pub ct: Volume<f32>,
    /// Region of each voxel, by [`PhantomRegion::label`].
    pub labels: Volume<u8>,
}

/// Paths of the files of a case.
#[derive(Clone, Debug)]
pub struct CaseFiles {
    /// Time-integrated activity [Bq·s].
    pub activity: PathBuf,
    /// CT [HU].
    pub ct: PathBuf,
    /// Labels.
    pub labels: PathBuf,
    /// Names of the labels, CSV.
    pub label_names: PathBuf,
}

impl Case {
    /// Builds the case.
    ///
    /// * `shape` – voxels along x, y and z over the field of view of [`StylisedPhantom::new`]
    ///
    /// # Errors
    /// As [`StylisedPhantom::new`].
    pub fn new(shape: [u64; 3]) -> Result<Self, Invalid> {
        let phantom = StylisedPhantom::new(shape)?;
        let truth = phantom.spread(|region| uptake::decays(&phantom, region));
        let activity = Spect::default().image(&truth);
        let (ct, labels) = (phantom.ct_numbers(), phantom.labels());
        Ok(Self { phantom, activity, ct, labels })
    }

    /// Writes the case into a folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<CaseFiles> {
        let files = CaseFiles {
            activity: folder.join("activity.nii.gz"),
            ct: folder.join("ct.nii.gz"),
            labels: folder.join("labels.nii.gz"),
            label_names: folder.join("label-names.csv"),
        };
        nifti::write(&files.activity, &self.activity, "dosegrid demo: time-integrated activity [Bq s]")?;
        nifti::write(&files.ct, &self.ct, "dosegrid demo: CT [HU]")?;
        nifti::write(&files.labels, &self.labels.map(|&label| f32::from(label)), "dosegrid demo: labels")?;
        let inside = PhantomRegion::ALL.into_iter().filter(|region| *region != PhantomRegion::Outside);
        label_names::write(&files.label_names, inside.map(|region| (region.label().into(), region.name())))?;
        Ok(files)
    }
}
