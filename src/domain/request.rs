//! What a caller asks for.

use super::{
    Checks, DensityMap, DoseError, LabelMap, Medium, Method, MonteCarloOptions, Region, Source, TargetUncertainty,
    TimeIntegratedActivity,
};

/// A valid request for a dose.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseRequest {
    activity: TimeIntegratedActivity,
    density: Option<DensityMap>,
    labels: LabelMaps,
    source: Source,
    method: Method,
}

/// Maps of whole numbers that only Monte Carlo transport looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelMaps {
    /// Region of each voxel: the uncertainty of each region's mean dose is computed, and may be a target.
    pub regions: Option<LabelMap>,
    /// What each voxel is made of, by the labels of a [`super::MaterialTable`].
    pub materials: Option<LabelMap>,
}

impl DoseRequest {
    /// * `activity` – decays per voxel [Bq·s]
    /// * `density` – on the same grid [g/cm³]; needed by every method that divides by a voxel's own mass
    ///
    /// # Errors
    /// As [`DoseRequest::with_labels`].
    pub fn new(
        activity: TimeIntegratedActivity,
        density: Option<DensityMap>,
        source: impl Into<Source>,
        method: Method,
    ) -> Result<Self, DoseError> {
        Self::with_labels(activity, density, LabelMaps::default(), source, method)
    }

    /// As [`DoseRequest::new`], with maps of labels on the same grid.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by the fields `density`, `labels`, `materials`, `emissions`, `nuclide` and `method`.
    pub fn with_labels(
        activity: TimeIntegratedActivity,
        density: Option<DensityMap>,
        labels: LabelMaps,
        source: impl Into<Source>,
        method: Method,
    ) -> Result<Self, DoseError> {
        let source = source.into();
        let mut checks = Checks::new();
        let given = Given {
            density: density.is_some(),
            regions: labels.regions.is_some(),
            materials: labels.materials.is_some(),
        };
        check_parts(given, &method, &mut checks);
        let grid = activity.decays().grid();
        let maps = [
            ("density", density.as_ref().map(|map| map.g_cm3().grid())),
            ("labels", labels.regions.as_ref().map(|map| map.labels().grid())),
            ("materials", labels.materials.as_ref().map(|map| map.labels().grid())),
        ];
        for (field, map) in maps {
            if let Some(map) = map {
                checks.at(format!("{field}.grid"), grid.check_same(map));
            }
        }
        if let Method::MonteCarlo(options) = &method {
            check_labels(&labels, options, &mut checks);
        }
        if let Err(faults) = method.check() {
            checks.extend("method", faults.into_violations());
        }
        checks.finish()?;
        Ok(Self { activity, density, labels, source, method })
    }

    /// Decays per voxel.
    pub fn activity(&self) -> &TimeIntegratedActivity {
        &self.activity
    }

    /// Mass density per voxel, if given.
    pub fn density(&self) -> Option<&DensityMap> {
        self.density.as_ref()
    }

    /// Maps of regions and materials, if given.
    pub fn labels(&self) -> &LabelMaps {
        &self.labels
    }

    /// What decays.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How the dose is computed.
    pub fn method(&self) -> &Method {
        &self.method
    }
}

/// Which maps are there, or announced.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// Mass density.
    pub density: bool,
    /// Region of each voxel.
    pub regions: bool,
    /// What each voxel is made of.
    pub materials: bool,
}

/// Records what a method lacks, and what it would leave unused.
pub fn check_parts(given: Given, method: &Method, checks: &mut Checks) {
    if method.needs_density() && !given.density {
        checks.fail("density", format!("the method {} needs a density volume", method.name()));
    }
    let options = match method {
        Method::MonteCarlo(options) => options,
        Method::Local(_) | Method::Kernel(_) => {
            let unused = "has an effect only with the method monte-carlo";
            for (field, given) in [("labels", given.regions), ("materials", given.materials)] {
                if given {
                    checks.fail(field, unused);
                }
            }
            return;
        }
    };
    match (&options.medium, given.materials) {
        (Medium::Map(_), false) => checks.fail("materials", "is missing: the table of materials needs a map"),
        (Medium::ByDensity | Medium::Uniform(_), true) => {
            checks.fail("materials", "has an effect only with a table of materials");
        }
        (Medium::Map(_), true) | (Medium::ByDensity | Medium::Uniform(_), false) => {}
    }
    if let Some(TargetUncertainty { region: Region::Label(_), .. }) = options.stop.target
        && !given.regions
    {
        checks.fail("labels", "is missing: the target is the uncertainty in a label");
    }
}

/// Records labels that are asked for and not there, or there and unknown.
fn check_labels(labels: &LabelMaps, options: &MonteCarloOptions, checks: &mut Checks) {
    if let (Medium::Map(table), Some(map)) = (&options.medium, &labels.materials) {
        checks.at("materials", table.indices(map).map(drop));
    }
    if let (Some(TargetUncertainty { region: Region::Label(label), .. }), Some(map)) =
        (options.stop.target, &labels.regions)
        && label != 0
        && !map.labels().as_slice().contains(&label)
    {
        checks.fail("labels", format!("has no voxel of the label {label}, whose uncertainty is the target"));
    }
}
