//! DICOM files to and from the domain. Only this module knows data sets and their attributes.
//!
//! Read: CT, NM reconstructed tomography, PET, enhanced CT and PET, RT dose, segmentations, structure sets, real world
//! value maps. `docs/dicom.md` says what is refused, and why. Quantities and times come from what the files say, and
//! from nothing else; where two claims disagree, the file is refused.

mod account;
mod activity;
mod agreement;
mod apart;
mod attributes;
mod belonging;
mod code_stream;
mod ct_lines;
mod encapsulated;
mod escapes;
mod image;
mod inventory;
mod iod;
mod labels;
mod lengths;
mod nuclide_codes;
mod outline;
mod parse;
mod patient;
mod pixels;
mod planes;
mod radiopharmaceutical;
mod real_world;
mod reference;
mod scale;
mod segmentation;
mod series;
mod slices;
mod source;
mod stack;
mod structures;
mod taken;
mod times;
mod units;
mod unknown;
mod values;
mod vector;
mod whole;
pub mod write;

use crate::domain::Invalid;

pub use account::{
    ActivityAccount, Answer, Calibration, DicomImage, DicomLabels, ImageAccount, LabelGrid, Quantity, ReferenceHeaders,
    Request, Wanted,
};
pub use activity::NOT_QUANTITATIVE;
pub use apart::{Unread, read_apart_with, serve};
pub use belonging::{Belonging, check_no_third, check_pair, space_of_frame};
pub use inventory::{Inventory, SeriesEntry};
pub use outline::{Outline, Outlined};
pub use patient::PATIENT_TOLD_BY;
pub use radiopharmaceutical::Injection;
pub use source::{Place, files_below, is_read_with};
pub use taken::{CLASSES, MADE, SYNTAXES};

use image::Asked;
use series::Study;

/// Checks that every element of a data set in little endian ends within it, before anything is reserved for it.
///
/// * `is_explicit` – whether elements name their value representations
///
/// # Errors
/// If one does not.
pub fn check_lengths(bytes: &[u8], is_explicit: bool) -> Result<(), Invalid> {
    lengths::check(bytes, lengths::Encoding { explicit: is_explicit, big_endian: false }).map(drop)
}

/// Checks that a data set, as it is in a file, ends where its bytes do, and has what the last part of its kind holds:
/// cut between two elements, it would else look whole.
///
/// * `class` – UID of its SOP class
/// * `syntax` – UID of its transfer syntax
///
/// # Errors
/// If it does not.
pub fn check_data_set(bytes: &[u8], class: &str, syntax: &str) -> Result<(), Invalid> {
    whole::check_data_set(bytes, class, syntax)
}

/// Answers a question about files, in a process of its own where there is a program for it ([`read_apart_with`]).
///
/// # Errors
/// Why the files are refused, and what to do. The reason says nothing of the patient.
pub fn read(request: &Request) -> Result<Answer, Invalid> {
    apart::read(request).map_err(Unread::reason)
}

/// Reads a volume.
///
/// # Errors
/// As [`read`].
pub fn read_image(place: Place, wanted: Wanted) -> Result<DicomImage, Invalid> {
    match read(&Request::new(place, wanted))? {
        Answer::Image(image) => Ok(*image),
        Answer::Labels(_) | Answer::Inventory(_) | Answer::Reference(_) | Answer::Outlines(_) => {
            Err(Invalid::new("holds no volume"))
        }
    }
}

/// Reads organs and tumours.
///
/// * `grid` – where they are wanted; else on the images that they were drawn on
/// * `threshold` – the part, or probability, from which a voxel belongs to a segment
///
/// # Errors
/// As [`read`].
pub fn read_labels(place: Place, grid: Option<LabelGrid>, threshold: Option<f64>) -> Result<DicomLabels, Invalid> {
    match read(&Request::new(place, Wanted::Labels { grid, threshold }))? {
        Answer::Labels(labels) => Ok(*labels),
        Answer::Image(_) | Answer::Inventory(_) | Answer::Reference(_) | Answer::Outlines(_) => {
            Err(Invalid::new("holds no labels"))
        }
    }
}

/// Lists what is there.
///
/// * `calibration` – makes activity of counts; none: counts are refused
///
/// # Errors
/// As [`read`].
pub fn read_inventory(place: Place, calibration: Option<Calibration>) -> Result<Inventory, Invalid> {
    inventory_or_why(place, calibration).map_err(Unread::reason)
}

/// As [`read_inventory`]; whether the files are the reason where there is no answer.
///
/// # Errors
/// As [`read`].
pub fn inventory_or_why(place: Place, calibration: Option<Calibration>) -> Result<Inventory, Unread> {
    match apart::read(&Request::new(place, Wanted::Inventory { calibration }))? {
        Answer::Inventory(inventory) => Ok(*inventory),
        Answer::Image(_) | Answer::Labels(_) | Answer::Reference(_) | Answer::Outlines(_) => {
            Err(Unread::Refused(Invalid::new("holds no inventory")))
        }
    }
}

/// Lists every file, with what it says it is.
///
/// # Errors
/// If no DICOM file is there, or reading takes too much memory or time.
pub fn read_outlines(path: &std::path::Path) -> Result<Vec<Outlined>, Invalid> {
    outlines_or_why(path).map_err(Unread::reason)
}

/// As [`read_outlines`]; whether the files are the reason where there is no answer.
///
/// # Errors
/// As [`read_outlines`].
pub fn outlines_or_why(path: &std::path::Path) -> Result<Vec<Outlined>, Unread> {
    let place = Place { path: path.to_owned(), series: None };
    match apart::read(&Request::new(place, Wanted::Outlines))? {
        Answer::Outlines(outlines) => Ok(outlines),
        Answer::Image(_) | Answer::Labels(_) | Answer::Inventory(_) | Answer::Reference(_) => {
            Err(Unread::Refused(Invalid::new("holds no outlines")))
        }
    }
}

/// Answers a question about files in this process.
fn read_here(Request { path, series, wanted }: &Request) -> Result<Answer, Invalid> {
    if *wanted == Wanted::Outlines {
        return outline::of(path).map(Answer::Outlines);
    }
    let study = Study::read(path)?;
    let series = series.as_deref();
    let volume = |quantity, asked: Asked| {
        let image = image::read(&study, series, quantity, asked)?;
        Ok(Answer::Image(Box::new(image)))
    };
    match wanted {
        Wanted::AnyVolume => volume(None, Asked::default()),
        Wanted::Ct => volume(Some(Quantity::Hu), Asked::default()),
        Wanted::Dose { kind } => volume(Some(Quantity::Gy), Asked { dose: *kind, ..Asked::default() }),
        Wanted::Activity { calibration } => {
            volume(Some(Quantity::BqPerMl), Asked { calibration: *calibration, ..Asked::default() })
        }
        Wanted::Labels { grid, threshold } => {
            let labels = labels::read(&study, path, series, grid.clone(), *threshold)?;
            Ok(Answer::Labels(Box::new(labels)))
        }
        Wanted::Inventory { calibration } => Ok(Answer::Inventory(Box::new(inventory::of(&study, path, *calibration)))),
        Wanted::Outlines => outline::of(path).map(Answer::Outlines),
        Wanted::Reference => Ok(Answer::Reference(Box::new(write::reference_headers(&study, series)?))),
    }
}
