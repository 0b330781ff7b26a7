//! What a study offers: its files, series by series, with what the readers of doses say of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::intake;
use crate::formats::dicom::{self, Calibration, Inventory, Outline, PATIENT_TOLD_BY, Place, SeriesEntry, Unread};

/// The class of real world value maps, which may belong to any image. Source: DICOM PS3.4, table B.5-1.
const REAL_WORLD_MAP: &str = "1.2.840.10008.5.1.4.1.1.67";

/// Whether a file may hold an activity.
pub(super) fn is_activity(outline: &Outline) -> bool {
    matches!(outline.modality.as_str(), "NM" | "PT") && outline.class != REAL_WORLD_MAP
}

/// A file of a study.
#[derive(Clone, Debug)]
pub(super) struct OfferFile {
    pub(super) path: PathBuf,
    pub(super) outline: Outline,
}

/// A series of a study.
#[derive(Clone, Debug)]
pub(super) struct SeriesOffer {
    pub(super) uid: String,
    /// Numbers of its files.
    pub(super) files: Vec<usize>,
    /// What its first file says.
    pub(super) outline: Outline,
    /// What the readers say.
    pub(super) entry: Option<SeriesEntry>,
}

impl SeriesOffer {
    pub(super) fn is_activity(&self) -> bool {
        is_activity(&self.outline)
    }

    pub(super) fn is_labels(&self) -> bool {
        matches!(self.outline.modality.as_str(), "SEG" | "RTSTRUCT")
    }

    /// The frame of reference of its volume.
    pub(super) fn frame(&self) -> Option<&str> {
        self.entry.as_ref()?.frame_of_reference.as_deref()
    }

    /// Why it cannot be read.
    pub(super) fn refused(&self) -> Option<&str> {
        self.entry.as_ref()?.refused.as_deref()
    }
}

/// A study.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// Name of the source; none where it is not known.
    pub(super) source: Option<String>,
    /// Title that sent it; empty where it did not come by C-STORE.
    pub(super) calling: String,
    pub(super) files: Vec<OfferFile>,
    pub(super) series: Vec<SeriesOffer>,
    /// Files that are not taken, each with the reason.
    pub(super) left: Vec<(PathBuf, String)>,
    /// What is wrong with the whole.
    pub(super) problems: Vec<String>,
}

impl Offer {
    /// Looks at the files of a folder.
    ///
    /// * `source`, `calling` – the way that its activities came
    ///
    /// # Errors
    /// If there is nothing to look at, or reading fails.
    pub(super) fn read(folder: &Path, source: Option<String>, calling: &str) -> Result<Self, Unread> {
        let mut offer = Self {
            folder: folder.to_owned(),
            source,
            calling: calling.to_owned(),
            files: Vec::new(),
            series: Vec::new(),
            left: Vec::new(),
            problems: Vec::new(),
        };
        for one in dicom::outlines_or_why(folder)? {
            match one.found {
                Err(reason) => offer.left.push((one.path, reason)),
                Ok(outline) => match intake::not_taken(&outline) {
                    Some(why) => offer.left.push((one.path, why.to_owned())),
                    None => offer.files.push(OfferFile { path: one.path, outline }),
                },
            }
        }
        let mut series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, file) in offer.files.iter().enumerate() {
            series.entry(&file.outline.series).or_default().push(number);
        }
        let of = |(uid, files): (&str, Vec<usize>)| SeriesOffer {
            uid: uid.to_owned(),
            outline: offer.files[files[0]].outline.clone(),
            files,
            entry: None,
        };
        offer.series = series.into_iter().map(of).collect();
        Ok(offer)
    }

    /// Has the readers look at every series.
    ///
    /// * `calibration` – makes activity of counts
    ///
    /// # Errors
    /// If reading fails as a whole.
    pub(super) fn look(&mut self, calibration: Option<(f64, Option<f64>)>) -> Result<(), Unread> {
        let place = Place { path: self.folder.clone(), series: None };
        let calibration =
            calibration.map(|(cps_per_mbq, acquisition_seconds)| Calibration { cps_per_mbq, acquisition_seconds });
        let Inventory { series, patients, .. } = dicom::inventory_or_why(place, calibration)?;
        for one in &mut self.series {
            one.entry = series.iter().find(|entry| entry.series_uid == one.uid).cloned();
        }
        // Whatever else is wrong with the whole is told by the computation, for the series that are meant.
        if patients > 1 {
            self.problems.push(format!("it holds files of {patients} patients ({PATIENT_TOLD_BY})"));
        }
        Ok(())
    }

    /// Files that belong to any image: real world value maps.
    pub(super) fn maps(&self) -> impl Iterator<Item = usize> {
        let is_map = |file: &OfferFile| file.outline.class == REAL_WORLD_MAP;
        self.files.iter().enumerate().filter(move |(_, file)| is_map(file)).map(|(number, _)| number)
    }
}
