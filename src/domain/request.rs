//! What a caller asks for.

use super::{Checks, DensityMap, DoseError, Method, Nuclide, TimeIntegratedActivity};

/// A valid request for a dose.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseRequest {
    activity: TimeIntegratedActivity,
    density: Option<DensityMap>,
    nuclide: &'static Nuclide,
    method: Method,
}

impl DoseRequest {
    /// * `activity` – decays per voxel [Bq·s]
    /// * `density` – on the same grid [g/cm³]; needed by every method that divides by a voxel's own mass
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by the fields `density` and `method`.
    pub fn new(
        activity: TimeIntegratedActivity,
        density: Option<DensityMap>,
        nuclide: &'static Nuclide,
        method: Method,
    ) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        match &density {
            Some(density) => {
                checks.at("density.grid", activity.decays().grid().check_same(density.g_cm3().grid()));
            }
            None if method.needs_density() => {
                checks.fail("density", format!("the method {} needs a density volume", method.name()));
            }
            None => {}
        }
        if let Err(faults) = method.check() {
            checks.extend("method", faults.into_violations());
        }
        checks.finish()?;
        Ok(Self { activity, density, nuclide, method })
    }

    /// Decays per voxel.
    pub fn activity(&self) -> &TimeIntegratedActivity {
        &self.activity
    }

    /// Mass density per voxel, if given.
    pub fn density(&self) -> Option<&DensityMap> {
        self.density.as_ref()
    }

    /// What decays.
    pub fn nuclide(&self) -> &'static Nuclide {
        self.nuclide
    }

    /// How the dose is computed.
    pub fn method(&self) -> &Method {
        &self.method
    }
}
