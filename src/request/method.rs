//! How the dose is computed, as a caller wrote it.

use super::RawMonteCarlo;
use crate::domain::{Checks, DensityCorrection, Invalid, KernelMedium, KernelOptions, LocalOptions, Method};

/// A method that is not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub enum RawMethod {
    /// See [`Method::Local`].
    Local(RawLocalMethod),
    /// See [`Method::Kernel`].
    Kernel(RawKernelMethod),
    /// See [`Method::MonteCarlo`].
    MonteCarlo(Box<RawMonteCarlo>),
    /// One that this version does not know. No method at all is [`Method::default`].
    Unknown,
}

/// Options of local deposition. What is not given is as in [`LocalOptions::default`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawLocalMethod {
    /// Voxels of a lower density get no dose [g/cm³].
    pub minimum_density_g_cm3: Option<f64>,
}

/// Options of the kernel method. What is not given is as in [`KernelOptions::default`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawKernelMethod {
    /// The medium of the kernel, by the name of a [`KernelMedium`].
    pub medium: Option<String>,
    /// How the density is used, by the name of a [`DensityCorrection`].
    pub density_correction: Option<String>,
    /// Voxels of a lower density get no dose [g/cm³].
    pub minimum_density_g_cm3: Option<f64>,
    /// Radius past which the kernel is cut off [mm].
    pub truncation_radius_mm: Option<f64>,
}

impl RawMethod {
    /// The method; none if a part of it could not be read. Its other options are checked even then.
    pub(super) fn resolve(self, field: &str, checks: &mut Checks) -> Option<Method> {
        let (method, is_whole) = match self {
            Self::Local(options) => (options.resolve(), true),
            Self::Kernel(options) => options.resolve(&format!("{field}.kernel"), checks),
            Self::MonteCarlo(options) => {
                let (options, is_whole) = options.resolve(&format!("{field}.monte_carlo"), checks);
                (Method::MonteCarlo(Box::new(options)), is_whole)
            }
            Self::Unknown => {
                checks.fail(field, "is empty, or one that this version does not know; leave it out for Monte Carlo");
                return None;
            }
        };
        if is_whole {
            return Some(method);
        }
        if let Err(faults) = method.check() {
            checks.extend(field, faults.into_violations());
        }
        None
    }
}

impl RawLocalMethod {
    fn resolve(self) -> Method {
        let default = LocalOptions::default();
        Method::Local(LocalOptions {
            minimum_density_g_cm3: self.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
        })
    }
}

impl RawKernelMethod {
    /// The method, and whether all of it could be read. A part that could not has its fault recorded and keeps its
    /// default.
    fn resolve(self, field: &str, checks: &mut Checks) -> (Method, bool) {
        let default = KernelOptions::default();
        let correction = density_correction(self.density_correction.as_deref(), default.density_correction);
        let correction = checks.at(format!("{field}.density_correction"), correction);
        let medium = checks.at(format!("{field}.medium"), kernel_medium(self.medium.as_deref()));
        let is_whole = correction.is_some() && medium.is_some();
        let method = Method::Kernel(KernelOptions {
            medium: medium.unwrap_or(default.medium),
            density_correction: correction.unwrap_or(default.density_correction),
            minimum_density_g_cm3: self.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
            truncation_radius_mm: self.truncation_radius_mm,
        });
        (method, is_whole)
    }
}

fn density_correction(name: Option<&str>, default: DensityCorrection) -> Result<DensityCorrection, Invalid> {
    let Some(name) = name else { return Ok(default) };
    let known = DensityCorrection::ALL.into_iter().find(|correction| correction.name() == name);
    known.ok_or_else(|| Invalid::new(format!("is water or density-scaled, got `{name}`")))
}

/// The medium of a kernel, water if none is named.
///
/// # Errors
/// As [`KernelMedium::of_name`].
pub fn kernel_medium(name: Option<&str>) -> Result<KernelMedium, Invalid> {
    name.map_or(Ok(KernelMedium::default()), KernelMedium::of_name)
}
