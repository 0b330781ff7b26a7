//! From flags to what they mean. Faults are named by the flag, without its dashes.

use super::Args;
use crate::domain::{
    ActivityUnit, Checks, DensityCorrection, DeviceSelector, Invalid, KernelOptions, LocalOptions, Method, Nuclide,
};
use crate::physics::nuclide;

/// The flags that name no input file. A part is missing only if a fault was recorded for it.
pub(super) struct Options {
    pub(super) nuclide: Option<&'static Nuclide>,
    pub(super) unit: Option<ActivityUnit>,
    pub(super) method: Option<Method>,
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
        let nuclide = required(&args.nuclide, "nuclide", checks).and_then(|name| {
            let found = nuclide::find(name);
            checks.at("nuclide", found)
        });
        let unit = unit(args, nuclide, checks);
        let method = method(args, checks);
        check_combinations(args, checks);
        Self { nuclide, unit, method, target: target(args, checks) }
    }
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
            nuclide.map(|nuclide| ActivityUnit::Bq { effective_half_life_s: nuclide.half_life_s })
        }
        ("bq", Some(text)) => {
            let seconds = checks.at("effective-half-life", parse_time_s(text))?;
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

/// A number and a unit of time, such as `50h`.
fn parse_time_s(text: &str) -> Result<f64, Invalid> {
    let units = [("min", 60.0), ("s", 1.0), ("h", 3600.0), ("d", 86_400.0)];
    let parse = |(unit, seconds): (&str, f64)| Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * seconds);
    units.into_iter().find_map(parse).ok_or_else(|| {
        Invalid::new(format!("is a number with the unit s, min, h or d, such as 50h, or `physical`; got `{text}`"))
    })
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
    let (local, kernel) = (LocalOptions::default(), KernelOptions::default());
    let method = match args.method.as_str() {
        "local" => {
            let minimum_density_g_cm3 = minimum.unwrap_or(local.minimum_density_g_cm3);
            Method::Local(LocalOptions { minimum_density_g_cm3 })
        }
        "kernel" => Method::Kernel(KernelOptions {
            density_correction: correction.unwrap_or(kernel.density_correction),
            minimum_density_g_cm3: minimum.unwrap_or(kernel.minimum_density_g_cm3),
            truncation_radius_mm: radius,
        }),
        name => {
            checks.fail("method", format!("is local or kernel, got `{name}`"));
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

/// The flag of an option's field.
fn flag_of(field: &str) -> &str {
    match field.rsplit('.').next() {
        Some("minimum_density_g_cm3") => "minimum-density",
        Some("truncation_radius_mm") => "truncation-radius",
        _ => field,
    }
}

fn number(text: &Option<String>, flag: &str, checks: &mut Checks) -> Option<f64> {
    let text = text.as_deref()?;
    checks.at(flag, text.parse().map_err(|_| Invalid::new(format!("is a number, got `{text}`"))))
}

/// Flags that contradict one another, or would have no effect.
fn check_combinations(args: &Args, checks: &mut Checks) {
    let water = args.density_correction.as_deref() == Some("water");
    let without_effect = [
        ("density-correction", args.density_correction.is_some() && args.method == "local", "with --method local"),
        ("truncation-radius", args.truncation_radius.is_some() && args.method == "local", "with --method local"),
        ("minimum-density", args.minimum_density.is_some() && water, "with --density-correction water"),
        ("hu-curve", args.hu_curve.is_some() && args.ct.is_none(), "without --ct"),
        ("organs-output", args.organs_output.is_some() && args.labels.is_none(), "without --labels"),
        ("label-names", args.label_names.is_some() && args.labels.is_none(), "without --labels"),
        ("device", args.device.is_some() && args.server.is_some(), "with --server: the server has its own device"),
    ];
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
