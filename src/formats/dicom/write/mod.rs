//! DICOM objects out: a dose as RTDOSE, organs as segmentation, and where a reader wants one, a minimal RTPLAN. For
//! studies of phantoms also CT and reconstructed SPECT.
//!
//! Patient, study and frame of reference are those of a [`Reference`], the CT. UIDs are derived by SHA-256 from all
//! that an object holds, so that the same dose on the same CT is the same object, byte for byte, and no other content
//! ever has its UID.

mod capture;
mod ct;
mod decimal;
mod nm;
mod object;
mod placement;
mod plan;
mod quantise;
mod reference;
mod rtdose;
mod segmentation;
mod uid;

pub use capture::secondary_capture;
pub use ct::ct_slices;
pub use nm::{Administration, nm_tomography};
pub use object::DicomObject;
pub use plan::Plan;
pub use reference::Reference;
pub(super) use reference::reference_headers;
pub use rtdose::{DoseKind, RtDose};
pub use segmentation::segmentation;
