//! Methods of dose calculation and their options.

use serde::{Deserialize, Serialize};

use super::range::{MINIMUM_DENSITY_G_CM3, TRUNCATION_RADIUS_MM};
use super::{Checks, KernelMedium, MonteCarloOptions};

/// Difference between the seeds of two maps: odd, and large, so that callers are unlikely to choose both.
const SEED_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Voxels of a lower density get no dose unless the caller asks for it [g/cm³]: in air, energy over mass means nothing.
pub const DEFAULT_MINIMUM_DENSITY_G_CM3: f64 = 0.05;

/// How the dose is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Charged particles deposit in the voxel of the decay; photons leave.
    Local(LocalOptions),
    /// Convolution with voxel S values in a uniform medium.
    Kernel(KernelOptions),
    /// Coupled histories of photons, electrons and positrons in the voxel phantom.
    MonteCarlo(Box<MonteCarloOptions>),
}

impl Default for Method {
    /// Monte Carlo transport to a stated uncertainty.
    fn default() -> Self {
        Self::MonteCarlo(Box::default())
    }
}

impl Method {
    /// The names of all methods.
    pub const NAMES: [&str; 3] = ["local", "kernel", "monte-carlo"];

    /// Name on the wire and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local(_) => Self::NAMES[0],
            Self::Kernel(_) => Self::NAMES[1],
            Self::MonteCarlo(_) => Self::NAMES[2],
        }
    }

    /// Whether a density volume is needed.
    pub fn needs_density(&self) -> bool {
        match self {
            Self::Local(_) | Self::MonteCarlo(_) => true,
            Self::Kernel(options) => options.density_correction == DensityCorrection::DensityScaled,
        }
    }

    /// # Errors
    /// Every option with a bad value, by the name of its field.
    pub fn check(&self) -> Result<(), Checks> {
        let mut checks = Checks::new();
        match self {
            Self::Local(options) => {
                checks.at("local.minimum_density_g_cm3", MINIMUM_DENSITY_G_CM3.check(options.minimum_density_g_cm3));
            }
            Self::Kernel(options) => {
                checks.at("kernel.minimum_density_g_cm3", MINIMUM_DENSITY_G_CM3.check(options.minimum_density_g_cm3));
                if let Some(radius) = options.truncation_radius_mm {
                    checks.at("kernel.truncation_radius_mm", TRUNCATION_RADIUS_MM.check(radius));
                }
            }
            Self::MonteCarlo(options) => options.check("monte_carlo", &mut checks),
        }
        if checks.is_empty() { Ok(()) } else { Err(checks) }
    }

    /// The same method for one map of several: with its own random numbers and an equal share of the time.
    ///
    /// * `number` – of the map; 0 keeps the seed
    pub(super) fn of_map(&self, number: usize, maps: usize) -> Self {
        let mut method = self.clone();
        if let Self::MonteCarlo(options) = &mut method {
            options.seed = options.seed.wrapping_add((number as u64).wrapping_mul(SEED_STEP));
            options.stop = options.stop.in_force();
            options.stop.time_limit_s = options.stop.time_limit_s.map(|limit_s| limit_s / maps as f64);
        }
        method
    }
}

/// Options of [`Method::Local`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalOptions {
    /// Voxels of a lower density get no dose [g/cm³]; 0 gives one to every voxel that has a mass.
    pub minimum_density_g_cm3: f64,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { minimum_density_g_cm3: DEFAULT_MINIMUM_DENSITY_G_CM3 }
    }
}

/// Options of [`Method::Kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelOptions {
    /// The medium of the kernel.
    pub medium: KernelMedium,
    /// How the density is used.
    pub density_correction: DensityCorrection,
    /// Voxels of a lower density get no dose [g/cm³]; 0 gives one to every voxel that has a mass.
    pub minimum_density_g_cm3: f64,
    /// Radius past which the kernel is cut off [mm]; none: nowhere.
    pub truncation_radius_mm: Option<f64>,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self {
            medium: KernelMedium::Water,
            density_correction: DensityCorrection::DensityScaled,
            minimum_density_g_cm3: DEFAULT_MINIMUM_DENSITY_G_CM3,
            truncation_radius_mm: None,
        }
    }
}

/// How a kernel dose uses the density of a voxel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DensityCorrection {
    /// Not at all: the dose in the medium of the kernel, which is water of 1 g/cm³ unless another is chosen.
    #[serde(rename = "water")]
    None,
    /// Charged particles are corrected for the density on their way, and what they leave is divided by the voxel's own
    /// mass. The photons' dose is corrected for where the body scatters, and turned into dose to the voxel's tissue.
    DensityScaled,
}

impl DensityCorrection {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::None, Self::DensityScaled];

    /// Name on the wire and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "water",
            Self::DensityScaled => "density-scaled",
        }
    }
}
