//! The device under test, and how many histories it runs.

use crate::domain::Tally;
use crate::domain::{Control, DeviceKind, DoseError};
use crate::engine::Device;

use super::phantom::Phantom;

/// How many histories checks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For an engine whose every figure is compared with that of another engine on the same histories: the difference
    /// has next to no statistical uncertainty.
    Paired,
    /// For a software adapter, which is some hundred times slower than the CPU engine.
    Reduced,
    /// For a run of a few minutes on two cores.
    Standard,
    /// Ten times as many: a third of the statistical uncertainty.
    Thorough,
}

impl Effort {
    /// The effort that suits a device.
    pub fn of(kind: DeviceKind, thorough: bool) -> Self {
        match (kind, thorough) {
            (DeviceKind::SoftwareGpu, false) => Self::Reduced,
            (DeviceKind::SoftwareGpu, true) => Self::Standard,
            (_, false) => Self::Standard,
            (_, true) => Self::Thorough,
        }
    }

    /// Factor on the standard number of histories of a check.
    pub fn factor(self) -> f64 {
        match self {
            Self::Paired => 0.01,
            Self::Reduced => 0.05,
            Self::Standard => 1.0,
            Self::Thorough => 10.0,
        }
    }

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paired => "paired (for comparing engines)",
            Self::Reduced => "reduced (software adapter)",
            Self::Standard => "standard",
            Self::Thorough => "thorough",
        }
    }
}

/// A device under test.
#[derive(Debug)]
pub struct Rig<'a> {
    /// The device.
    pub device: &'a mut Device,
    /// How many histories are run.
    pub effort: Effort,
    /// Lets the caller cancel a check.
    pub control: &'a Control,
}

impl Rig<'_> {
    /// The standard number of histories of a check, times the factor of the effort.
    pub fn histories(&self, standard: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 1e10, above 0")]
        let histories = (standard as f64 * self.effort.factor()) as u64;
        histories
    }

    /// Runs histories in a phantom, from number 0 on.
    ///
    /// * `standard` – histories at standard effort
    ///
    /// # Errors
    /// A failure of the device.
    pub fn transport(&mut self, phantom: &Phantom, standard: u64) -> Result<Tally, DoseError> {
        let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
        let histories = self.histories(standard);
        self.device.transport(&phantom.scene(), 0..histories, &mut tally, self.control)?;
        Ok(tally)
    }
}
