//! From what a caller wrote to a checked header: the step that the command line and the gRPC service share.
//!
//! Both fill a [`RawHeader`]. [`RawHeader::check`] then looks up nuclides, daughters and materials, sets the defaults,
//! and names every fault by its path on the wire.

mod grid;
mod material;
mod method;
mod monte_carlo;
mod path;
mod source;
mod unit;
mod volume;

pub use crate::domain::header::MISSING;
use crate::domain::{Checks, DoseError, HeaderDraft, Method, Part, RequestHeader};

pub use grid::{RawGrid, affine, spacing_mm};
pub use material::{RawLabelledMaterial, RawMaterial, RawMedium};
pub use method::{RawKernelMethod, RawLocalMethod, RawMethod, kernel_medium};
pub use monte_carlo::{RawMonteCarlo, RawRegion, RawTarget};
pub use path::{OF_PLAN, paths, pattern};
pub use source::{RawDaughterMap, RawDaughters, RawEmission, RawSource, RawWeighting};
pub use unit::{RawActivity, RawHalfLife, RawMoment, RawTimes, RawUnit};
pub use volume::RawVolume;

/// A header as a caller wrote it, not yet checked. Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawHeader {
    /// The activity map.
    pub activity: Part<RawVolume>,
    /// What the numbers of the activity map mean.
    pub activity_unit: Part<RawUnit>,
    /// Mass density [g/cm³].
    pub density: Part<RawVolume>,
    /// Region of each voxel.
    pub labels: Part<RawVolume>,
    /// Material of each voxel, by label.
    pub materials: Part<RawVolume>,
    /// What decays in the activity map.
    pub source: RawSource,
    /// Daughters with maps of their own.
    pub daughter_maps: Vec<RawDaughterMap>,
    /// How the dose is computed. Not given: [`Method::default`].
    pub method: Part<RawMethod>,
    /// Asks for a biologically weighted dose.
    pub weighting: Option<RawWeighting>,
    /// Activity that was injected [Bq].
    pub injected_activity_bq: Option<f64>,
    /// What a time-integrated activity map was made from.
    pub integrated_from: Option<RawTimes>,
    /// Makes warnings errors.
    pub strict: bool,
}

impl RawHeader {
    /// The header.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<RequestHeader, DoseError> {
        let mut checks = Checks::new();
        let draft = self.resolve(&mut checks);
        draft.finish(checks)
    }

    /// [`RawHeader::check`] without its last step, [`HeaderDraft::finish`]: for callers who need the good parts even if
    /// others are bad.
    pub fn resolve(self, checks: &mut Checks) -> HeaderDraft {
        let activity = self.activity.resolve("activity", checks, RawVolume::resolve);
        let activity = needed(activity, "activity", checks);
        let density = self.density.resolve("density", checks, RawVolume::resolve);
        let labels = self.labels.resolve("labels", checks, RawVolume::resolve);
        let materials = self.materials.resolve("materials", checks, RawVolume::resolve);
        let times = self.integrated_from;
        let sources = source::sources(self.source, self.activity_unit, times, self.daughter_maps, checks);
        let weighting = self.weighting.map(RawWeighting::resolve);
        let method = match self.method.resolve("method", checks, RawMethod::resolve) {
            Part::Absent => Part::Good(Method::default()),
            part @ (Part::Faulty | Part::Good(_)) => part,
        };
        let source::Sources { unit, integrated_from, source, daughters } = sources;
        HeaderDraft {
            activity,
            activity_unit: unit,
            density,
            labels,
            materials,
            source,
            daughters,
            method,
            weighting,
            injected_activity_bq: self.injected_activity_bq,
            integrated_from,
            strict: self.strict,
        }
    }
}

/// Records a needed part that is absent.
fn needed<T>(part: Part<T>, field: &str, checks: &mut Checks) -> Part<T> {
    match part {
        Part::Absent => {
            checks.fail(field, MISSING);
            Part::Faulty
        }
        Part::Faulty | Part::Good(_) => part,
    }
}

fn missing<T>(field: impl Into<String>, checks: &mut Checks) -> Option<T> {
    checks.fail(field, MISSING);
    None
}
