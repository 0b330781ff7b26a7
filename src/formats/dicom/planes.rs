//! Where the frames of a file lie in the patient.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Frame, Object};
use super::series::{Instance, Kind};
use super::stack::Plane;
use crate::domain::Invalid;

/// Most relative difference of an offset from the position's height that is rounding [mm].
const OFFSET_TOLERANCE_MM: f64 = 0.01;

/// The planes of a file.
///
/// * `number` – of the file in its series, from 0
///
/// # Errors
/// If the file does not say where they are, or is no reconstructed volume.
pub(super) fn planes_of(kind: Kind, instance: &Instance, number: usize) -> Result<Vec<Plane>, Invalid> {
    let layout = instance.layout()?;
    let object = &instance.object;
    match kind {
        Kind::Nm => nuclear(instance, number),
        Kind::Dose => dose(instance, number),
        Kind::Ct | Kind::Pet | Kind::Segmentation | Kind::Structures | Kind::RealWorldMap | Kind::Other => {
            (0..layout.frames).map(|frame| by_groups(object, layout.frames, frame, number, instance)).collect()
        }
    }
}

/// What the fourth word of the type of an enhanced frame says of values that are no longer those of a slice.
const NOT_SLICES: [&str; 10] = [
    "MAX_IP",
    "MIN_IP",
    "MAXIMUM",
    "MINIMUM",
    "STD_DEVIATION",
    "MASKED",
    "SUBTRACTION",
    "DIVISION",
    "MULTIPLICATION",
    "ADDITION",
];

/// Whether a frame of an enhanced CT or PET is a slice of one moment. Source: DICOM PS3.3, C.8.16.1 (Image Type and
/// Frame Type), C.8.22.1.
pub(super) fn check_frame_type(object: &Object, frame: usize) -> Result<(), Invalid> {
    const ENHANCED: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.130"];
    if !object.text(tags::SOP_CLASS_UID).is_some_and(|class| ENHANCED.contains(&class.as_str())) {
        return Ok(());
    }
    let groups = [tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::PET_FRAME_TYPE_SEQUENCE];
    let of_frame = groups.into_iter().find_map(|group| Frame::new(object, frame).group(group));
    let lists = [of_frame.map(|item| item.words(tags::FRAME_TYPE)), Some(object.words(tags::IMAGE_TYPE))];
    for words in lists.into_iter().flatten() {
        match words.get(2).map(String::as_str) {
            Some(word) if word.contains("GATED") => {
                return Err(Invalid::new("is gated (Image Type): it is not one moment"));
            }
            Some("DYNAMIC") => return Err(Invalid::new("is a dynamic series (Image Type); export one of its times")),
            Some(_) | None => {}
        }
        if let Some(word) = words.get(3).filter(|word| NOT_SLICES.contains(&word.as_str())) {
            return Err(Invalid::new(format!("holds frames that are projections or derived, {word} (Image Type)")));
        }
    }
    Ok(())
}

/// A frame whose place is in its functional groups, or of a file of one frame.
fn by_groups(
    object: &Object,
    frames: usize,
    frame: usize,
    number: usize,
    instance: &Instance,
) -> Result<Plane, Invalid> {
    check_frame_type(object, frame)?;
    let groups = Frame::new(object, frame);
    if frames > 1 && groups.group(tags::PLANE_POSITION_SEQUENCE).is_none() {
        return Err(Invalid::new("has several frames, and does not say where each of them lies"));
    }
    let missing = |what: &str| Invalid::new(format!("does not say where it lies: there is no {what}"));
    let position = groups.vector(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT);
    let orientation = groups.vector(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT);
    let spacing = groups.vector(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING);
    let distance = |tag| groups.number(tags::PIXEL_MEASURES_SEQUENCE, tag).map(f64::abs);
    let layout = instance.layout()?;
    Ok(Plane {
        instance: number,
        frame,
        position: position.ok_or_else(|| missing("Image Position (Patient)"))?,
        orientation: orientation.ok_or_else(|| missing("Image Orientation (Patient)"))?,
        spacing: spacing.ok_or_else(|| missing("Pixel Spacing"))?,
        rows: layout.rows,
        columns: layout.columns,
        distance: distance(tags::SPACING_BETWEEN_SLICES),
        thickness: distance(tags::SLICE_THICKNESS),
    })
}

/// What the third word of Image Type says of a nuclear medicine image that is no reconstructed volume.
const NOT_VOLUMES: [(&str, &str); 7] = [
    ("TOMO", "projections of a tomography, not yet reconstructed"),
    ("GATED TOMO", "projections of a gated tomography, not yet reconstructed"),
    ("RECON GATED TOMO", "a gated tomography: each slice is there for several phases"),
    ("STATIC", "a planar image"),
    ("WHOLE BODY", "a planar whole body image"),
    ("DYNAMIC", "a dynamic planar series"),
    ("GATED", "a gated planar image"),
];

