//! Organs and tumours: from segmentations and structure sets, each a mask of its own.

use std::path::Path;
use std::sync::Arc;

use dicom_dictionary_std::tags;

use super::account::{DicomLabels, LabelGrid};
use super::attributes::{Attributes, Object};
use super::belonging::{Belonging, check_pair};
use super::image::Picture;
use super::parse::uid;
use super::segmentation;
use super::series::{Kind, Series, Study};
use super::structures;
use crate::domain::transform::{compose, inverse};
use crate::domain::{Invalid, Organ, Organs, RigidTransform, VoxelGrid, words};
use crate::resample::Resampler;

/// Most files beside a file of labels that are looked through for the images it was drawn on.
const MOST_NEIGHBOURS: usize = 20_000;
/// How far a voxel centre may lie beside that of another grid and count as the same, in voxels.
const SAME_CENTRE: f64 = 0.02;

/// Labels before they are put on a grid.
pub(super) struct Found {
    pub(super) organs: Organs,
    pub(super) left_out: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

/// Reads a segmentation or structure set.
///
/// * `grid` – where the labels are wanted
/// * `threshold` – the part, or probability, from which a voxel belongs to a segment
///
/// # Errors
/// If there is none, or it belongs to another patient or frame of reference than the grid, or needs a grid or a
/// threshold that is not given.
pub(super) fn read(
    study: &Study,
    path: &Path,
    series: Option<&str>,
    grid: Option<LabelGrid>,
    threshold: Option<f64>,
) -> Result<DicomLabels, Invalid> {
    study.check_whole()?;
    if let Some(threshold) = threshold
        && !(threshold > 0.0 && threshold <= 1.0)
    {
        return Err(Invalid::new(format!("the threshold is a part above 0 and at most 1, got {threshold}")));
    }
    let is_labels = |series: &Series| matches!(series.kind, Kind::Segmentation | Kind::Structures);
    let chosen = study.choose(series, is_labels, "segmentation or structure set")?;
    let mut warnings = Vec::new();
    let Target { grid: target_grid, grid_of, frame_of_reference } = target(study, path, chosen, grid, &mut warnings)?;
    let patient = chosen.patient();
    let found = match (chosen.kind, &target_grid) {
        (Kind::Structures, Some(grid)) => structures::read(chosen, grid, frame_of_reference.as_deref())?,
        (Kind::Structures, None) => return Err(without_images()),
        _ => segmentation::read(chosen, threshold)?,
    };
    check_any(&found)?;
    warnings.extend(found.warnings);
    let left_out = found.left_out;
    warnings.extend(left_out.iter().map(left_out_in_words));
    let organs = match target_grid {
        Some(grid) if !Arc::ptr_eq(&grid, found.organs.grid()) => onto(&found.organs, &grid, &mut warnings)?,
        Some(_) | None => found.organs,
    };
    Ok(DicomLabels { organs, left_out, grid_of, frame_of_reference, patient, warnings })
}

/// Checks labels as [`read`] does without a grid and a threshold, as far as it can be told without pixels.
///
/// # Errors
/// Why they would be refused.
pub(super) fn check(study: &Study, path: &Path, chosen: &Series, warnings: &mut Vec<String>) -> Result<(), Invalid> {
    let Target { grid, frame_of_reference, .. } = target(study, path, chosen, None, warnings)?;
    match (chosen.kind, &grid) {
        (Kind::Structures, Some(grid)) => {
            let found = structures::read(chosen, grid, frame_of_reference.as_deref())?;
            check_any(&found)?;
            warnings.extend(found.warnings);
            warnings.extend(found.left_out.iter().map(left_out_in_words));
            Ok(())
        }
        (Kind::Structures, None) => Err(without_images()),
        _ => segmentation::check(chosen, warnings),
    }
}

/// What labels are put on, and where they lie.
struct Target {
    /// None: a segmentation keeps its own planes.
    grid: Option<Arc<VoxelGrid>>,
    /// In words.
    grid_of: String,
    frame_of_reference: Option<String>,
}

/// * `grid` – where the labels are wanted
///
/// # Errors
/// If the labels belong to another patient or frame of reference.
fn target(
    study: &Study,
    path: &Path,
    chosen: &Series,
    grid: Option<LabelGrid>,
    warnings: &mut Vec<String>,
) -> Result<Target, Invalid> {
    chosen.check_one_patient()?;
    let (target, grid_of) = match grid {
        Some(grid) => (Some(grid), "the grid that was given".to_owned()),
        None => match of_images(study, path, chosen, warnings) {
            Some((grid, uid)) => (Some(grid), format!("the images that it was drawn on, series {uid}")),
            None => (None, "its own planes".to_owned()),
        },
    };
    let frame_of_reference = frame_of_reference(chosen)?;
    if let Some(target) = &target {
        let own = Belonging { frame_of_reference: frame_of_reference.clone(), patient: chosen.patient() };
        check_pair("the labels", &own, "the grid", &target.belonging())?;
        if target.frame_of_reference.is_none() || frame_of_reference.is_none() {
            warnings.push("whether labels and grid share a frame of reference is not known".into());
        }
    }
    Ok(Target { grid: target.map(|target| Arc::new(target.grid)), grid_of, frame_of_reference })
}

fn without_images() -> Invalid {
    Invalid::new(
        "is a structure set, whose contours need the grid of the images that they were drawn on, and these are not \
         beside it; give them, as --grid of `convert` or as a --ct of DICOM of `compute`",
    )
}

/// Whether anything is left of labels.
fn check_any(found: &Found) -> Result<(), Invalid> {
    if !found.organs.organs().is_empty() {
        return Ok(());
    }
    let words: Vec<String> = found.left_out.iter().map(left_out_in_words).collect();
    Err(Invalid::new(format!("holds no segment or region with a voxel: {}", words.join("; "))))
}

fn left_out_in_words((name, why): &(String, String)) -> String {
    format!("`{name}` is left out: {why}")
}

/// The frame of reference of a series of labels: that of its header, or the one that it names.
fn frame_of_reference(series: &Series) -> Result<Option<String>, Invalid> {
    let own = series.frame_of_reference()?;
    let named = series.first().item(tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE);
    let named = named.and_then(|item| uid(item, tags::FRAME_OF_REFERENCE_UID));
    Ok(if series.kind == Kind::Structures { named.or(own) } else { own })
}

/// The folder of a file of labels, in which its images are looked for; none if too many files are there.
pub(super) fn looked_through(path: &Path) -> Option<&Path> {
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let count = super::source::files(folder).ok()?.dicom.len();
    (count <= MOST_NEIGHBOURS).then_some(folder)
}

/// The grid of the images that labels were drawn on, from the same folder, and the UID of their series.
fn of_images(study: &Study, path: &Path, labels: &Series, warnings: &mut Vec<String>) -> Option<(LabelGrid, String)> {
    let neighbours;
    let study = if study.is_file {
        neighbours = Study::read(looked_through(path)?).ok()?;
        &neighbours
    } else {
        study
    };
    let is_image = |series: &&Series| matches!(series.kind, Kind::Ct | Kind::Nm | Kind::Pet);
    let wanted: Vec<String> =
        labels.instances.iter().flat_map(|instance| referenced_series(&instance.object)).collect();
    let images = || study.series.iter().filter(is_image);
    let frame = frame_of_reference(labels).ok()?;
    let in_frame = |series: &&Series| frame.is_some() && series.frame_of_reference().ok() == Some(frame.clone());
    let only = |kinds: &[Kind]| {
        let mut found = images().filter(|series| kinds.contains(&series.kind)).filter(in_frame);
        found.next().filter(|_| found.next().is_none())
    };
    // Contours lie where they are, and are most often drawn on the CT, which may have several activities beside it.
    let of_ct = || (labels.kind == Kind::Structures).then(|| only(&[Kind::Ct])).flatten();
    let by_frame = || only(&[Kind::Ct, Kind::Nm, Kind::Pet]).or_else(of_ct);
    let found = images().find(|series| wanted.contains(&series.uid)).or_else(by_frame)?;
    let mut own = Vec::new();
    let picture = match Picture::of(found, &mut own) {
        Ok(picture) => picture,
        Err(Invalid(reason)) => {
            warnings.push(format!("the images that the labels were drawn on cannot be used: the series {reason}"));
            return None;
        }
    };
    let grid = LabelGrid {
        grid: VoxelGrid::clone(&picture.grid),
        frame_of_reference: picture.frame_of_reference().ok()?,
        patient: found.patient(),
    };
    Some((grid, found.uid.clone()))
}

/// The series that labels say they were drawn on.
pub(super) fn referenced_series(object: &Object) -> Vec<String> {
    let frames = object.items(tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE).iter();
    let studies = frames.flat_map(|frame| frame.items(tags::RT_REFERENCED_STUDY_SEQUENCE));
    let of_contours = studies.flat_map(|study| study.items(tags::RT_REFERENCED_SERIES_SEQUENCE));
    let of_segments = object.items(tags::REFERENCED_SERIES_SEQUENCE).iter();
    of_segments.chain(of_contours).filter_map(|item| uid(item, tags::SERIES_INSTANCE_UID)).collect()
}

/// Organs on another grid: voxel for voxel where its centres are among them, else by the share of each voxel.
fn onto(organs: &Organs, grid: &Arc<VoxelGrid>, warnings: &mut Vec<String>) -> Result<Organs, Invalid> {
    let to_target = inverse(grid.affine()).expect("the affine of a grid can be inverted");
    let matrix = compose(&to_target, organs.grid().affine());
    let is_whole = |v: f64| (v - v.round()).abs() <= SAME_CENTRE;
    // A step of two voxels would leave every second one empty: each axis becomes one axis, voxel by voxel.
    let is_one = |line: [f64; 3]| line.iter().map(|v| v.round().abs()).sum::<f64>() == 1.0;
    let keeps_axes = (0..3).all(|i| is_one([0, 1, 2].map(|k| matrix[i][k])) && is_one([0, 1, 2].map(|k| matrix[k][i])));
    let turns = keeps_axes && matrix.iter().all(|row| row.iter().all(|v| is_whole(*v)));
    let corners = organs.grid().shape().map(|n| (n - 1) as f64);
    let drift = (0..3).map(|axis| (0..3).map(|i| (matrix[axis][i] - matrix[axis][i].round()).abs() * corners[i]).sum());
    let stays = drift.fold(0.0, |a: f64, b: f64| a.max(b)) <= 5.0 * SAME_CENTRE;
    if !turns || !stays {
        warnings
            .push("the labels lie on another grid than the one they are wanted on; each voxel has its share".into());
        return Resampler::new(organs.grid(), grid, &RigidTransform::IDENTITY).organs(organs);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers of voxels")]
    let step = matrix.map(|row| row.map(|v| v.round() as i64));
    let ([nx, ny, _], [mx, my, mz]) = (organs.grid().shape(), grid.shape());
    let mut outside = 0;
    let mut moved = Vec::new();
    for organ in organs.organs() {
        let mut shares: Vec<(u32, f32)> = Vec::new();
        for (voxel, share) in organ.shares() {
            #[expect(clippy::cast_possible_wrap, reason = "indices of voxels")]
            let from = [voxel % nx, voxel / nx % ny, voxel / (nx * ny)].map(|v| v as i64);
            let to = step.map(|row| row[0] * from[0] + row[1] * from[1] + row[2] * from[2] + row[3]);
            let inside = to.map(|v| usize::try_from(v).ok());
            match inside {
                [Some(x), Some(y), Some(z)] if x < mx && y < my && z < mz => {
                    let voxel = u32::try_from(x + mx * (y + my * z))
                        .map_err(|_| Invalid::new("the grid has too many voxels for labels"))?;
                    #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
                    shares.push((voxel, share as f32));
                }
                _ => outside += 1,
            }
        }
        shares.sort_unstable_by_key(|(voxel, _)| *voxel);
        moved.push(Organ::partial(organ.label, organ.name.clone(), shares)?);
    }
    if outside > 0 {
        warnings.push(format!("{} of labels outside the grid: left out", words::voxels(outside)));
    }
    Organs::new(grid.clone(), moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Voxels of 5 mm on a side but for the spacings given, the first at the origin.
    fn grid(shape: [u64; 3], spacing_mm: [f64; 3]) -> Arc<VoxelGrid> {
        let [dx, dy, dz] = spacing_mm;
        let affine = [[dx, 0.0, 0.0, 0.0], [0.0, dy, 0.0, 0.0], [0.0, 0.0, dz, 0.0]];
        Arc::new(VoxelGrid::new(shape, spacing_mm).and_then(|grid| grid.with_affine(affine)).expect("a good grid"))
    }

    /// Volume of all organs [mL], and the warnings, once they are on another grid.
    fn moved(target: &Arc<VoxelGrid>) -> (f64, Vec<String>) {
        let voxels = (4..8).flat_map(|z| (4..8).flat_map(move |y| (4..8).map(move |x| x + 12 * (y + 12 * z))));
        let cube = Organ::whole(1, None, voxels.collect()).expect("an organ");
        let organs = Organs::new(grid([12; 3], [5.0; 3]), vec![cube]).expect("organs");
        let mut warnings = Vec::new();
        let organs = onto(&organs, target, &mut warnings).expect("they can be put there");
        let shares = organs.organs()[0].shares().map(|(_, share)| share).sum::<f64>();
        (shares * target.voxel_volume_cm3(), warnings)
    }

    #[test]
    fn labels_keep_their_volume_on_a_finer_grid_that_begins_at_the_same_voxel() {
        for (shape, spacing_mm) in
            [([12, 12, 24], [5.0, 5.0, 2.5]), ([24; 3], [2.5; 3]), ([12, 36, 12], [5.0, 5.0 / 3.0, 5.0])]
        {
            let (ml, warnings) = moved(&grid(shape, spacing_mm));
            assert!((ml - 8.0).abs() < 1e-3, "{spacing_mm:?}: {ml} mL");
            assert!(warnings.iter().any(|words| words.contains("another grid")), "{warnings:?}");
        }
        let (ml, warnings) = moved(&grid([12; 3], [5.0; 3]));
        assert!((ml - 8.0).abs() < 1e-12 && warnings.is_empty(), "{ml} {warnings:?}");
    }
}
