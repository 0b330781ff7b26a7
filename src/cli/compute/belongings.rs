//! Whose the files of a computation are, and in which coordinates they lie.

use std::sync::Arc;

use crate::cli::dicom::DicomOutput;
use crate::domain::{Checks, Invalid, Organs, RigidTransform, VoxelGrid};
use crate::formats::dicom::{Belonging, check_no_third, check_pair, space_of_frame};
use crate::intake::GridChoice;
use crate::resample::Space;

/// What the DICOM files among the inputs say; none of what is no DICOM.
#[derive(Default)]
pub(super) struct Belongings {
    pub(super) activity: Option<Belonging>,
    pub(super) ct: Option<Belonging>,
    pub(super) labels: Option<Belonging>,
}

/// The frame of reference of something, as far as it is known.
fn frame(of: &Option<Belonging>) -> Option<&str> {
    of.as_ref()?.frame_of_reference.as_deref()
}

impl Belongings {
    /// Records files of several patients and, without a registration, of several frames of reference.
    pub(super) fn check(&self, has_transform: bool, checks: &mut Checks) {
        if self.activity.is_some()
            && self.ct.is_some()
            && !has_transform
            && (frame(&self.activity).is_none() || frame(&self.ct).is_none())
        {
            checks.fail(
                "ct",
                "nothing says that it lies in the coordinates of the activity: one of the two names no frame of \
                 reference; give --transform, an identity if they do lie in the same",
            );
        }
        // A registration says how two frames of reference lie to one another.
        let own = |of: &Option<Belonging>| {
            of.as_ref().map(|of| if has_transform { of.of_patient() } else { of.clone() }).unwrap_or_default()
        };
        let (activity, ct, labels) = (own(&self.activity), own(&self.ct), own(&self.labels));
        checks.at("ct", check_pair("the CT", &ct, "the activity", &activity));
        let of_labels = check_pair("the labels", &labels, "the activity", &activity);
        checks.at("labels", of_labels.and_then(|()| check_pair("the labels", &labels, "the CT", &ct)));
    }

    /// Labels on a grid by which the resampling finds them where their frame of reference says that they lie: on the
    /// grid of the activity they lie with it, on any other with the CT. No voxel of them changes.
    ///
    /// * `transform` – from points of the activity to those of the CT
    ///
    /// # Errors
    /// If their frame of reference is a third one.
    pub(super) fn placed_labels(
        &self,
        organs: Organs,
        transform: &RigidTransform,
        activity: &VoxelGrid,
    ) -> Result<Organs, Invalid> {
        let (own, of_activity, of_ct) = (frame(&self.labels), frame(&self.activity), frame(&self.ct));
        check_no_third(own, of_activity, of_ct)?;
        let is_on_activity = activity.check_same(organs.grid()).is_ok();
        let on = |grid: VoxelGrid| Organs::new(Arc::new(grid), organs.organs().to_vec());
        match space_of_frame(own, of_activity, of_ct) {
            Some(Space::Activity) if !is_on_activity => on(transform.grid(organs.grid())?),
            Some(Space::Ct) if is_on_activity => on(with_a_plane_more(organs.grid())?),
            Some(Space::Activity | Space::Ct) | None => Ok(organs),
        }
    }

    /// Says to outputs in DICOM where their reference lies; whether it is of the inputs. One that is not is recorded.
    pub(super) fn check_reference(&self, dicom: &mut DicomOutput, choice: &GridChoice, checks: &mut Checks) -> bool {
        let reference = dicom.reference.belonging();
        let own = reference.frame_of_reference.as_deref();
        let space = space_of_frame(own, frame(&self.activity), frame(&self.ct));
        // By what the flag is for, it is a CT.
        dicom.lead(choice.dose_to(space.unwrap_or(Space::Ct)));
        let is_one = choice.transform.is_none();
        let all = [
            ("the activity", &self.activity, is_one),
            // With a registration the reference lies in the coordinates of one of the two alone.
            ("the CT", &self.ct, is_one || space != Some(Space::Activity)),
            ("the labels", &self.labels, is_one),
        ];
        let is_other = |(what, of, by_frame): (&'static str, &Option<Belonging>, bool)| {
            let of = of.as_ref().map(|of| if by_frame { of.clone() } else { of.of_patient() })?;
            dicom.check_belonging(what, &of).err()
        };
        // One reference, one fault.
        let found = all.into_iter().find_map(is_other).map_or(Ok(()), Err);
        checks.at("reference", found).is_some()
    }
}

/// The same voxels and a plane of others behind them.
fn with_a_plane_more(grid: &VoxelGrid) -> Result<VoxelGrid, Invalid> {
    let [nx, ny, nz] = grid.shape().map(|n| n as u64);
    VoxelGrid::new([nx, ny, nz + 1], grid.spacing_mm())?.with_affine(*grid.affine())
}
