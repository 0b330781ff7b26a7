//! A stylised patient, computed from end to end.
//!
//! The data flow:
//!
//! ```text
//! PhantomRegion ─sample→ StylisedPhantom ─uptake, SPECT→ Case ─files, gRPC→ dose ─figure→ picture
//! ```

pub mod case;
pub mod figure;
pub mod loopback;
pub mod phantom;
pub mod region;
pub mod spect;
pub mod study;
pub mod uptake;

pub use case::{Case, CaseFiles};
pub use figure::figure;
pub use loopback::LoopbackServer;
pub use phantom::StylisedPhantom;
pub use region::PhantomRegion;
pub use spect::Spect;
pub use study::DicomStudy;
