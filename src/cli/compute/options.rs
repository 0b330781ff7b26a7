//! From flags to what they mean. Faults are named by the flag, without its dashes.

use super::Args;
use super::daughters::Sources;
use crate::cli::daughters::parse_time_s;
use crate::domain::{
    ActivityUnit, BiologicalWeighting, Checks, DensityCorrection, DeviceSelector, Extras, Invalid, KernelMedium,
    KernelOptions, LocalOptions, Method, Nuclide, Source,
};
use crate::physics::nuclide;

/// The flags that name no volume. A part is missing only if a fault was recorded for it.
pub(super) struct Options {
    pub(super) sources: Option<Sources>,
    pub(super) unit: Option<ActivityUnit>,
    pub(super) method: Option<Method>,
    pub(super) weighting: Option<BiologicalWeighting>,
    pub(super) target: Target,
}

/// Where to compute.
pub(super) enum Target {
    /// In this process, on a device of this machine.
    Here(DeviceSelector),
    /// On the server of this URL.
    Server(String),
}

impl Options {
    /// Reads all flags and records every fault.
    pub(super) fn check(args: &Args, checks: &mut Checks) -> Self {
        let nuclide = args.nuclide.as_deref().and_then(|name| checks.at("nuclide", nuclide::find(name)));
        let unit = unit(args, nuclide, checks);
        let sources = sources(args, nuclide, unit, checks);
        let weighting = args.daughters.weighting(args.outputs.weighted_output.is_some(), checks);
        let method = method(args, checks);
        check_combinations(args, checks);
        Self { sources, unit, method, weighting, target: target(args, checks) }
    }
}

/// A nuclide, or a spectrum of the caller's own, which needs none.
fn sources(
    args: &Args,
    nuclide: Option<&'static Nuclide>,
    unit: Option<ActivityUnit>,
    checks: &mut Checks,
) -> Option<Sources> {
    if args.monte_carlo.emissions.is_some() {
        let emissions = args.monte_carlo.emissions(checks)?;
        let source = checks.at("emissions", Source::with_emissions(nuclide, emissions));
        return source.map(|first| Sources { first, daughters: Vec::new() });
    }
    required(&args.nuclide, "nuclide", checks);
    args.daughters.sources(nuclide, unit, checks)
}

fn required<'a, T>(value: &'a Option<T>, flag: &str, checks: &mut Checks) -> Option<&'a T> {
    if value.is_none() {
        checks.fail(flag, format!("--{flag} is needed"));
    }
    value.as_ref()
}

fn unit(args: &Args, nuclide: Option<&Nuclide>, checks: &mut Checks) -> Option<ActivityUnit> {
    let name = required(&args.activity_unit, "activity-unit", checks)?;
    let half_life = args.effective_half_life.as_deref();
    match (name.as_str(), half_life) {
        ("bq-s", None) => Some(ActivityUnit::BqS),
        ("mbq-h", None) => Some(ActivityUnit::MbqH),
        ("bq-s" | "mbq-h", Some(_)) => {
            checks
                .fail("effective-half-life", format!("has no meaning with the unit {name}, which is time-integrated"));
            None
        }
        ("bq", None) => {
            checks.fail("effective-half-life", "is needed with the unit bq: a time such as 50h, or `physical`");
            None
        }
        ("bq", Some("physical")) => {
            if args.nuclide.is_none() && args.monte_carlo.emissions.is_some() {
                checks.fail("effective-half-life", "`physical` needs --nuclide, whose half-life it is");
            }
            nuclide.map(|nuclide| ActivityUnit::Bq { effective_half_life_s: nuclide.half_life_s })
        }
        ("bq", Some(text)) => {
            let seconds =
                parse_time_s(text).map_err(|Invalid(reason)| Invalid::new(format!("{reason}, or `physical`")));
            let seconds = checks.at("effective-half-life", seconds)?;
            let unit = ActivityUnit::Bq { effective_half_life_s: seconds };
            checks.at("effective-half-life", unit.to_bq_s())?;
            Some(unit)
        }
        _ => {
            checks.fail("activity-unit", format!("is bq-s, mbq-h or bq, got `{name}`"));
            None
        }
    }
}