/// Vectors that give every frame a number, and what they count; a volume has one of each.
const FRAME_VECTORS: [(Tag, &str); 9] = [
    (tags::ENERGY_WINDOW_VECTOR, "energy windows"),
    (tags::DETECTOR_VECTOR, "detectors"),
    (tags::PHASE_VECTOR, "phases"),
    (tags::ROTATION_VECTOR, "rotations"),
    (tags::RR_INTERVAL_VECTOR, "R-R intervals"),
    (tags::TIME_SLOT_VECTOR, "time slots"),
    (tags::ANGULAR_VIEW_VECTOR, "angular views"),
    (tags::TIME_SLICE_VECTOR, "time slices"),
    (Tag(0x0055, 0x1065), "bed positions"),
];

/// Numbers of such things, and what they count.
const NUMBERS_OF: [(Tag, &str); 5] = [
    (tags::NUMBER_OF_ENERGY_WINDOWS, "energy windows"),
    (tags::NUMBER_OF_PHASES, "phases"),
    (tags::NUMBER_OF_RR_INTERVALS, "R-R intervals"),
    (tags::NUMBER_OF_TIME_SLOTS, "time slots"),
    (tags::NUMBER_OF_TIME_SLICES, "time slices"),
];

/// Whether a nuclear medicine image is a reconstructed tomography of one energy window, time slot and position.
///
/// # Errors
/// What it is instead.
pub(super) fn check_reconstructed(instance: &Instance) -> Result<(), Invalid> {
    let words = instance.image_type();
    let kind = words.get(2).map(String::as_str).unwrap_or_default();
    if kind != "RECON TOMO" {
        let known = NOT_VOLUMES.iter().find(|(word, _)| *word == kind);
        let is = known.map_or("not named as reconstructed in its Image Type", |(_, is)| is);
        let word = known.map_or("", |(word, _)| word);
        return Err(Invalid::new(format!(
            "is {is}{}; a reconstructed tomography (RECON TOMO) is needed",
            if word.is_empty() { String::new() } else { format!(" ({word})") }
        )));
    }
    if words.get(3).is_some_and(|word| word == "TRANSMISSION") {
        return Err(Invalid::new("is a transmission image (Image Type TRANSMISSION), not the activity in the patient"));
    }
    let object = &instance.object;
    let several = |what: &str, count: usize| {
        Invalid::new(format!("holds {count} {what}: a tomography of one is needed; export them one by one"))
    };
    for (tag, what) in NUMBERS_OF {
        if let Some(count) = object.count(tag).filter(|count| *count > 1) {
            return Err(several(what, count));
        }
    }
    for (tag, what) in FRAME_VECTORS {
        let mut numbers = object.numbers(tag).unwrap_or_default();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        if numbers.len() > 1 {
            return Err(several(what, numbers.len()));
        }
    }
    Ok(())
}

/// Whether a nuclear medicine image says that it is something else than a reconstructed tomography: a planar image,
/// projections, a transmission. What is one, and cannot be read, is none of these.
pub(super) fn is_of_another_kind(instance: &Instance) -> bool {
    let words = instance.image_type();
    let has = |at: usize, wanted: &str| words.get(at).is_some_and(|word| word == wanted);
    NOT_VOLUMES.iter().any(|(word, _)| has(2, word)) || has(3, "TRANSMISSION")
}

