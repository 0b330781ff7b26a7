//! The nouns of the program, validated on construction: input is checked here, once.

pub mod activity;
pub mod control;
pub mod density;
pub mod device;
pub mod emission;
pub mod error;
pub mod grid;
pub mod method;
pub mod nuclide;
pub mod request;
pub mod result;
pub mod volume;

pub use activity::{ActivityUnit, TimeIntegratedActivity};
pub use control::{Control, Progress, Stage};
pub use density::DensityMap;
pub use device::{DeviceInfo, DeviceKind, DeviceSelector};
pub use emission::{Emission, EmissionSpectrum, Particle};
pub use error::{Checks, DoseError, Invalid, Violation};
pub use grid::VoxelGrid;
pub use method::{DensityCorrection, KernelOptions, LocalOptions, Method};
pub use nuclide::Nuclide;
pub use request::DoseRequest;
pub use result::{DoseResult, EnergyAccount, KernelAccount, Provenance, StageTime};
pub use volume::Volume;
