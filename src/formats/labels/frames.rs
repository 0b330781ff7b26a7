//! Organs from the volumes of one file.

use crate::domain::{Invalid, LabelMap, Organ, Organs, Volume};
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

/// A stack of masks, numbered from 1; or of maps with labels that are all unlike.
fn of_stack(stack: &[Volume<f64>]) -> Result<Organs, Invalid> {
    let grid = stack[0].grid().clone();
    let mut organs = Vec::new();
    for (at, frame) in stack.iter().enumerate() {
        let number = u16::try_from(at + 1).map_err(|_| Invalid::new("holds more than 65535 masks"))?;
        let in_frame = |Invalid(reason): Invalid| Invalid(format!("volume {number} of the stack: {reason}"));
        if frame.as_slice().iter().all(|v| (0.0..=1.0).contains(v)) {
            organs.push(Organ::of_shares(number, None, frame)?);
        } else {
            let map = LabelMap::new(frame).map_err(in_frame)?;
            let inside = Organs::of_map(&map)?;
            // A mask of 255, or of its own number, is still a mask.
            match inside.organs() {
                [one] => organs.push(one.renamed(number, None)?),
                several => organs.extend(several.iter().cloned()),
            }
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
