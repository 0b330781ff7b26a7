//! What is possible of measurements but implausible, such as a number in another unit than it should have.

use super::{Frames, Point};
use crate::domain::{Nuclide, Warning};

/// The reason of the warning of a σ that is larger than what it is of.
pub const SIGMA_HIGH: &str = "SIGMA_HIGH";
/// The reason of the warning of a scan that lasts longer than scans do.
pub const SCAN_LONG: &str = "SCAN_LONG";
/// The reason of the warning that values may be decay-corrected.
pub const VALUES_DECAY_CORRECTED: &str = "VALUES_DECAY_CORRECTED";
/// The reason of the warning that nobody looked whether the maps lie on each other.
pub const REGISTRATION_NOT_CHECKED: &str = "REGISTRATION_NOT_CHECKED";
/// Scans do not last longer [h].
const LONGEST_USUAL_SCAN_H: f64 = 4.0;

/// Warns of a relative σ above 1.
///
/// * `what` – it is of
pub fn of_relative_sigma(field: &str, what: &str, sigma: f64) -> Option<Warning> {
    (sigma > 1.0).then(|| {
        let percent = 100.0 * sigma;
        let message = format!("the σ of {what} is {percent:.0} % of it; if {sigma} is a percentage, divide it by 100");
        Warning::new(SIGMA_HIGH, field, message)
    })
}

/// Warns that nobody looked whether the maps of a series lie on each other.
///
/// * `field` – that lists them
pub fn registration_not_checked(field: &str) -> Warning {
    Warning::new(REGISTRATION_NOT_CHECKED, field, "whether the maps lie on each other was not checked")
}

/// Warns of what is implausible of maps that are integrated voxel by voxel: their times, and a relative σ above 1.
///
/// * `relative_sigma` – of an activity, if it is given
/// * `field` – that gives it
pub fn of_voxels(frames: &Frames, relative_sigma: Option<f64>, field: &str) -> Vec<Warning> {
    let of_sigma = relative_sigma.and_then(|sigma| of_relative_sigma(field, "an activity", sigma));
    frames.warnings().iter().cloned().chain(of_sigma).collect()
}

/// The integral of a region, for what is said of all of them.
#[derive(Clone, Debug)]
pub struct OfRegion {
    /// Its name.
    pub name: String,
    /// Time-integrated activity over the administered one [h].
    pub coefficient_h: Option<f64>,
    /// Whether its rate was held at that of physical decay.
    pub is_at_physical_limit: bool,
}

/// Warns if most regions fall slower than physics, and of each with more decays than there were nuclei: an activity or
/// a time in another unit than it should.
///
/// * `refers_to`, `administered` – how a caller says what values refer to, and how much was administered: flags, or
///   fields
pub fn of_regions(regions: &[OfRegion], nuclide: &Nuclide, [refers_to, administered]: [&str; 2]) -> Vec<Warning> {
    let field = |said_by: &str| said_by.trim_start_matches('-').to_owned();
    let limited = regions.iter().filter(|region| region.is_at_physical_limit).count();
    let corrected = (2 * limited > regions.len()).then(|| {
        let message = format!(
            "{limited} of {} regions fall slower than by physical decay: are the values decay-corrected? Say so with \
             {refers_to}",
            regions.len()
        );
        Warning::new(VALUES_DECAY_CORRECTED, field(refers_to), message)
    });
    let excess = |region: &OfRegion| {
        let (name, physical_s) = (&nuclide.name, nuclide.half_life_s);
        let warning = Warning::of_coefficient(region.coefficient_h?, name, physical_s, &field(administered))?;
        Some(Warning { message: format!("{}: {}", region.name, warning.message), ..warning })
    };
    corrected.into_iter().chain(regions.iter().filter_map(excess)).collect()
}

/// Warns of a σ that is larger than the activity wherever there is activity.
pub(super) fn of_sigmas(points: &[Point]) -> Option<Warning> {
    let positive = points.iter().filter(|point| point.activity_mbq > 0.0);
    let parts: Vec<f64> = positive.filter_map(|point| Some(point.sigma_mbq? / point.activity_mbq)).collect();
    let (least, most) = parts.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), part| (a.min(*part), b.max(*part)));
    (!parts.is_empty() && least > 1.0).then(|| {
        let message = format!(
            "σ is {least:.2} to {most:.2} times the activity of every scan; is it a percentage, or in another unit than \
             the activity?"
        );
        Warning::new(SIGMA_HIGH, "sigma_mbq", message)
    })
}

/// Warns of the first scan that goes on after the next began, or longer than scans do.
///
/// * `points` – by time
pub(super) fn of_durations(points: &[Point]) -> Option<Warning> {
    let next_of = |point: &Point| points.iter().map(|other| other.time_h).find(|time_h| *time_h > point.time_h);
    points.iter().find_map(|point| {
        let Point { time_h, duration_h, .. } = *point;
        let reason = match next_of(point) {
            Some(next_h) if time_h + duration_h > next_h => format!("the next began at {next_h} h"),
            _ if duration_h > LONGEST_USUAL_SCAN_H => format!("few last more than {LONGEST_USUAL_SCAN_H} h"),
            _ => return None,
        };
        let message = format!("the scan at {time_h} h lasts {duration_h} h, and {reason}; are durations in hours?");
        Some(Warning::new(SCAN_LONG, "duration_h", message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time_h: f64, activity_mbq: f64, sigma_mbq: Option<f64>, duration_h: f64) -> Point {
        Point { time_h, activity_mbq, sigma_mbq, duration_h }
    }

    #[test]
    fn a_sigma_above_the_activity_everywhere_is_told() {
        let of = |sigmas: [f64; 3]| {
            let at = [(4.0, 2.0), (24.0, 1.0), (96.0, -0.1)];
            of_sigmas(&std::array::from_fn::<_, 3, _>(|i| point(at[i].0, at[i].1, Some(sigmas[i]), 0.0)))
        };
        let told = of([6.0, 5.0, 0.1]).expect("σ in percent");
        assert_eq!(told.reason, SIGMA_HIGH);
        assert!(told.message.starts_with("σ is 3.00 to 5.00 times the activity of every scan"), "{told:?}");
        // A σ of the background is larger than what is left at the end.
        assert!(of([0.5, 1.5, 1.5]).is_none() && of_sigmas(&[point(4.0, 0.0, Some(1.0), 0.0)]).is_none());
        assert!(of_sigmas(&[point(4.0, 2.0, None, 0.0)]).is_none());
        let told = of_relative_sigma("activity-sigma", "an activity", 5.0).expect("σ in percent");
        assert!(told.message.contains("is 500 % of it; if 5 is a percentage"), "{told:?}");
        assert!(of_relative_sigma("activity-sigma", "an activity", 1.0).is_none());
    }

    #[test]
    fn minutes_in_place_of_hours_are_told() {
        let of = |durations: [f64; 3]| {
            let times = [24.0, 24.0, 48.0];
            of_durations(&std::array::from_fn::<_, 3, _>(|i| point(times[i], 9.0, None, durations[i])))
        };
        let told = of([0.5, 30.0, 30.0]).expect("30 min");
        assert_eq!(told.reason, SCAN_LONG);
        assert!(told.message.contains("at 24 h lasts 30 h, and the next began at 48 h"), "{told:?}");
        let told = of([0.5, 0.5, 20.0]).expect("20 min");
        assert!(told.message.contains("at 48 h lasts 20 h, and few last more than 4 h"), "{told:?}");
        assert!(of([4.0, 0.0, 4.0]).is_none());
    }
}
