//! Organs from the volumes of one file.

use std::sync::Arc;

use crate::domain::{Invalid, LabelMap, Organ, Organs, Volume, VoxelGrid};
use crate::formats::dicom::LabelGrid;
use crate::formats::volume_file::{FrameFile, Origin, Segment};

/// What a file holds.
pub(super) struct Found {
    pub(super) organs: Organs,
    pub(super) origin: Origin,
    /// Where it lies and to whom it belongs, where it is DICOM.
    pub(super) dicom: Option<LabelGrid>,
    pub(super) warnings: Vec<String>,
}

/// The organs of a map of labels, or of a stack: a mask or a map of shares a volume.
pub(super) fn organs_of(file: FrameFile<f64>) -> Result<Found, Invalid> {
    let FrameFile { frames, header, warnings, segments } = file;
    let organs = if segments.is_empty() {
        match frames.as_slice() {
            [map] => Organs::of_map(&LabelMap::new(map)?)?,
            stack => of_stack(stack)?,
        }
    } else {
        of_segments(&frames, &segments)?
    };
    Ok(Found { organs, origin: header.origin, dicom: None, warnings })
}

/// A stack of masks, numbered from 1; or where a volume has several labels, of maps with labels that are all unlike.
fn of_stack(stack: &[Volume<f64>]) -> Result<Organs, Invalid> {
    let grid = stack[0].grid().clone();
    let mut organs = Vec::new();
    let is_mask = |frame: &Volume<f64>| frame.as_slice().iter().all(|v| (0.0..=1.0).contains(v));
    let maps: Vec<Option<Organs>> = stack
        .iter()
        .enumerate()
        .map(|(at, frame)| {
            let in_frame = |Invalid(reason): Invalid| Invalid(format!("volume {} of the stack: {reason}", at + 1));
            if is_mask(frame) {
                return Ok(None);
            }
            LabelMap::new(frame).and_then(|map| Organs::of_map(&map)).map(Some).map_err(in_frame)
        })
        .collect::<Result<_, _>>()?;
    if maps.iter().flatten().any(|map| map.organs().len() > 1) {
        return of_maps(grid, stack, &maps);
    }
    for (at, (frame, map)) in stack.iter().zip(maps).enumerate() {
        let number = u16::try_from(at + 1).map_err(|_| Invalid::new("holds more than 65535 masks"))?;
        match map.as_ref().map(Organs::organs) {
            None => organs.push(Organ::of_shares(number, None, frame)?),
            // A mask of 255, or of its own number, is still a mask.
            Some([one]) => organs.push(one.renamed(number, None)?),
            Some(several) => organs.extend(several.iter().cloned()),
        }
    }
    Organs::new(grid, organs)
}

/// A stack of maps: a label is what it says, in whichever volume it stands, since names are given by it.
///
/// * `maps` – none: of 0 and 1, or of parts
fn of_maps(grid: Arc<VoxelGrid>, stack: &[Volume<f64>], maps: &[Option<Organs>]) -> Result<Organs, Invalid> {
    let mut organs: Vec<Organ> = Vec::new();
    for (at, (frame, map)) in stack.iter().zip(maps).enumerate() {
        let in_frame = |Invalid(reason): Invalid| Invalid(format!("volume {} of the stack: {reason}", at + 1));
        let own = match map {
            Some(map) => map.clone(),
            None => LabelMap::new(frame).and_then(|map| Organs::of_map(&map)).map_err(in_frame)?,
        };
        for organ in own.organs() {
            if organs.iter().any(|known| known.label == organ.label) {
                return Err(in_frame(Invalid::new(format!(
                    "has the label {}, which another volume has too, and a volume has several labels: give each organ its \
                     own number, or a volume of its own",
                    organ.label
                ))));
            }
            organs.push(organ.clone());
        }
    }
    Organs::new(grid, organs)
}

/// The segments of 3D Slicer: each a value in one of the layers. They are numbered as they come if two have one value.
fn of_segments(frames: &[Volume<f64>], segments: &[Segment]) -> Result<Organs, Invalid> {
    let layers: Vec<Organs> =
        frames.iter().map(|frame| Organs::of_map(&LabelMap::new(frame)?)).collect::<Result<_, _>>()?;
    let mut values: Vec<u16> = segments.iter().map(|segment| segment.value).collect();
    values.sort_unstable();
    let keep = values.is_sorted_by(|a, b| a < b);
    let mut organs = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let label = if keep { segment.value } else { u16::try_from(at + 1).expect("few segments") };
        let layer =
            layers.get(segment.layer).ok_or_else(|| Invalid::new("a segment is in a layer that is not there"))?;
        let voxels = layer.organs().iter().find(|organ| organ.label == segment.value);
        if let Some(organ) = voxels {
            organs.push(organ.renamed(label, Some(segment.name.clone()))?);
        }
    }
    Organs::new(frames[0].grid().clone(), organs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels of the organs of a stack of lines of three voxels.
    fn labels(stack: &[[f64; 3]]) -> Result<Vec<u16>, String> {
        let grid = Arc::new(VoxelGrid::new([3, 1, 1], [1.0; 3]).expect("a good grid"));
        let volume = |values: &[f64; 3]| Volume::from_vec(grid.clone(), values.to_vec()).expect("a value a voxel");
        let stack: Vec<Volume<f64>> = stack.iter().map(volume).collect();
        let organs = of_stack(&stack).map_err(|fault| fault.0)?;
        Ok(organs.organs().iter().map(|organ| organ.label).collect())
    }

    #[test]
    fn a_label_keeps_its_number_beside_maps_of_several() {
        assert_eq!(labels(&[[1.0, 0.0, 3.0], [0.0, 4.0, 0.0]]), Ok(vec![1, 3, 4]));
        assert_eq!(labels(&[[4.0, 0.0, 3.0], [0.0, 1.0, 0.0]]), Ok(vec![1, 3, 4]));
        let twice = labels(&[[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]).expect_err("two organs of one number");
        assert!(twice.contains("volume 2") && twice.contains("label 1"), "{twice}");
        // Masks are numbered as they come, whatever they are filled with.
        assert_eq!(labels(&[[0.0, 255.0, 255.0], [0.5, 0.0, 0.0], [3.0, 0.0, 0.0]]), Ok(vec![1, 2, 3]));
    }
}
