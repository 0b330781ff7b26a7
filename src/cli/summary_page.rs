//! The summary of a result as a picture.

use std::path::Path;

use super::dicom::{is_dicom_name, write_object};
use super::outputs::ResultInputs;
use crate::domain::{DoseError, DoseResult, Invalid};
use crate::formats::atomic::write_bytes;
use crate::formats::dicom::write::secondary_capture;
use crate::report::SummaryPage;
use crate::report::summary_page::SIZE;

/// Writes the page of the summary as its name asks for.
pub(super) fn write(path: &Path, from: &ResultInputs, result: &DoseResult) -> Result<(), DoseError> {
    let (organs, histograms) =
        from.organs.map_or((&[][..], &[][..]), |tables| (tables.doses.as_slice(), tables.histograms.as_slice()));
    let page = SummaryPage { result, organs, histograms };
    match &from.ready.dicom {
        Some(dicom) if is_dicom_name(path) => {
            let object = secondary_capture(SIZE, page.rgb()?, "dosegrid summary", &dicom.reference);
            let object = object.map_err(|Invalid(reason)| DoseError::invalid("summary-output", reason))?;
            write_object("summary-output", path, &object)
        }
        _ => write_bytes(path, &page.png()?)
            .map_err(|error| DoseError::Io(format!("summary-output: cannot be written: {}: {error}", path.display()))),
    }
}
