//! What lies under a path, series by series: headers without pixels, which are read again when they are wanted.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};
use super::parse::{self, Parsed, uid};
use super::patient;
use super::pixels::{Layout, Stored};
use super::source;
use crate::domain::Invalid;

/// Modalities that are named; a file may hold anything there.
const MODALITIES: [&str; 22] = [
    "CT", "NM", "PT", "MR", "SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTIMAGE", "RTRECORD", "RWV", "REG", "SR", "PR",
    "KO", "OT", "SC", "DOC", "US", "XA", "CR", "DX",
];

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ct,
    Nm,
    Pet,
    Segmentation,
    Structures,
    Dose,
    RealWorldMap,
    Other,
}

impl Kind {
    /// By the SOP class, else by the modality.
    fn of(object: &Object) -> Self {
        let class = object.text(tags::SOP_CLASS_UID).unwrap_or_default();
        match class.strip_prefix("1.2.840.10008.5.1.4.1.1.").unwrap_or_default() {
            "2" | "2.1" | "2.2" => Self::Ct,
            "20" => Self::Nm,
            "128" | "128.1" | "130" => Self::Pet,
            "66.4" | "66.7" => Self::Segmentation,
            "481.3" => Self::Structures,
            "481.2" => Self::Dose,
            "67" => Self::RealWorldMap,
            "" => match object.text(tags::MODALITY).as_deref() {
                Some("CT") => Self::Ct,
                Some("NM") => Self::Nm,
                Some("PT") => Self::Pet,
                Some("SEG") => Self::Segmentation,
                Some("RTSTRUCT") => Self::Structures,
                Some("RTDOSE") => Self::Dose,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// In words, for a reason.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Ct => "CT",
            Self::Nm => "NM",
            Self::Pet => "PET",
            Self::Segmentation => "segmentation",
            Self::Structures => "structure set",
            Self::Dose => "RT dose",
            Self::RealWorldMap => "real world value map",
            Self::Other => "object that is not read",
        }
    }
}

/// A file without its pixels.
pub(super) struct Instance {
    pub(super) path: PathBuf,
    pub(super) object: Object,
    /// How its pixels are laid out, or why they cannot be read.
    pub(super) layout: Result<Layout, Invalid>,
}

impl Instance {
    /// The layout of the pixels.
    pub(super) fn layout(&self) -> Result<&Layout, Invalid> {
        self.layout.as_ref().map_err(Clone::clone)
    }

    /// The pixels, read again.
    pub(super) fn stored(&self) -> Result<Stored, Invalid> {
        let Parsed { object, syntax, stored } = parse::parse(&source::bytes(&self.path)?)?;
        let again = Layout::of(&object, stored.as_ref(), &syntax)?;
        match stored {
            Some(stored) if Ok(&again) == self.layout.as_ref() => Ok(stored),
            _ => Err(Invalid::new("changed while it was read")),
        }
    }

    /// Words of Image Type.
    pub(super) fn image_type(&self) -> Vec<String> {
        let words = self.object.words(tags::IMAGE_TYPE);
        words.into_iter().map(|word| word.to_uppercase()).collect()
    }

    /// Whether it is a scout.
    pub(super) fn is_localizer(&self) -> bool {
        self.image_type().iter().any(|word| word == "LOCALIZER")
    }
}

/// The files of a series that hold the same kind of thing.
pub(super) struct Series {
    pub(super) uid: String,
    pub(super) kind: Kind,
    pub(super) instances: Vec<Instance>,
}

impl Series {
    /// The header of the first file.
    pub(super) fn first(&self) -> &Object {
        &self.instances[0].object
    }

    /// The frame of reference that all files share.
    ///
    /// # Errors
    /// If they have several.
    pub(super) fn frame_of_reference(&self) -> Result<Option<String>, Invalid> {
        self.common(tags::FRAME_OF_REFERENCE_UID, "frames of reference")
    }

    /// The study that all files belong to.
    pub(super) fn study(&self) -> Option<String> {
        uid(self.first(), tags::STUDY_INSTANCE_UID)
    }

    /// A value for a patient, by which two are told apart; it does not say who it is.
    pub(super) fn patient(&self) -> Option<String> {
        patient::of(self.first())
    }

    /// Whether all files are of one patient.
    ///
    /// # Errors
    /// If they are not.
    pub(super) fn check_one_patient(&self) -> Result<(), Invalid> {
        let all = || self.instances.iter().map(|one| patient::of(&one.object));
        if patient::count(all()) <= 1 {
            return Ok(());
        }
        let own = self.patient();
        let others = all().filter(|other| !patient::may_be_one(other.as_deref(), own.as_deref())).count();
        Err(Invalid::new(format!(
            "mixes slices of several patients: {others} of {} files have another Patient ID, issuer or date of birth than \
             the first",
            self.instances.len()
        )))
    }

