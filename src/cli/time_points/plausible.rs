//! Whether the activities of a study can be those of one injection: what cannot be is refused, what hardly can is told.

use std::f64::consts::LN_2;

use super::TimePoint;
use crate::domain::Checks;
use crate::formats::dicom::SeriesEntry;
use crate::report::numbers::significant;

/// An activity so many times what physical decay leaves of the injection is no matter of calibration.
const IMPOSSIBLE: f64 = 2.0;
/// An activity so many times what physical decay leaves is beyond what calibrations differ by.
const IMPLAUSIBLE: f64 = 1.1;
/// Significant digits of a figure.
const DIGITS: usize = 4;

/// Records time points that hold nothing beside others that do, and those with more than twice what physical decay
/// leaves of the injected activity; tells what is more than 1.1 times that, or what it leaves of the scan before.
///
/// * `points` – by time
/// * `physical_half_life_h` – of the nuclide [h]
/// * `administered_mbq` – at time 0, where it is known [MBq]
pub(super) fn check_activities(
    points: &[TimePoint],
    physical_half_life_h: f64,
    administered_mbq: Option<f64>,
    told: &mut Vec<String>,
    checks: &mut Checks,
) {
    let mbq = |value: f64| significant(value, DIGITS);
    let left = |hours: f64| (-LN_2 / physical_half_life_h * hours).exp();
    let empty = points.iter().filter(|point| point.total_mbq == 0.0);
    if points.iter().any(|point| point.total_mbq > 0.0) {
        for TimePoint { series, hours, .. } in empty {
            let hours = significant(*hours, DIGITS);
            let words = format!(
                "{series}, {hours} h after the injection, holds no activity at all, and the others do: name those to take"
            );
            checks.fail("activity-series", words);
        }
    }
    for TimePoint { series, hours, total_mbq, .. } in points {
        let Some(administered) = administered_mbq else { break };
        let most = administered * left(*hours);
        let words = format!(
            "{series} holds {} MBq {} h after the injection, when physical decay leaves {} of {} MBq: its slope, its \
             date or the injected activity is wrong",
            mbq(*total_mbq),
            significant(*hours, DIGITS),
            mbq(most),
            mbq(administered)
        );
        if *total_mbq > IMPOSSIBLE * most {
            let next = "give --administered-activity, or name the series to take with --activity-series";
            checks.fail("activity-series", format!("{words}; {next}"));
        } else if *total_mbq > IMPLAUSIBLE * most {
            told.push(words);
        }
    }
    for pair in points.windows(2) {
        let most = pair[0].total_mbq * left(pair[1].hours - pair[0].hours);
        if most > 0.0 && pair[1].total_mbq > IMPLAUSIBLE * most {
            told.push(format!(
                "{} holds {} MBq, and physical decay leaves {} MBq of what {} held: unless activity came into the field \
                 of view, a time, a decay correction or a calibration is wrong",
                pair[1].series,
                mbq(pair[1].total_mbq),
                mbq(most),
                pair[0].series
            ));
        }
    }
}

/// Tells of activities that do not name their nuclide beside others that do, and of corrections to the injection beside
/// others.
pub(super) fn tell_differences(found: &[&SeriesEntry], told: &mut Vec<String>) {
    let accounts = || found.iter().filter_map(|entry| Some((entry.series_uid.as_str(), entry.activity.as_ref()?)));
    let named = |unnamed: bool| accounts().filter(move |(_, account)| account.nuclide.is_none() == unnamed);
    let unnamed: Vec<&str> = named(true).map(|(uid, _)| uid).collect();
    if let (Some((_, account)), false) = (named(false).next(), unnamed.is_empty()) {
        let nuclide = account.nuclide.as_deref().unwrap_or_default();
        told.push(format!(
            "{} names no nuclide that is known here, and is taken for {nuclide}, as the others are",
            unnamed.join(", ")
        ));
    }
    let is_to_injection = |wanted: bool| {
        let is_so = move |event: Option<&str>| (event == Some("ADMIN")) == wanted;
        accounts().filter(move |(_, account)| is_so(account.reference_event.as_deref())).map(|(uid, _)| uid)
    };
    let [corrected, others] = [true, false].map(|wanted| is_to_injection(wanted).collect::<Vec<_>>().join(", "));
    if !corrected.is_empty() && !others.is_empty() {
        told.push(format!(
            "the decay of {corrected} was corrected to the injection, that of {others} was not: each is taken as its file \
             says"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T½ in h, and the points as hours and MBq.
    fn checked(administered_mbq: Option<f64>, points: &[[f64; 2]]) -> (Vec<String>, usize) {
        let point = |[hours, total_mbq]: &[f64; 2]| TimePoint {
            series: format!("1.2.{hours}"),
            frame: None,
            time: String::new(),
            hours: *hours,
            factor: 1.0,
            total_mbq: *total_mbq,
            calibration: None,
        };
        let points: Vec<TimePoint> = points.iter().map(point).collect();
        let (mut told, mut checks) = (Vec::new(), Checks::new());
        check_activities(&points, 100.0, administered_mbq, &mut told, &mut checks);
        (told, checks.into_violations().len())
    }

    #[test]
    fn activity_that_cannot_be_is_refused_and_that_hardly_can_is_told() {
        let good = [[0.0, 900.0], [100.0, 440.0], [200.0, 100.0]];
        assert_eq!(checked(Some(1000.0), &good), (vec![], 0));
        assert_eq!(checked(None, &good), (vec![], 0));
        // Half is left after 100 h.
        let (told, faults) = checked(Some(1000.0), &[[100.0, 600.0]]);
        assert!(
            faults == 0 && told.len() == 1 && told[0].contains("physical decay leaves 500.0 of 1000 MBq"),
            "{told:?}"
        );
        assert_eq!(checked(Some(1000.0), &[[100.0, 1100.0]]).1, 1);
        assert_eq!(checked(None, &[[100.0, 1100.0]]), (vec![], 0));
        let (told, faults) = checked(Some(1000.0), &[[0.0, 300.0], [100.0, 200.0]]);
        assert!(faults == 0 && told.len() == 1 && told[0].contains("leaves 150.0 MBq of what 1.2.0 held"), "{told:?}");
        assert_eq!(checked(None, &[[0.0, 300.0], [100.0, 0.0], [200.0, 50.0]]).1, 1);
        // Of nothing at all the dose is 0, and is warned of there.
        assert_eq!(checked(Some(1000.0), &[[0.0, 0.0], [100.0, 0.0]]), (vec![], 0));
    }
}
