//! Volumes: CT, activity and dose, from the planes of a series.

use std::collections::BTreeMap;
use std::sync::Arc;

use dicom_dictionary_std::tags;

use super::account::{Calibration, DicomImage, ImageAccount, Quantity};
use super::activity;
use super::agreement;
use super::attributes::{Attributes, Object};
use super::ct_lines;
use super::parse::uid;
use super::pixels::Layout;
use super::planes::{check_reconstructed, planes_of};
use super::series::{Kind, Series, Study};
use super::slices::{check_all_there, same_values};
use super::stack::{Plane, Stack, stack};
use super::values::{Unspecified, ct_scale, dose_scale};
use super::write::DoseKind;
use crate::domain::{Invalid, Volume, VoxelGrid};
use crate::formats::volume_file::MAX_VOXELS;

/// The highest CT number that scanners write for metal, with room [HU].
const HIGHEST_HU: f32 = 31_500.0;

/// The kinds of series that may hold a quantity.
fn kinds(quantity: Option<Quantity>) -> &'static [Kind] {
    match quantity {
        None => &[Kind::Ct, Kind::Nm, Kind::Pet, Kind::Dose],
        Some(Quantity::Hu) => &[Kind::Ct],
        Some(Quantity::BqPerMl) => &[Kind::Nm, Kind::Pet],
        Some(Quantity::Gy) => &[Kind::Dose],
    }
}

/// What a caller says of a volume.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    /// What makes activity of counts.
    pub(super) calibration: Option<Calibration>,
    /// What a dose has to be; none: an absorbed or a weighted one.
    pub(super) dose: Option<DoseKind>,
}

/// The volume of a study that holds a quantity, or the only one that there is.
///
/// # Errors
/// If there is none, or several, or it cannot be trusted; the reason says what to do.
pub(super) fn read(
    study: &Study,
    series: Option<&str>,
    quantity: Option<Quantity>,
    asked: Asked,
) -> Result<DicomImage, Invalid> {
    study.check_whole()?;
    let what = quantity.map_or("volume", Quantity::words);
    let mut warnings = Vec::new();
    let chosen = choose(study, series, quantity, what, &mut warnings)?;
    let quantity = match chosen.kind {
        Kind::Nm | Kind::Pet => Quantity::BqPerMl,
        Kind::Dose => Quantity::Gy,
        Kind::Ct | Kind::Segmentation | Kind::Structures | Kind::RealWorldMap | Kind::Other => Quantity::Hu,
    };
    let mut read = read_series(study, chosen, quantity, asked)?;
    warnings.append(&mut read.warnings);
    Ok(DicomImage { warnings, ..read })
}

/// The volume of a series.
///
/// # Errors
/// As [`read`].
pub(super) fn read_series(
    study: &Study,
    chosen: &Series,
    quantity: Quantity,
    asked: Asked,
) -> Result<DicomImage, Invalid> {
    let mut warnings = Vec::new();
    chosen.check_one_patient()?;
    let maps = Maps::of(study);
    let picture = Picture::of(chosen, &mut warnings)?;
    let frame_of_reference = picture.frame_of_reference()?;
    let (values, account) = match quantity {
        Quantity::Hu => {
            let unspecified = Unspecified::default();
            let scale = |object, frame, layout| ct_scale(object, frame, layout, &unspecified);
            let filled = picture.fill(scale, &mut warnings)?;
            warnings.extend(unspecified.judge()?);
            warnings.extend(picture.differing_lines()?);
            let highest = filled.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if highest > HIGHEST_HU {
                warnings.push(format!(
                    "holds CT numbers of up to {highest} HU, which nothing has: padding that is not declared, or a wrong sign"
                ));
            }
            (filled, None)
        }
        Quantity::Gy => {
            agreement::check_dose(chosen)?;
            (picture.fill(|instance, _, _| dose_scale(instance, asked.dose), &mut warnings)?, None)
        }
        Quantity::BqPerMl => {
            let (values, account) = activity::read(&picture, &maps, asked.calibration, &mut warnings)?;
            (values, Some(account))
        }
    };
    let volume = Volume::from_vec(picture.grid.clone(), values)?;
    let account = ImageAccount {
        quantity,
        modality: chosen.modality(),
        series_uid: chosen.uid.clone(),
        study_uid: chosen.study(),
        frame_of_reference,
        patient: chosen.patient(),
        activity: account,
    };
    Ok(DicomImage { volume, account, warnings })
}

