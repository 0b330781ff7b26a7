//! Flags of the method, and of how its dose is weighted.

use crate::domain::{Checks, Invalid, Part};
use crate::request::{RawKernelMethod, RawLocalMethod, RawMethod, RawMonteCarlo, RawWeighting};

// Strings where they are numbers, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Method")]
pub(super) struct MethodArgs {
    /// How the dose is computed
    #[arg(long, value_name = "local|kernel|monte-carlo", default_value = "monte-carlo")]
    pub(super) method: String,
    /// Voxels of a lower density, in g/cm³, get no dose [default: 0.05]
    #[arg(long, value_name = "G_CM3", allow_negative_numbers = true)]
    minimum_density: Option<String>,
    /// kernel only: medium in which the kernel was computed: water, soft_tissue, lung, compact_bone or cortical_bone
    /// [default: water]
    #[arg(long, value_name = "NAME")]
    kernel_medium: Option<String>,
    /// kernel only: water ignores the density; density-scaled divides the energy in each voxel by the voxel's own mass
    /// [default: density-scaled]
    #[arg(long, value_name = "water|density-scaled")]
    density_correction: Option<String>,
    /// kernel only: cut the kernel off beyond this radius in mm [default: none]
    #[arg(long, value_name = "MM", allow_negative_numbers = true)]
    truncation_radius: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Outputs")]
pub(super) struct WeightingArgs {
    /// Weight of alpha particles in --weighted-output [default: 5]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    rbe_alpha: Option<String>,
    /// Weight of recoil nuclei in --weighted-output [default: that of alpha particles]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    rbe_recoil: Option<String>,
}

impl MethodArgs {
    /// Whether the method is Monte Carlo transport.
    pub(super) fn is_monte_carlo(&self) -> bool {
        self.method == "monte-carlo"
    }

    /// The method. A number that cannot be read has its fault recorded and keeps its default, so that the others are
    /// still checked.
    ///
    /// * `monte_carlo` – options of Monte Carlo transport, read if that is the method
    pub(super) fn raw(
        &self,
        monte_carlo: impl FnOnce(&mut Checks) -> RawMonteCarlo,
        checks: &mut Checks,
    ) -> Part<RawMethod> {
        self.check(checks);
        let minimum_density_g_cm3 = number(self.minimum_density.as_deref(), "minimum-density", checks);
        let truncation_radius_mm = number(self.truncation_radius.as_deref(), "truncation-radius", checks);
        match self.method.as_str() {
            "local" => Part::Good(RawMethod::Local(RawLocalMethod { minimum_density_g_cm3 })),
            "kernel" => Part::Good(RawMethod::Kernel(RawKernelMethod {
                medium: self.kernel_medium.clone(),
                density_correction: self.density_correction.clone(),
                minimum_density_g_cm3,
                truncation_radius_mm,
            })),
            "monte-carlo" => {
                let options = RawMonteCarlo { minimum_density_g_cm3, ..monte_carlo(checks) };
                Part::Good(RawMethod::MonteCarlo(Box::new(options)))
            }
            name => {
                checks.fail("method", format!("is local, kernel or monte-carlo, got `{name}`"));
                Part::Faulty
            }
        }
    }

    /// Records flags that would have no effect.
    fn check(&self, checks: &mut Checks) {
        if self.method != "kernel" {
            let of_kernel = [
                ("density-correction", self.density_correction.is_some()),
                ("kernel-medium", self.kernel_medium.is_some()),
                ("truncation-radius", self.truncation_radius.is_some()),
            ];
            for (flag, _) in of_kernel.into_iter().filter(|(_, is_given)| *is_given) {
                checks.fail(flag, format!("has no effect with --method {}", self.method));
            }
        }
        if self.minimum_density.is_some() && self.density_correction.as_deref() == Some("water") {
            checks.fail("minimum-density", "has no effect with --density-correction water");
        }
    }
}

impl WeightingArgs {
    /// The weights, if a weighted dose is wanted.
    pub(super) fn raw(&self, is_wanted: bool, checks: &mut Checks) -> Option<RawWeighting> {
        let flags = [("rbe-alpha", self.rbe_alpha.as_deref()), ("rbe-recoil", self.rbe_recoil.as_deref())];
        if !is_wanted {
            for (flag, _) in flags.into_iter().filter(|(_, given)| given.is_some()) {
                checks.fail(flag, "has no effect without --weighted-output");
            }
            return None;
        }
        let [alpha, recoil] = flags.map(|(flag, text)| number(text, flag, checks));
        Some(RawWeighting { alpha, recoil })
    }
}

/// A number; none if there is none, or a fault was recorded.
pub(super) fn number(text: Option<&str>, flag: &str, checks: &mut Checks) -> Option<f64> {
    let text = text?;
    checks.at(flag, text.parse().map_err(|_| Invalid::new(format!("is a number, got `{text}`"))))
}
