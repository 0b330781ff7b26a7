//! The nouns of the program, validated on construction: input is checked here, once.

pub mod account;
pub mod activity;
pub mod control;
pub mod density;
pub mod device;
pub mod emission;
pub mod error;
pub mod grid;
pub mod labels;
pub mod medium;
pub mod method;
pub mod monte_carlo;
pub mod nuclide;
pub mod request;
pub mod result;
pub mod source;
pub mod tally_record;
pub mod volume;

pub use account::{EmissionAccount, HistoryRun, MaterialAccount, MonteCarloAccount, RegionDose, StopReason};
pub use activity::{ActivityUnit, TimeIntegratedActivity};
pub use control::{Control, Progress, Stage, TransportProgress};
pub use density::DensityMap;
pub use device::{DeviceInfo, DeviceKind, DeviceSelector};
pub use emission::{Emission, EmissionSpectrum, Particle};
pub use error::{Checks, DoseError, Invalid, Violation};
pub use grid::VoxelGrid;
pub use labels::LabelMap;
pub use medium::{MaterialTable, Medium};
pub use method::{DensityCorrection, KernelOptions, LocalOptions, Method};
pub use monte_carlo::{ChosenCuts, Extras, HistoryCuts, MonteCarloOptions, Region, StopRule, TargetUncertainty};
pub use nuclide::Nuclide;
pub use request::{DoseRequest, LabelMaps};
pub use result::{DoseResult, EnergyAccount, KernelAccount, Provenance, StageTime};
pub use source::Source;
pub use tally_record::{SceneAccount, TallyRecord};
pub use volume::Volume;
