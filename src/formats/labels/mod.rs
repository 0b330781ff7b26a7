//! Organs from files: a map of labels, several maps, a stack of masks, or a folder of masks as TotalSegmentator writes.
//! Organs may overlap: none loses a voxel to another.

mod frames;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::write::write_mask;

use self::frames::{Found, organs_of};
use crate::domain::{Invalid, Organs, RigidTransform, VoxelGrid};
use crate::formats::dicom::{self, LabelGrid, Place, check_pair};
use crate::formats::volume_file::{Origin, is_volume_name, name_of, read_frames};
use crate::resample::Resampler;

/// Organs as read.
#[derive(Clone, Debug)]
pub struct LabelFiles {
    /// The organs, on the grid of the first file.
    pub organs: Organs,
    /// How the first file says where it lies.
    pub origin: Origin,
    /// Where the first DICOM file lies and to whom it belongs, where there is one.
    pub dicom: Option<LabelGrid>,
    /// What looks wrong but may be meant, each with the name of its file.
    pub warnings: Vec<String>,
}

/// Reads the organs of one or more files or folders.
///
/// The labels of maps are kept if no two files have the same one. Otherwise each file is one organ, is numbered from 1
/// in the order that they are given (in a folder by name), and has the name of its file.
///
/// # Errors
/// If a file cannot be read, holds no labels, or lies on another grid than the first; every such fault, with the name
/// of the file.
pub fn read(paths: &[PathBuf]) -> Result<LabelFiles, Invalid> {
    read_beside(paths, None)
}

/// Reads organs as [`read`] does.
///
/// * `images` – what contours lie on whose own images are not beside them
///
/// # Errors
/// As [`read`].
pub fn read_beside(paths: &[PathBuf], images: Option<&LabelGrid>) -> Result<LabelFiles, Invalid> {
    let files = all_files(paths)?;
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    let mut found: Vec<Found> = Vec::new();
    let mut first: Option<(Arc<VoxelGrid>, Origin)> = None;
    for path in &files {
        match read_one(path, first.as_ref().map(|(grid, _)| grid), images) {
            Ok(one) => {
                first.get_or_insert_with(|| (one.organs.grid().clone(), one.origin.clone()));
                warnings.extend(one.warnings.iter().map(|warning| format!("`{}`: {warning}", name_of(path))));
                found.push(one);
            }
            Err(Invalid(reason)) if files.len() == 1 => return Err(Invalid(reason)),
            Err(Invalid(reason)) => faults.push(format!("`{}` {reason}", name_of(path))),
        }
    }
    if !faults.is_empty() {
        return Err(Invalid::new(faults.join("; ")));
    }
    let (grid, origin) = first.expect("there is a file, or a fault");
    let dicom = belonging(&files, &mut found)?;
    let organs = joined(&files, found, grid, &mut warnings)?;
    Ok(LabelFiles { organs, origin, dicom, warnings })
}

/// Where the first DICOM file lies and whose it is.
///
/// # Errors
/// If another is of another patient, or lies in another frame of reference.
fn belonging(files: &[PathBuf], found: &mut [Found]) -> Result<Option<LabelGrid>, Invalid> {
    let mut first: Option<(&Path, LabelGrid)> = None;
    for (path, one) in files.iter().zip(found) {
        let Some(own) = one.dicom.take() else { continue };
        if let Some((other, known)) = &first {
            let names = [path, *other].map(|path| format!("`{}`", name_of(path)));
            check_pair(&names[0], &own.belonging(), &names[1], &known.belonging())?;
        } else {
            first = Some((path, own));
        }
    }
    Ok(first.map(|(_, own)| own))
}

/// Files as given, folders by the volumes in them.
fn all_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Invalid> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() || Place::of(path).is_dicom(is_volume_name) {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
        let mut inside: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        inside.retain(|path| path.is_file() && is_volume_name(path));
        if inside.is_empty() {
            return Err(Invalid::new(format!("the folder `{}` holds no volumes", name_of(path))));
        }
        inside.sort_unstable();
        files.append(&mut inside);
    }
    if files.is_empty() { Err(Invalid::new("there is no file of labels")) } else { Ok(files) }
}

/// * `grid` – that of the first file; what lies on it in another order is put in its order
/// * `images` – what contours lie on whose own images are not beside them
fn read_one(path: &Path, grid: Option<&Arc<VoxelGrid>>, images: Option<&LabelGrid>) -> Result<Found, Invalid> {
    let place = Place::of(path);
    let found = if place.is_dicom(is_volume_name) { of_dicom(place, images)? } else { organs_of(read_frames(path)?)? };
    let Some(grid) = grid else {
        return Ok(found);
    };
    let resampler = Resampler::new(found.organs.grid(), grid, &RigidTransform::IDENTITY);
    if !resampler.is_reordering() {
        return Err(Invalid::new(
            "lies on another grid than the first file of labels; put it there with `dosegrid resample --kind labels`",
        ));
    }
    Ok(Found { organs: resampler.organs(&found.organs)?, ..found })
}

/// Organs of a segmentation or structure set, on the images that they were drawn on.
fn of_dicom(place: Place, images: Option<&LabelGrid>) -> Result<Found, Invalid> {
    let own = dicom::read_labels(place.clone(), None, None);
    let labels = match (own, images) {
        // Whatever else is wrong is found again.
        (Err(_), Some(images)) => dicom::read_labels(place, Some(images.clone()), None)?,
        (own, _) => own?,
    };
    let dicom = LabelGrid {
        grid: VoxelGrid::clone(labels.organs.grid()),
        frame_of_reference: labels.frame_of_reference,
        patient: labels.patient,
    };
    Ok(Found { organs: labels.organs, origin: Origin::default(), dicom: Some(dicom), warnings: labels.warnings })
}

/// The organs of all files, with unlike labels.
fn joined(
    files: &[PathBuf],
    found: Vec<Found>,
    grid: Arc<VoxelGrid>,
    warnings: &mut Vec<String>,
) -> Result<Organs, Invalid> {
    let mut labels: Vec<u16> = found.iter().flat_map(|one| one.organs.organs()).map(|organ| organ.label).collect();
    labels.sort_unstable();
    let unlike = labels.is_sorted_by(|a, b| a < b);
    if unlike || found.len() == 1 {
        let organs = found.into_iter().flat_map(|one| one.organs.organs().to_vec()).collect();
        return Organs::new(grid, organs);
    }
    let mut organs = Vec::new();
    for (at, (path, one)) in files.iter().zip(found).enumerate() {
        let label = u16::try_from(at + 1).map_err(|_| Invalid::new("at most 65535 files of labels are read"))?;
        let name = stem_of(path);
        match one.organs.organs() {
            [] => warnings.push(format!("`{}` is empty: there is no {name}", name_of(path))),
            [organ] => organs.push(organ.renamed(label, Some(name))?),
            _ => {
                return Err(Invalid::new(format!(
                    "`{}` holds several labels, and another file has one of them too; give each its own number",
                    name_of(path)
                )));
            }
        }
    }
    Organs::new(grid, organs)
}

/// The name of a file without its end, as the name of an organ.
fn stem_of(path: &Path) -> String {
    let name = name_of(path);
    let lower = name.to_lowercase();
    let ends = [".nii.gz", ".nii.bz2", ".hdr.gz", ".seg.nrrd"];
    let cut = ends
        .iter()
        .find(|end| lower.ends_with(*end))
        .map_or_else(|| name.rfind('.'), |end| Some(name.len() - end.len()));
    name[..cut.unwrap_or(name.len())].to_owned()
}
