//! Biologically effective dose of regions and voxels: what a caller says, checked, and what comes of it. The command
//! line and the gRPC service share it.

mod maps;
mod plan;
mod regions;
mod wanted;

pub use maps::{BedMaps, BedOfMaps, BedVolumes};
pub use plan::{
    BedPlan, CyclePlan, MAX_CYCLES, MAX_PARTS, MAX_REGIONS, RegionPlan, RemovalPlan, RepairPlan, SessionPlan, TermPlan,
    check_regions, recorded, tissue,
};
pub(super) use regions::MOST_GY;
pub use regions::{BedCycle, BedRegion, BedVoxels};
pub use wanted::{BedAnswer, BedWork, RawBed, on_the_wire, warnings_on_the_wire};

use crate::clinic::radiation::Radiation;
use crate::domain::Checks;
use regions::Region;

/// What every answer says.
pub const BED_NOTE: &str = "Linear-quadratic model: above about 10 Gy at a high dose-rate it loses its meaning, which is \
                            not corrected. Dose from other regions is given the kinetics of its target.";

/// The regions of a plan, whose parameters are good.
#[derive(Clone, Debug)]
pub struct BedRegions {
    radiation: Radiation,
    regions: Vec<Region>,
}

impl BedPlan {
    /// The regions. Every fault is recorded by its field, such as `region.kidneys.alpha_beta_gy`.
    ///
    /// * `maps` – number of dose maps; none if the doses are in the plan
    pub fn check(&self, maps: Option<usize>, checks: &mut Checks) -> Option<BedRegions> {
        let radiation = self.radiation(checks);
        let regions = regions::checked(self, radiation, maps, checks);
        if maps.is_some() && matches!(radiation, Some(Radiation::Mixed { .. })) {
            let reason =
                "a mixed field has a dose of electrons and photons, and one of alpha particles: give them by region";
            checks.fail("mixed_field", reason);
        }
        let (radiation, regions) = radiation.zip(regions)?;
        Some(BedRegions { radiation, regions })
    }
}

impl BedRegions {
    /// BED of each region, from the doses of the plan.
    pub fn results(&self) -> Vec<BedRegion> {
        self.regions.iter().map(|region| region.result(self.radiation)).collect()
    }
}