fn method(args: &Args, checks: &mut Checks) -> Option<Method> {
    let minimum = number(&args.minimum_density, "minimum-density", checks);
    let radius = number(&args.truncation_radius, "truncation-radius", checks);
    let correction = args.density_correction.as_deref().and_then(|name| {
        let known = [DensityCorrection::Water, DensityCorrection::DensityScaled];
        let found = known.into_iter().find(|correction| correction.name() == name);
        checks.at(
            "density-correction",
            found.ok_or_else(|| Invalid::new(format!("is water or density-scaled, got `{name}`"))),
        )
    });
    let medium = args.kernel_medium.as_deref().and_then(|name| checks.at("kernel-medium", KernelMedium::of_name(name)));
    let (local, kernel) = (LocalOptions::default(), KernelOptions::default());
    let method = match args.method.as_str() {
        "local" => {
            let minimum_density_g_cm3 = minimum.unwrap_or(local.minimum_density_g_cm3);
            Method::Local(LocalOptions { minimum_density_g_cm3 })
        }
        "kernel" => Method::Kernel(KernelOptions {
            medium: medium.unwrap_or(kernel.medium),
            density_correction: correction.unwrap_or(kernel.density_correction),
            minimum_density_g_cm3: minimum.unwrap_or(kernel.minimum_density_g_cm3),
            truncation_radius_mm: radius,
        }),
        "monte-carlo" => {
            let outputs = &args.outputs;
            let extras =
                Extras { uncertainty: outputs.uncertainty_output.is_some(), tally: outputs.tally_output.is_some() };
            Method::MonteCarlo(Box::new(args.monte_carlo.options(minimum, extras, checks)))
        }
        name => {
            checks.fail("method", format!("is local, kernel or monte-carlo, got `{name}`"));
            return None;
        }
    };
    if let Err(faults) = method.check() {
        for fault in faults.into_violations() {
            checks.fail(flag_of(&fault.field), fault.reason);
        }
    }
    Some(method)
}

/// The flag of a field: of an option, or of what it is made from.
pub(super) fn flag_of(field: &str) -> &str {
    if field.starts_with("daughter_maps") {
        return "daughter-activity";
    }
    match field.rsplit('.').next() {
        Some("minimum_density_g_cm3") => "minimum-density",
        Some("truncation_radius_mm") => "truncation-radius",
        Some("histories") => "histories",
        Some("first_history") => "first-history",
        Some("time_limit_s") => "time-limit",
        Some("relative") => "target-uncertainty",
        Some("dose_fraction") => "target-fraction",
        Some("label") => "target-label",
        Some("absorption_mev") => "absorption-energy",
        Some("collision_mev") => "collision-cut",
        Some("photon_mev") => "photon-cut",
        Some("track_length_mev") => "track-length-below",
        Some("materials") => "material-map",
        Some("alpha") => "rbe-alpha",
        Some("recoil") => "rbe-recoil",
        Some("return_tally") => "tally-output",
        _ => field,
    }
}

pub(super) fn number(text: &Option<String>, flag: &str, checks: &mut Checks) -> Option<f64> {
    let text = text.as_deref()?;
    checks.at(flag, text.parse().map_err(|_| Invalid::new(format!("is a number, got `{text}`"))))
}

/// Flags that contradict one another, or would have no effect.
fn check_combinations(args: &Args, checks: &mut Checks) {
    let water = args.density_correction.as_deref() == Some("water");
    let monte_carlo = args.method == "monte-carlo";
    let with_method = format!("with --method {}", args.method);
    let only_kernel = args.method == "local" || monte_carlo;
    let without_effect = [
        ("density-correction", args.density_correction.is_some() && only_kernel, with_method.as_str()),
        ("kernel-medium", args.kernel_medium.is_some() && only_kernel, &with_method),
        ("truncation-radius", args.truncation_radius.is_some() && only_kernel, &with_method),
        ("uncertainty-output", args.outputs.uncertainty_output.is_some() && !monte_carlo, &with_method),
        ("tally-output", args.outputs.tally_output.is_some() && !monte_carlo, &with_method),
        ("target-label", args.monte_carlo.target_label.is_some() && args.outputs.labels.is_none(), "without --labels"),
        ("minimum-density", args.minimum_density.is_some() && water, "with --density-correction water"),
        ("hu-curve", args.hu_curve.is_some() && args.ct.is_none(), "without --ct"),
        ("device", args.device.is_some() && args.server.is_some(), "with --server: the server has its own device"),
    ];
    if args.monte_carlo.emissions.is_some() {
        args.daughters.given().for_each(|flag| checks.fail(flag, "has no meaning with --emissions"));
    }
    if !monte_carlo {
        args.monte_carlo.given().for_each(|flag| checks.fail(flag, format!("has no effect {with_method}")));
    }
    for (flag, bad, when) in without_effect {
        if bad {
            checks.fail(flag, format!("has no effect {when}"));
        }
    }
    if args.density.is_some() && args.ct.is_some() {
        checks.fail("ct", "is given beside --density; only one of the two can hold");
    }
}

fn target(args: &Args, checks: &mut Checks) -> Target {
    let device = args.device.as_deref().and_then(|name| checks.at("device", name.parse())).unwrap_or_default();
    match &args.server {
        None => Target::Here(device),
        Some(url) => {
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                checks.fail("server", format!("is a URL such as http://127.0.0.1:50051, got `{url}`"));
            }
            Target::Server(url.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("50h", 180_000.0), ("2.5 d", 216_000.0), ("90min", 5400.0), ("1e3s", 1000.0)] {
            assert_eq!(parse_time_s(text), Ok(seconds), "{text}");
        }
        for text in ["", "50", "h", "50m", "50 hours", "fifty h"] {
            assert!(parse_time_s(text).is_err(), "{text}");
        }
    }
}