/// The planes of a reconstructed tomography: the position of the first slice, and the distance of the slices with its
/// sign. Source: DICOM PS3.3, C.8.4.8 (NM/PET patient orientation), C.8.4.15 (NM reconstruction).
fn nuclear(instance: &Instance, number: usize) -> Result<Vec<Plane>, Invalid> {
    check_reconstructed(instance)?;
    let (object, layout) = (&instance.object, instance.layout()?);
    let position: [f64; 3] = of_detectors(object, tags::IMAGE_POSITION_PATIENT, "Image Position (Patient)")?;
    let orientation: [f64; 6] = of_detectors(object, tags::IMAGE_ORIENTATION_PATIENT, "Image Orientation (Patient)")?;
    let missing = |what: &str| Invalid::new(format!("does not say where it lies: there is no {what}"));
    let spacing = object.vector(tags::PIXEL_SPACING).ok_or_else(|| missing("Pixel Spacing"))?;
    if object.text(tags::SPACING_BETWEEN_SLICES).is_some() && object.number(tags::SPACING_BETWEEN_SLICES).is_none() {
        return Err(Invalid::new("has a Spacing Between Slices that is no number"));
    }
    let step = object.number(tags::SPACING_BETWEEN_SLICES).or_else(|| object.number(tags::SLICE_THICKNESS));
    let step = step.filter(|step| *step != 0.0).ok_or_else(|| missing("Spacing Between Slices"))?;
    let slices = match object.numbers(tags::SLICE_VECTOR) {
        Some(numbers) if numbers.len() == layout.frames => {
            let is_slice = |number: &f64| number.fract() == 0.0 && (1.0..=layout.frames as f64).contains(number);
            if let Some(other) = numbers.iter().find(|number| !is_slice(number)) {
                let last = layout.frames;
                return Err(Invalid::new(format!(
                    "has the number {other} in its Slice Vector, which counts 1 to {last}"
                )));
            }
            numbers
        }
        Some(numbers) => {
            return Err(Invalid::new(format!(
                "has {} numbers in its Slice Vector for {} frames",
                numbers.len(),
                layout.frames
            )));
        }
        None => (1..=layout.frames).map(|slice| slice as f64).collect(),
    };
    let base = Plane {
        instance: number,
        frame: 0,
        position,
        orientation,
        spacing,
        rows: layout.rows,
        columns: layout.columns,
        distance: Some(step.abs()),
        thickness: None,
    };
    let normal = base.normal();
    let plane = |(frame, slice): (usize, &f64)| {
        let along = (slice - 1.0) * step;
        let position = [0, 1, 2].map(|axis| position[axis] + along * normal[axis]);
        Plane { frame, position, ..base.clone() }
    };
    Ok(slices.iter().enumerate().map(plane).collect())
}

/// A value that the detectors have, or the image itself.
fn of_detectors<const N: usize>(object: &Object, tag: Tag, name: &str) -> Result<[f64; N], Invalid> {
    let detectors = object.items(tags::DETECTOR_INFORMATION_SEQUENCE);
    let mut found: Vec<[f64; N]> = detectors.iter().filter_map(|detector| detector.vector(tag)).collect();
    found.extend(object.vector::<N>(tag));
    let first = *found.first().ok_or_else(|| {
        Invalid::new(format!("does not say where it lies: no detector has an {name}, nor has the image"))
    })?;
    let differs = |other: &[f64; N]| other.iter().zip(first).any(|(a, b)| (a - b).abs() > 1e-3);
    if let Some(other) = found.iter().find(|other| differs(other)) {
        return Err(Invalid::new(format!(
            "says twice where it lies, and the two disagree: {name} {first:?} and {other:?}"
        )));
    }
    Ok(first)
}

/// The planes of a dose: offsets from the position along the normal, or heights. Source: DICOM PS3.3, C.8.8.3.2.
fn dose(instance: &Instance, number: usize) -> Result<Vec<Plane>, Invalid> {
    let (object, layout) = (&instance.object, instance.layout()?);
    let missing = |what: &str| Invalid::new(format!("does not say where it lies: there is no {what}"));
    let position: [f64; 3] =
        object.vector(tags::IMAGE_POSITION_PATIENT).ok_or_else(|| missing("Image Position (Patient)"))?;
    let orientation: [f64; 6] =
        object.vector(tags::IMAGE_ORIENTATION_PATIENT).ok_or_else(|| missing("Image Orientation (Patient)"))?;
    let spacing = object.vector(tags::PIXEL_SPACING).ok_or_else(|| missing("Pixel Spacing"))?;
    let mut offsets = match object.numbers(tags::GRID_FRAME_OFFSET_VECTOR) {
        Some(offsets) => offsets,
        None if layout.frames == 1 => vec![0.0],
        None => return Err(missing("Grid Frame Offset Vector")),
    };
    if offsets.len() != layout.frames {
        return Err(Invalid::new(format!(
            "has {} values in its Grid Frame Offset Vector for {} frames",
            offsets.len(),
            layout.frames
        )));
    }
    let first = offsets[0];
    let base = Plane {
        instance: number,
        frame: 0,
        position,
        orientation,
        spacing,
        rows: layout.rows,
        columns: layout.columns,
        distance: None,
        thickness: object.number(tags::SLICE_THICKNESS),
    };
    let normal = base.normal();
    if first.abs() > OFFSET_TOLERANCE_MM {
        let is_height = (first - position[2]).abs() <= OFFSET_TOLERANCE_MM && normal[2].abs() > 0.999;
        if !is_height {
            return Err(Invalid::new(format!(
                "has a Grid Frame Offset Vector that begins with {first}: neither 0 nor the height of its position, {}",
                position[2]
            )));
        }
        // Heights rise towards the head, whatever the normal does.
        offsets.iter_mut().for_each(|height| *height = (*height - position[2]) * normal[2].signum());
    }
    let plane = |(frame, offset): (usize, &f64)| {
        let position = [0, 1, 2].map(|axis| position[axis] + offset * normal[axis]);
        Plane { frame, position, ..base.clone() }
    };
    Ok(offsets.iter().enumerate().map(plane).collect())
}