/// The series that is meant. Projections and scouts are not, where there is something else.
fn choose<'a>(
    study: &'a Study,
    series: Option<&str>,
    quantity: Option<Quantity>,
    what: &str,
    warnings: &mut Vec<String>,
) -> Result<&'a Series, Invalid> {
    let of_kind = |series: &Series| kinds(quantity).contains(&series.kind);
    if series.is_some() {
        return study.choose(series, of_kind, what);
    }
    let is_volume = |series: &Series| of_kind(series) && !is_beside(series);
    let beside = study.series.iter().filter(|series| of_kind(series) && is_beside(series)).count();
    let volumes = study.series.iter().filter(|series| is_volume(series)).count();
    if volumes == 0 || beside == 0 {
        return study.choose(None, of_kind, what);
    }
    warnings.push(format!("{beside} series of scouts, projections or planar images are left out"));
    study.choose(None, is_volume, what)
}

/// Whether a series holds only what is made beside a volume.
pub(super) fn is_beside(series: &Series) -> bool {
    series.instances.iter().all(|instance| {
        if series.kind == Kind::Nm { check_reconstructed(instance).is_err() } else { instance.is_localizer() }
    })
}

/// Real world value maps in files of their own, by the image that they belong to.
pub(super) struct Maps<'a>(BTreeMap<String, Vec<&'a Object>>);

impl<'a> Maps<'a> {
    pub(super) fn of(study: &'a Study) -> Self {
        let mut found: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
        let files = study.series.iter().filter(|series| series.kind == Kind::RealWorldMap);
        let objects = files.flat_map(|series| &series.instances).map(|instance| &instance.object);
        let groups = objects.flat_map(|object| object.items(tags::REFERENCED_IMAGE_REAL_WORLD_VALUE_MAPPING_SEQUENCE));
        for group in groups {
            let maps = group.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
            for image in group.items(tags::REFERENCED_IMAGE_SEQUENCE) {
                if let Some(uid) = uid(image, tags::REFERENCED_SOP_INSTANCE_UID) {
                    found.entry(uid).or_default().extend(maps);
                }
            }
        }
        Self(found)
    }

    /// Those of an image.
    pub(super) fn of_image(&self, object: &Object) -> &[&'a Object] {
        let uid = uid(object, tags::SOP_INSTANCE_UID);
        uid.and_then(|uid| self.0.get(&uid)).map_or(&[], Vec::as_slice)
    }
}

/// A series whose planes are in order.
pub(super) struct Picture<'a> {
    pub(super) series: &'a Series,
    pub(super) planes: Vec<Plane>,
    pub(super) grid: Arc<VoxelGrid>,
    order: Vec<usize>,
}

/// What a stored value becomes; the raw bits, too, for padding.
pub(super) type ValueOf<'a> = Box<dyn Fn(i64, u32) -> Option<f64> + 'a>;

