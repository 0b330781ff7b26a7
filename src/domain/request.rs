//! A request for a dose: its header and its volumes.

use std::sync::Arc;

use super::density::bears_dose;
use super::{
    ActivityUnit, BiologicalWeighting, Checks, DaughterHeader, DensityMap, DoseError, HeaderDraft, Invalid, LabelMap,
    Medium, Method, MonteCarloOptions, Part, Region, RequestHeader, Source, TargetUncertainty, TimeIntegratedActivity,
    VolumeHeader, VolumeRole, VoxelGrid,
};

/// A valid request for a dose.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseRequest {
    header: Arc<RequestHeader>,
    volumes: RequestVolumes,
}

/// The volumes of a request. Copies share the values.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestVolumes {
    /// Decays per voxel [Bq·s].
    pub activity: TimeIntegratedActivity,
    /// Mass density per voxel [g/cm³].
    pub density: Option<DensityMap>,
    /// Regions and materials.
    pub labels: LabelMaps,
    /// Decays per voxel of each daughter with a map of its own [Bq·s].
    pub daughters: Vec<TimeIntegratedActivity>,
}

/// Maps of whole numbers that only Monte Carlo transport uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelMaps {
    /// Region of each voxel: the uncertainty of each region's mean dose is computed, and may be a target.
    pub regions: Option<LabelMap>,
    /// What each voxel is made of, by the labels of a [`super::MaterialTable`].
    pub materials: Option<LabelMap>,
}

impl RequestVolumes {
    /// Every volume's grid and what the volume is, in the order of [`VolumeRole`].
    fn grids<'a>(&'a self) -> Vec<(VolumeRole, &'a Arc<VoxelGrid>)> {
        let density = self.density.as_ref().map(|map| (VolumeRole::Density, map.g_cm3().grid()));
        let labels = |role, map: Option<&'a LabelMap>| map.map(|map| (role, map.labels().grid()));
        let regions = labels(VolumeRole::Labels, self.labels.regions.as_ref());
        let materials = labels(VolumeRole::Materials, self.labels.materials.as_ref());
        let mut grids = vec![(VolumeRole::Activity, self.activity.decays().grid())];
        grids.extend(density.into_iter().chain(regions).chain(materials));
        for (number, map) in self.daughters.iter().enumerate() {
            grids.push((VolumeRole::DaughterActivity(number), map.decays().grid()));
        }
        grids
    }
}

impl DoseRequest {
    /// A request with nothing but an activity map and, if needed, a density.
    ///
    /// * `activity` – decays per voxel [Bq·s]
    /// * `density` – on the same grid [g/cm³]; needed by every method that divides by a voxel's own mass
    ///
    /// # Errors
    /// As [`RequestBuilder::build`].
    pub fn new(
        activity: TimeIntegratedActivity,
        density: Option<DensityMap>,
        source: impl Into<Source>,
        method: Method,
    ) -> Result<Self, DoseError> {
        let builder = Self::builder(activity, source, method);
        match density {
            Some(density) => builder.density(density).build(),
            None => builder.build(),
        }
    }

    /// Begins a request; whatever else it has is added step by step.
    ///
    /// * `activity` – decays per voxel [Bq·s]
    pub fn builder(activity: TimeIntegratedActivity, source: impl Into<Source>, method: Method) -> RequestBuilder {
        let draft = HeaderDraft {
            activity: Part::Good(VolumeHeader::float32(activity.decays().grid())),
            activity_unit: Part::Good(ActivityUnit::BqS),
            source: Part::Good(source.into()),
            method: Part::Good(method),
            ..HeaderDraft::default()
        };
        let labels = LabelMaps::default();
        RequestBuilder { draft, volumes: RequestVolumes { activity, density: None, labels, daughters: Vec::new() } }
    }

