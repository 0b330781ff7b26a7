//! The picture of the case.

use super::{Case, PhantomRegion};
use crate::domain::{DoseError, Provenance, Volume};
use crate::dosimetry::DoseDistribution;
use crate::report::{DoseCurve, DosePicture, Mark};

/// A point in both sections [cm]: the axial one is cut at its z, the coronal one at its y. Together they show both
/// kidneys, the spleen, the spine and the tumours.
const SECTIONS_AT_CM: [f64; 3] = [0.0, 4.7, 35.3];

/// Dose-volume histograms: name, regions that are taken together, and how the curve is drawn.
const SHOWN: [(&str, &[PhantomRegion], Mark); 6] = [
    ("liver", &[PhantomRegion::Liver], Mark::Line),
    ("spleen", &[PhantomRegion::Spleen], Mark::Line),
    ("kidneys", &[PhantomRegion::LeftKidney, PhantomRegion::RightKidney], Mark::Line),
    ("large liver metastasis", &[PhantomRegion::LargeLiverMetastasis], Mark::Dashes),
    ("small liver metastasis", &[PhantomRegion::SmallLiverMetastasis], Mark::Dashes),
    ("vertebral metastasis", &[PhantomRegion::VertebralMetastasis], Mark::Dashes),
];

/// The picture of a dose in the phantom, as the bytes of a PNG.
///
/// * `dose` – on the grid of the case [Gy]
///
/// # Errors
/// If it cannot be drawn.
pub fn figure(case: &Case, dose: &Volume<f32>, provenance: &Provenance) -> Result<Vec<u8>, DoseError> {
    let [_, coronal, axial] = case.phantom.voxel_at(SECTIONS_AT_CM);
    let shown = SHOWN.into_iter();
    let regions: Vec<DoseCurve> =
        shown.filter_map(|(name, parts, mark)| curve(case, dose, name, parts, mark)).collect();
    let [nx, ny, nz] = dose.grid().shape();
    let [dx, dy, dz] = dose.grid().spacing_mm();
    let Provenance { device, method, density_correction, nuclide, version, commit, .. } = provenance;
    let correction = density_correction.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    let subtitle = format!(
        "{nuclide} · method {method}{correction} · computed on {}: {} ({}) · \
         {nx} × {ny} × {nz} voxels of {dx:.2} × {dy:.2} × {dz:.2} mm",
        device.id, device.name, device.backend
    );
    let caption = format!(
        "dosegrid {version} ({commit}) · stylised adult of ORNL/TM-8381, activity as a SPECT of 10 mm resolution \
         shows it; its noise and blur make the dots in lung and at the skin · not a patient, not for clinical use"
    );
    DosePicture {
        ct: &case.ct,
        dose,
        slices: [axial, coronal],
        regions: &regions,
        title: "Absorbed dose from a first cycle of 7.4 GBq Lu-177-DOTATATE in a stylised adult",
        subtitle: &subtitle,
        caption: &caption,
    }
    .png()
}

/// The histogram of some regions together; none if they have no voxel, as on a coarse grid.
fn curve(case: &Case, dose: &Volume<f32>, name: &str, parts: &[PhantomRegion], mark: Mark) -> Option<DoseCurve> {
    let is_part = |label: u8| parts.iter().any(|region| region.label() == label);
    let inside = case.labels.as_slice().iter().zip(dose.as_slice()).filter(|(label, _)| is_part(**label));
    let distribution = DoseDistribution::new(inside.map(|(_, dose)| *dose).collect())?;
    Some(DoseCurve { name: name.to_owned(), distribution, mark })
}