impl<'a> Picture<'a> {
    /// # Errors
    /// If its planes do not lie on a regular grid.
    pub(super) fn of(series: &'a Series, warnings: &mut Vec<String>) -> Result<Self, Invalid> {
        let mut planes = Vec::new();
        let mut scouts = 0;
        let mut lossy = false;
        for (number, instance) in series.instances.iter().enumerate() {
            if instance.is_localizer() {
                scouts += 1;
                continue;
            }
            lossy |= instance.object.text(tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01");
            planes.extend(planes_of(series.kind, instance, number)?);
        }
        if planes.is_empty() {
            return Err(Invalid::new("holds scouts (localizer images) alone"));
        }
        if scouts > 0 {
            warnings.push(format!("{scouts} scout (localizer) images are left out"));
        }
        if lossy {
            warnings.push("the image was once compressed with loss: its values are not those of the scanner".into());
        }
        let Stack { grid, order, warnings: own } = stack(&planes, |a, b| same_values(series, a, b))?;
        warnings.extend(own);
        let order: Vec<usize> = order.into_iter().flatten().collect();
        check_all_there(series, order.len())?;
        if grid.voxels() as u64 > MAX_VOXELS {
            return Err(Invalid::new(format!("has {} voxels; at most {MAX_VOXELS} are read", grid.voxels())));
        }
        Ok(Self { series, planes, grid: Arc::new(grid), order })
    }

    /// The coordinates that it lies in.
    ///
    /// # Errors
    /// If its files lie in several.
    pub(super) fn frame_of_reference(&self) -> Result<Option<String>, Invalid> {
        let mut found: Vec<Option<String>> = self
            .order
            .iter()
            .map(|at| uid(&self.series.instances[self.planes[*at].instance].object, tags::FRAME_OF_REFERENCE_UID))
            .collect();
        found.sort();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            several => {
                let count = several.len();
                Err(Invalid::new(format!(
                    "mixes slices of {count} frames of reference, which are not at one place; a volume has one frame of \
                     reference"
                )))
            }
        }
    }

    /// Checks the headers of a CT as its reader does; whether only its pixels tell if it can be read.
    ///
    /// # Errors
    /// If it would be refused whatever its pixels hold.
    pub(super) fn check_ct(&self) -> Result<bool, Invalid> {
        let unspecified = Unspecified::default();
        for at in &self.order {
            let plane = &self.planes[*at];
            let instance = &self.series.instances[plane.instance];
            let layout = instance.layout()?;
            layout.check_unpacked()?;
            drop(ct_scale(&instance.object, plane.frame, layout, &unspecified)?);
        }
        Ok(unspecified.is_met())
    }

    /// What to say of slices of a CT whose slope or intercept is not that of the others.
    ///
    /// # Errors
    /// If one is none.
    pub(super) fn differing_lines(&self) -> Result<Option<String>, Invalid> {
        ct_lines::differing(self.order.iter().map(|at| {
            let plane = &self.planes[*at];
            (&self.series.instances[plane.instance].object, plane.frame, plane.position)
        }))
    }

    /// The values, x fastest.
    ///
    /// * `value_of` – of a file, the number of a frame from 0 and the layout: what stored values mean
    ///
    /// # Errors
    /// If pixels cannot be read, or a value has no meaning.
    pub(super) fn fill(
        &self,
        value_of: impl Fn(&'a Object, usize, &'a Layout) -> Result<ValueOf<'a>, Invalid>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<f32>, Invalid> {
        let pixels = self.series.instances[self.planes[self.order[0]].instance].layout()?.frame_pixels();
        let mut by_file: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (slice, at) in self.order.iter().enumerate() {
            let plane = &self.planes[*at];
            by_file.entry(plane.instance).or_default().push((plane.frame, slice));
        }
        let mut values = vec![0f32; pixels * self.order.len()];
        let mut without = 0usize;
        for (number, frames) in by_file {
            let instance = &self.series.instances[number];
            let (layout, stored) = (instance.layout()?, instance.stored()?);
            for (frame, slice) in frames {
                let value_of = value_of(&instance.object, frame, layout)?;
                let raw = layout.frame(&stored, frame)?;
                let target = &mut values[slice * pixels..(slice + 1) * pixels];
                for (target, raw) in target.iter_mut().zip(raw) {
                    let stored = layout.value(raw);
                    match value_of(stored, raw) {
                        Some(value) if value.abs() > f64::from(f32::MAX) || value.is_nan() => {
                            return Err(Invalid::new(format!(
                                "holds a value of {value:e}, which is none: look at its slope"
                            )));
                        }
                        #[expect(clippy::cast_possible_truncation, reason = "volumes are in single precision")]
                        Some(value) => *target = value as f32,
                        None if stored == 0 => without += 1,
                        None => {
                            return Err(Invalid::new(format!(
                                "holds the stored value {stored}, which is in no range of its Real World Value Map"
                            )));
                        }
                    }
                }
            }
        }
        if without > 0 {
            warnings.push(format!("{without} stored zeros are in no range of the Real World Value Map; they are 0"));
        }
        Ok(values)
    }
}
