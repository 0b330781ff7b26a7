//! The sum of cycles, organ by organ.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::words;

/// What one cycle gave an organ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CycleOrgan {
    /// Its name, by which cycles are added.
    pub name: String,
    /// Absorbed dose [Gy]; none if it has none.
    pub dose_gy: Option<f64>,
    /// Statistical 1σ of that [Gy], independent between cycles; none if it is not known.
    pub sigma_gy: Option<f64>,
    /// Time-integrated activity [MBq·h].
    pub time_integrated_activity_mbq_h: Option<f64>,
}

/// What all cycles gave an organ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrganSum {
    /// Its name.
    pub name: String,
    /// Cycles that list it.
    pub cycles: usize,
    /// Whether every cycle lists it with a dose; if not, the sum is of those that do.
    pub complete: bool,
    /// Dose of each cycle, in order [Gy]; none where it has none.
    pub doses_gy: Vec<Option<f64>>,
    /// Their sum [Gy]; none if there is no dose.
    pub dose_gy: Option<f64>,
    /// Statistical 1σ of the sum [Gy], added in squares; none if that of a dose is not known.
    pub sigma_gy: Option<f64>,
    /// Sum of the time-integrated activities [MBq·h]; none if one is not known.
    pub time_integrated_activity_mbq_h: Option<f64>,
}

/// Adds cycles by the names of organs, in alphabetical order. Neither case nor blanks make another name; an organ has
/// the name that the first cycle gives it.
///
/// * `cycles` – the organs of each, with unlike names
pub fn sum_of_cycles(cycles: &[Vec<CycleOrgan>]) -> Vec<OrganSum> {
    let mut found: BTreeMap<String, Vec<Option<&CycleOrgan>>> = BTreeMap::new();
    for (at, organs) in cycles.iter().enumerate() {
        for organ in organs {
            let known = found.entry(words::same_name(&organ.name));
            known.or_insert_with(|| vec![None; cycles.len()])[at] = Some(organ);
        }
    }
    found.values().map(|organs| sum_of_organ(organs)).collect()
}

fn sum_of_organ(organs: &[Option<&CycleOrgan>]) -> OrganSum {
    let name = organs.iter().flatten().map(|organ| organ.name.as_str()).next().unwrap_or_default();
    let doses_gy: Vec<Option<f64>> = organs.iter().map(|organ| organ.and_then(|organ| organ.dose_gy)).collect();
    let dosed = || organs.iter().flatten().filter(|organ| organ.dose_gy.is_some());
    let squares: Option<f64> = dosed().map(|organ| organ.sigma_gy.map(|sigma| sigma * sigma)).sum();
    let activities: Option<f64> = organs.iter().flatten().map(|organ| organ.time_integrated_activity_mbq_h).sum();
    let has_dose = dosed().next().is_some();
    OrganSum {
        name: name.to_owned(),
        cycles: organs.iter().flatten().count(),
        complete: doses_gy.iter().all(Option::is_some),
        dose_gy: has_dose.then(|| doses_gy.iter().flatten().sum()),
        sigma_gy: squares.filter(|_| has_dose).map(f64::sqrt),
        doses_gy,
        time_integrated_activity_mbq_h: activities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organ(name: &str, dose_gy: Option<f64>, sigma_gy: Option<f64>) -> CycleOrgan {
        CycleOrgan { name: name.into(), dose_gy, sigma_gy, time_integrated_activity_mbq_h: Some(10.0) }
    }

    #[test]
    fn neither_case_nor_blanks_make_another_organ() {
        let sums = sum_of_cycles(&[
            vec![organ("Left kidney", Some(3.0), None), organ("liver", Some(1.0), None)],
            vec![organ("left  Kidney", Some(4.0), None)],
        ]);
        let found: Vec<_> = sums.iter().map(|sum| (sum.name.as_str(), sum.dose_gy, sum.complete)).collect();
        assert_eq!(found, [("Left kidney", Some(7.0), true), ("liver", Some(1.0), false)]);
    }

    #[test]
    fn organs_add_by_name_and_what_is_missing_is_said() {
        let sums = sum_of_cycles(&[
            vec![organ("liver", Some(3.0), Some(0.3)), organ("tumour", Some(20.0), None)],
            vec![organ("spleen", None, None), organ("liver", Some(4.0), Some(0.4))],
        ]);
        let names: Vec<&str> = sums.iter().map(|sum| sum.name.as_str()).collect();
        assert_eq!(names, ["liver", "spleen", "tumour"]);
        let [liver, spleen, tumour] = &sums[..] else { panic!("three organs") };
        assert_eq!(
            (liver.dose_gy, liver.complete, liver.time_integrated_activity_mbq_h),
            (Some(7.0), true, Some(20.0))
        );
        assert!((liver.sigma_gy.expect("both are known") - 0.5).abs() < 1e-15);
        assert_eq!((spleen.dose_gy, spleen.sigma_gy, spleen.complete), (None, None, false));
        assert_eq!((tumour.dose_gy, tumour.sigma_gy, tumour.complete, tumour.cycles), (Some(20.0), None, false, 1));
    }
}