    fn common(&self, tag: dicom_core::Tag, what: &str) -> Result<Option<String>, Invalid> {
        let mut found: Vec<Option<String>> = self.instances.iter().map(|one| uid(&one.object, tag)).collect();
        found.sort();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            several => Err(Invalid::new(format!("has files of {} {what}", several.len()))),
        }
    }

    /// The modality, as the file says, if it is a usual one.
    pub(super) fn modality(&self) -> String {
        let modality = self.first().text(tags::MODALITY).unwrap_or_default();
        let known = MODALITIES.iter().find(|known| **known == modality);
        known.map_or_else(|| "other".to_owned(), |known| (*known).to_owned())
    }
}

/// All series under a path.
pub(super) struct Study {
    pub(super) series: Vec<Series>,
    /// Files that are no DICOM files.
    pub(super) others: usize,
    /// Why files cannot be read.
    pub(super) damaged: Vec<Invalid>,
    /// Whether the path is that of a single file.
    pub(super) is_file: bool,
}

impl Study {
    /// Reads all headers.
    ///
    /// # Errors
    /// If no DICOM file is there, or the only one cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, Invalid> {
        let found = source::files(path)?;
        let is_file = !path.is_dir();
        let mut study = Self { series: Vec::new(), others: found.others, damaged: Vec::new(), is_file };
        for path in found.dicom {
            match source::bytes(&path).and_then(|bytes| parse::parse(&bytes)) {
                Ok(parsed) => study.add(path, parsed),
                Err(fault) if is_file => return Err(fault),
                Err(fault) => study.damaged.push(fault),
            }
        }
        let cut = || Invalid::new("is empty or cut short, or is named as a DICOM file, and does not begin as one");
        study.damaged.extend(std::iter::repeat_with(cut).take(found.broken));
        let closed = || Invalid::new("cannot be opened: its permissions, or those of its folder, forbid it");
        study.damaged.extend(std::iter::repeat_with(closed).take(found.closed));
        study.series.sort_by(|a, b| (a.kind, &a.uid).cmp(&(b.kind, &b.uid)));
        Ok(study)
    }

    fn add(&mut self, path: PathBuf, parsed: Parsed) {
        let Parsed { object, syntax, stored } = parsed;
        let kind = Kind::of(&object);
        let series_uid = uid(&object, tags::SERIES_INSTANCE_UID).unwrap_or_default();
        let layout = Layout::of(&object, stored.as_ref(), &syntax);
        let instance = Instance { path, object, layout };
        match self.series.iter_mut().find(|series| series.uid == series_uid && series.kind == kind) {
            Some(series) => series.instances.push(instance),
            None => self.series.push(Series { uid: series_uid, kind, instances: vec![instance] }),
        }
    }

    /// Damaged files: a slice may be among them, so that nothing is read beside them.
    pub(super) fn check_whole(&self) -> Result<(), Invalid> {
        match self.damaged.first() {
            None => Ok(()),
            Some(Invalid(reason)) => Err(Invalid::new(format!(
                "holds {} files that cannot be read, and a slice may be among them: the first {reason}; fetch them again, \
                 or move away what is no part of the study",
                self.damaged.len()
            ))),
        }
    }

    /// The series that holds what is wanted.
    ///
    /// * `series` – its UID, if the caller names one
    /// * `is_wanted` – of a series, whether it may be meant
    /// * `what` – what is wanted, in words
    ///
    /// # Errors
    /// If there is none, or several and the caller has named none.
    pub(super) fn choose(
        &self,
        series: Option<&str>,
        is_wanted: impl Fn(&Series) -> bool,
        what: &str,
    ) -> Result<&Series, Invalid> {
        if let Some(wanted) = series {
            let named: Vec<&Series> = self.series.iter().filter(|series| series.uid == wanted).collect();
            return match named.iter().find(|series| is_wanted(series)) {
                Some(series) => Ok(series),
                None => Err(Invalid::new(match named.first() {
                    Some(other) => format!("the series {wanted} is a {}, not {what}", other.kind.words()),
                    None => format!("holds no series {wanted}; there are: {}", self.list(&|_| true)),
                })),
            };
        }
        let found: Vec<&Series> = self.series.iter().filter(|series| is_wanted(series)).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Invalid::new(format!("holds no {what}; there are: {}", self.list(&|_| true)))),
            several => Err(Invalid::new(format!(
                "holds {} series that may be meant; name one with --series UID or FOLDER#UID: {}",
                several.len(),
                self.list(&is_wanted)
            ))),
        }
    }

    /// Series for a reader: UID, modality, files and time; nothing of the patient.
    fn list(&self, which: &dyn Fn(&Series) -> bool) -> String {
        let words: Vec<String> = self
            .series
            .iter()
            .filter(|series| which(series))
            .map(|series| {
                let uid = if series.uid.is_empty() { "(no series UID)" } else { &series.uid };
                let files = series.instances.len();
                let noun = if files == 1 { "file" } else { "files" };
                format!("{uid} ({}, {files} {noun})", series.modality())
            })
            .collect();
        if words.is_empty() { "nothing".into() } else { words.join(", ") }
    }
}