    /// Puts a header and its volumes together.
    ///
    /// The request's own header describes the volumes as they are held, see [`RequestHeader::canonical`].
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by the fields of the header: a volume that is missing, that the header
    /// does not announce, or that is on another grid than the header says; a target label that no voxel with
    /// a dose has; a label without a material.
    pub fn of(header: &RequestHeader, volumes: RequestVolumes) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        let announced: Vec<_> = header.volumes().map(|(role, volume)| (role, &volume.grid)).collect();
        let there = volumes.grids();
        for (role, grid) in &announced {
            match there.iter().find(|(other, _)| other == role) {
                None => checks.fail(role.field(), "is announced and missing"),
                Some((_, other)) if ***other != **grid => {
                    checks.fail(format!("{}.grid", role.field()), "is not the grid that the header says");
                }
                Some(_) => {}
            }
        }
        for (role, _) in there.iter().filter(|(role, _)| announced.iter().all(|(other, _)| other != role)) {
            checks.fail(role.field(), "is not announced by the header");
        }
        if let Method::MonteCarlo(options) = header.method() {
            check_labels(&volumes, options, &mut checks);
        }
        checks.finish()?;
        Ok(Self { header: Arc::new(header.canonical()), volumes })
    }

    /// What the request says without its voxels.
    pub fn header(&self) -> &Arc<RequestHeader> {
        &self.header
    }

    /// All volumes.
    pub fn volumes(&self) -> &RequestVolumes {
        &self.volumes
    }

    /// Decays per voxel of the map of the first nuclide.
    pub fn activity(&self) -> &TimeIntegratedActivity {
        &self.volumes.activity
    }

    /// Mass density per voxel, if given.
    pub fn density(&self) -> Option<&DensityMap> {
        self.volumes.density.as_ref()
    }

    /// Maps of regions and materials, if given.
    pub fn labels(&self) -> &LabelMaps {
        &self.volumes.labels
    }

    /// What decays in the first map.
    pub fn source(&self) -> &Source {
        self.header.source()
    }

    /// How the dose is computed.
    pub fn method(&self) -> &Method {
        self.header.method()
    }

    /// Weights of a biologically weighted dose, if one is asked for.
    pub fn weighting(&self) -> Option<BiologicalWeighting> {
        self.header.weighting()
    }

    /// One request for each map, each with its own seed and share of the time limit where the method has them. Volumes
    /// are shared.
    pub fn by_map(&self) -> Vec<Self> {
        let of_map = |(map, activity): (usize, &TimeIntegratedActivity)| Self {
            header: Arc::new(self.header.of_map(map)),
            volumes: RequestVolumes {
                activity: activity.clone(),
                density: self.volumes.density.clone(),
                labels: self.volumes.labels.clone(),
                daughters: Vec::new(),
            },
        };
        let activities = std::iter::once(&self.volumes.activity).chain(&self.volumes.daughters);
        activities.enumerate().map(of_map).collect()
    }
}

impl AsRef<RequestHeader> for DoseRequest {
    fn as_ref(&self) -> &RequestHeader {
        &self.header
    }
}

/// A request that is being put together from its volumes.
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    draft: HeaderDraft,
    volumes: RequestVolumes,
}

impl RequestBuilder {
    /// Adds the mass density per voxel [g/cm³].
    #[must_use]
    pub fn density(mut self, map: DensityMap) -> Self {
        self.draft.density = Part::Good(VolumeHeader::float32(map.g_cm3().grid()));
        self.volumes.density = Some(map);
        self
    }

    /// Adds maps of regions and materials.
    #[must_use]
    pub fn labels(mut self, maps: LabelMaps) -> Self {
        let header = |map: &Option<LabelMap>| map.as_ref().map(|map| VolumeHeader::float32(map.labels().grid())).into();
        (self.draft.labels, self.draft.materials) = (header(&maps.regions), header(&maps.materials));
        self.volumes.labels = maps;
        self
    }

    /// Adds a daughter with a map of its own.
    ///
    /// * `activity` – its decays per voxel [Bq·s]
    #[must_use]
    pub fn daughter(mut self, source: impl Into<Source>, activity: TimeIntegratedActivity) -> Self {
        let header = VolumeHeader::float32(activity.decays().grid());
        let (source, activity_unit) = (source.into(), ActivityUnit::BqS);
        self.draft.daughters.push(Part::Good(DaughterHeader { source, activity: header, activity_unit }));
        self.volumes.daughters.push(activity);
        self
    }

    /// Asks for a biologically weighted dose.
    #[must_use]
    pub fn weighting(mut self, weighting: BiologicalWeighting) -> Self {
        self.draft.weighting = Some(weighting);
        self
    }

    /// The request.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, as [`HeaderDraft::finish`] and then [`DoseRequest::of`].
    pub fn build(self) -> Result<DoseRequest, DoseError> {
        DoseRequest::of(&self.draft.finish(Checks::new())?, self.volumes)
    }
}

/// Records a target label without a voxel that has a dose, and labels without a material.
fn check_labels(volumes: &RequestVolumes, options: &MonteCarloOptions, checks: &mut Checks) {
    let labels = &volumes.labels;
    if let (Medium::Map(table), Some(map)) = (&options.medium, &labels.materials) {
        checks.at("materials", table.indices(map).map(drop));
    }
    if let (Some(TargetUncertainty { region: Region::Label(label), .. }), Some(map)) =
        (options.stop.target, &labels.regions)
        && label != 0
    {
        checks.at("labels", check_target(label, map, volumes.density.as_ref(), options.minimum_density_g_cm3));
    }
}

/// # Errors
/// If no voxel has the label, or none of those that have it gets a dose: its uncertainty would never be known.
fn check_target(label: u16, map: &LabelMap, density: Option<&DensityMap>, minimum_g_cm3: f64) -> Result<(), Invalid> {
    let labels = map.labels().as_slice();
    if !labels.contains(&label) {
        return Err(Invalid::new(format!("has no voxel of the label {label}, whose uncertainty is the target")));
    }
    let Some(density) = density else { return Ok(()) };
    let mut voxels = labels.iter().zip(density.g_cm3().as_slice()).filter(|(own, _)| **own == label);
    if voxels.any(|(_, &g_cm3)| bears_dose(g_cm3.into(), minimum_g_cm3)) {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "has the label {label}, whose uncertainty is the target, only in voxels that are too thin for a dose: below \
         {minimum_g_cm3} g/cm³"
    )))
}
