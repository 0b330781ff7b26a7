//! The volumes of an answer while they arrive.

use std::io::Cursor;

use super::Answer;
use crate::api::chunks::Arriving;
use crate::api::wire::result::Announced;
use crate::api::{pb, wire};
use crate::domain::{ActivityAccount, DoseError, DoseResult, Provenance, VolumeHeader, VoxelGrid, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::formats;
use crate::intake::IntakeAccount;

/// A piece of what a result announced.
pub(super) enum Piece {
    /// Of a volume.
    Volume(pb::VolumeChunk),
    /// Of the tally.
    Tally(pb::TallyChunk),
}

/// The volumes that a result announced, while they arrive.
pub(super) struct Incoming {
    provenance: Provenance,
    account: IntakeAccount,
    organs: Vec<(OrganDose, Option<CumulativeHistogram>)>,
    activity: ActivityAccount,
    warnings: Vec<Warning>,
    dose: Arriving,
    uncertainty: Option<Arriving>,
    weighted: Option<Arriving>,
    on_ct: Option<Arriving>,
    /// Bytes of the tally's file, and how many there will be.
    tally: Option<(Vec<u8>, u64)>,
}

impl Incoming {
    /// Makes room for what a result announces.
    ///
    /// * `grid` – that of the dose, if it is known
    pub(super) fn new(message: pb::ComputeResult, grid: Option<&VoxelGrid>) -> Result<Self, DoseError> {
        let announced = wire::result::decode(message).map_err(broken)?;
        if grid.is_some_and(|grid| *grid != announced.grid) {
            return Err(broken("the dose is not on the grid of the activity"));
        }
        let arriving = || Arriving::new(VolumeHeader::float32(&announced.grid));
        let on_ct = announced.on_ct.as_ref().map(|grid| Arriving::new(VolumeHeader::float32(grid))).transpose()?;
        let uncertainty = announced.has_uncertainty.then(arriving).transpose()?;
        let weighted = announced.has_weighted.then(arriving).transpose()?;
        let tally = announced.tally_size_bytes.map(|size| (Vec::new(), size));
        let dose = arriving()?;
        let Announced { provenance, account, organs, activity, warnings, .. } = announced;
        Ok(Self { provenance, account, organs, activity, warnings, dose, uncertainty, weighted, on_ct, tally })
    }

    pub(super) fn accept(&mut self, piece: Piece) -> Result<(), DoseError> {
        match piece {
            Piece::Volume(chunk) => self.accept_volume(chunk),
            Piece::Tally(chunk) => self.accept_tally(&chunk),
        }
    }

    pub(super) fn accept_volume(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let volume = match chunk.volume() {
            pb::VolumeRole::Dose => Some(&mut self.dose),
            pb::VolumeRole::Uncertainty => self.uncertainty.as_mut(),
            pb::VolumeRole::WeightedDose => self.weighted.as_mut(),
            pb::VolumeRole::DoseOnCt => self.on_ct.as_mut(),
            pb::VolumeRole::Activity
            | pb::VolumeRole::Source
            | pb::VolumeRole::Resampled
            | pb::VolumeRole::Scan
            | pb::VolumeRole::TimeIntegratedActivity
            | pb::VolumeRole::TimeIntegratedActivityUncertainty
            | pb::VolumeRole::VoxelKinds
            | pb::VolumeRole::Bed
            | pb::VolumeRole::Eqd2
            | pb::VolumeRole::Ct
            | pb::VolumeRole::Organ
            | pb::VolumeRole::DaughterActivity
            | pb::VolumeRole::Density
            | pb::VolumeRole::Labels
            | pb::VolumeRole::Materials
            | pb::VolumeRole::Unspecified => None,
        };
        let volume = volume.ok_or_else(|| broken("a chunk of a volume that was not announced"))?;
        volume.append(chunk.offset_bytes, &chunk.data).map_err(|error| broken(&error.to_string()))
    }

    pub(super) fn accept_tally(&mut self, chunk: &pb::TallyChunk) -> Result<(), DoseError> {
        let (bytes, size) = self.tally.as_mut().ok_or_else(|| broken("a tally that was not announced"))?;
        let (received, more) = (bytes.len() as u64, chunk.data.len() as u64);
        if chunk.offset_bytes != received || received.saturating_add(more) > *size {
            return Err(broken("a piece of the tally out of its place"));
        }
        bytes.extend_from_slice(&chunk.data);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Answer, DoseError> {
        let dose = self.dose.finish().map_err(|fault| broken(&format!("the dose {fault}")))?;
        let uncertainty = self.uncertainty.map(Arriving::finish).transpose();
        let uncertainty = uncertainty.map_err(|fault| broken(&format!("the uncertainty {fault}")))?;
        let weighted = self.weighted.map(Arriving::finish).transpose();
        let weighted = weighted.map_err(|fault| broken(&format!("the weighted dose {fault}")))?;
        let decode = |(bytes, _): (Vec<u8>, u64)| formats::tally::decode(Cursor::new(bytes)).map(Box::new);
        let tally = self.tally.map(decode).transpose().map_err(|fault| broken(&format!("the tally {fault}")))?;
        let dose_on_ct = self.on_ct.map(Arriving::finish).transpose();
        let dose_on_ct = dose_on_ct.map_err(|fault| broken(&format!("the dose on the CT {fault}")))?;
        let Self { provenance, activity, warnings, account, organs, .. } = self;
        let result = DoseResult { dose, uncertainty, weighted, tally, provenance, activity, warnings };
        Ok(Answer { result, account, organs, dose_on_ct })
    }
}

pub(super) fn broken(what: &str) -> DoseError {
    DoseError::Remote(format!("the answer makes no sense: {what}"))
}
