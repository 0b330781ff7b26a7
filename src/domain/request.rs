//! What a caller asks for.

use super::{
    BiologicalWeighting, Checks, DensityMap, DoseError, LabelMap, Medium, Method, MonteCarloOptions, Region, Source,
    TargetUncertainty, TimeIntegratedActivity,
};

/// Most daughters with maps of their own.
pub const MAX_DAUGHTER_MAPS: usize = 16;

/// A valid request for a dose.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseRequest(RequestParts);

/// All that a request is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestParts {
    /// Decays per voxel [Bq·s].
    pub activity: TimeIntegratedActivity,
    /// What decays there.
    pub source: Source,
    /// Daughters that moved before they decayed.
    pub daughters: Vec<DaughterMap>,
    /// Mass density per voxel [g/cm³], on the same grid; needed by every method that divides by a voxel's own mass.
    pub density: Option<DensityMap>,
    /// Regions and materials, on the same grid.
    pub labels: LabelMaps,
    /// How the dose is computed.
    pub method: Method,
    /// Weights of a biologically weighted dose, if one is asked for.
    pub weighting: Option<BiologicalWeighting>,
}

/// A daughter that does not decay where its parent did.
#[derive(Clone, Debug, PartialEq)]
pub struct DaughterMap {
    /// What decays in this map: the daughter, and those of its own daughters that stay with it.
    pub source: Source,
    /// Decays per voxel [Bq·s], on the grid of the parent's.
    pub activity: TimeIntegratedActivity,
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
    /// As [`DoseRequest::of`].
    pub fn new(
        activity: TimeIntegratedActivity,
        density: Option<DensityMap>,
        source: impl Into<Source>,
        method: Method,
    ) -> Result<Self, DoseError> {
        let (labels, source) = (LabelMaps::default(), source.into());
        Self::of(RequestParts { activity, source, daughters: Vec::new(), density, labels, method, weighting: None })
    }

    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by the fields `density`, `labels`, `materials`, `emissions`, `nuclide`, `daughter_maps`,
    /// `biological_weighting` and `method`.
    pub fn of(parts: RequestParts) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        let RequestParts { activity, source, daughters, density, labels, method, weighting } = &parts;
        let given = Given {
            density: density.is_some(),
            regions: labels.regions.is_some(),
            materials: labels.materials.is_some(),
            daughters: daughters.len(),
        };
        check_parts(given, method, &mut checks);
        if source.own_emissions().is_some() && !daughters.is_empty() {
            checks.fail("daughter_maps", "have no meaning with a spectrum of the caller's own");
        }
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
        for (number, daughter) in daughters.iter().enumerate() {
            let field = format!("daughter_maps[{number}]");
            checks.at(format!("{field}.activity.grid"), grid.check_same(daughter.activity.decays().grid()));
            if let Some(name) = daughter.source.nuclide().and_then(|nuclide| source.counts(nuclide)) {
                checks.fail(format!("{field}.nuclide"), format!("{name} decays in the map of its parent as well"));
            }
        }
        if let Method::MonteCarlo(options) = method {
            check_labels(labels, options, &mut checks);
        }
        if let Err(faults) = method.check() {
            checks.extend("method", faults.into_violations());
        }
        if let Some(weighting) = weighting {
            weighting.check("biological_weighting", &mut checks);
        }
        checks.finish()?;
        Ok(Self(parts))
    }

    /// Decays per voxel of the map of the first nuclide.
    pub fn activity(&self) -> &TimeIntegratedActivity {
        &self.0.activity
    }

    /// Mass density per voxel, if given.
    pub fn density(&self) -> Option<&DensityMap> {
        self.0.density.as_ref()
    }

    /// Maps of regions and materials, if given.
    pub fn labels(&self) -> &LabelMaps {
        &self.0.labels
    }

    /// What decays in the first map.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// Daughters with maps of their own.
    pub fn daughters(&self) -> &[DaughterMap] {
        &self.0.daughters
    }

    /// What decays in each map, in their order.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.0.source).chain(self.0.daughters.iter().map(|daughter| &daughter.source))
    }

    /// Weights of a biologically weighted dose, if one is asked for.
    pub fn weighting(&self) -> Option<BiologicalWeighting> {
        self.0.weighting
    }

    /// One request for each map, with a seed and a part of the time limit of its own where the method has them. Volumes are shared.
    pub fn by_map(&self) -> Vec<Self> {
        let maps = self.0.daughters.len() + 1;
        let own = RequestParts { daughters: Vec::new(), method: self.0.method.of_map(0, maps), ..self.0.clone() };
        let of_daughter = |(number, daughter): (usize, &DaughterMap)| RequestParts {
            activity: daughter.activity.clone(),
            source: daughter.source.clone(),
            method: self.0.method.of_map(number + 1, maps),
            ..own.clone()
        };
        let daughters = self.0.daughters.iter().enumerate().map(of_daughter);
        std::iter::once(own.clone()).chain(daughters).map(Self).collect()
    }

    /// How the dose is computed.
    pub fn method(&self) -> &Method {
        &self.0.method
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
    /// Number of daughters with maps of their own.
    pub daughters: usize,
}

/// Records what a method lacks, and what it would leave unused.
pub fn check_parts(given: Given, method: &Method, checks: &mut Checks) {
    if method.needs_density() && !given.density {
        checks.fail("density", format!("the method {} needs a density volume", method.name()));
    }
    if given.daughters > MAX_DAUGHTER_MAPS {
        checks.fail("daughter_maps", format!("are {}, at most {MAX_DAUGHTER_MAPS} are taken", given.daughters));
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
    if options.extras.tally && given.daughters > 0 {
        checks.fail("method.monte_carlo.return_tally", "has no meaning with daughter maps: a tally is of one map");
    }
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
