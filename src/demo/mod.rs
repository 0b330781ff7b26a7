//! A stylised patient, computed from end to end.

pub mod phantom;
pub mod picture;
pub mod region;
pub mod spect;
pub mod uptake;

pub use phantom::Phantom;
pub use region::Region;
pub use spect::Spect;
