//! The activity of a request as a person recognises it.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::{ActivityTimes, DoseRequest, HalfLifeKind, RequestHeader};

/// Seconds in an hour.
const S_PER_H: f64 = 3600.0;

/// Total activity, decays, and what they are for the activity that was injected. Of the map of the first nuclide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActivityAccount {
    /// Decays in the map [Bq·s].
    pub decays_bq_s: f64,
    /// Activity at the image [Bq]; none if the map was given time-integrated.
    pub at_imaging_bq: Option<f64>,
    /// Activity at the injection by the half-life [Bq]; none without the time of imaging.
    pub at_injection_bq: Option<f64>,
    /// Of a map that was given time-integrated: the activity whose complete physical decay makes its decays [Bq]; none
    /// without a nuclide.
    pub equivalent_bq: Option<f64>,
    /// Half-life by which the decays were counted [s]; none if the map was given time-integrated.
    pub half_life_s: Option<f64>,
    /// Where that half-life comes from.
    pub half_life: Option<HalfLifeKind>,
    /// Time from injection to image [s].
    pub imaged_after_s: Option<f64>,
    /// What the decay in the map was corrected to: `scan` or `injection`; none if the map was given time-integrated.
    pub decay_corrected_to: Option<String>,
    /// Activity that was injected [Bq].
    pub injected_bq: Option<f64>,
    /// Decays for each GBq that was injected [Bq·s].
    pub decays_per_injected_gbq: Option<f64>,
    /// Time-integrated activity coefficient: decays for each Bq that was injected [h].
    pub time_integrated_activity_coefficient_h: Option<f64>,
}

impl ActivityAccount {
    /// The account of a request.
    pub fn of(request: &DoseRequest) -> Self {
        Self::new(request.header(), request.activity().total())
    }

    /// * `decays` – in the map of the first nuclide [Bq·s]
    pub fn new(header: &RequestHeader, decays: f64) -> Self {
        let half_life_s = header.source().parent().map(|parent| parent.half_life_s);
        let account = Self::of_decays(decays, header.times(), half_life_s);
        let injected_bq = header.injected_activity_bq();
        Self {
            injected_bq,
            decays_per_injected_gbq: injected_bq.map(|injected_bq| decays / injected_bq * 1e9),
            time_integrated_activity_coefficient_h: injected_bq.map(|injected_bq| decays / injected_bq / S_PER_H),
            ..account
        }
    }

    /// Decays of whose injection nothing is known.
    ///
    /// * `decays` – in the map [Bq·s]
    /// * `physical_half_life_s` – of the nuclide
    pub fn of_decays(decays: f64, times: Option<ActivityTimes>, physical_half_life_s: Option<f64>) -> Self {
        let Some(times) = times else {
            let equivalent_bq = physical_half_life_s.map(|seconds| decays * LN_2 / seconds);
            return Self { decays_bq_s: decays, equivalent_bq, ..Self::default() };
        };
        Self {
            decays_bq_s: decays,
            at_imaging_bq: Some(times.at_imaging_bq(decays)),
            at_injection_bq: times.at_injection_bq(decays),
            half_life_s: Some(times.half_life_s),
            half_life: Some(times.half_life),
            imaged_after_s: times.imaged_after_s,
            decay_corrected_to: Some(times.decay_correction.name().to_owned()),
            ..Self::default()
        }
    }

    /// The total activity by which a request is judged [Bq]: at the injection; if that is not known, at the image; of a
    /// map that was given time-integrated, the activity whose complete physical decay makes its decays.
    pub fn total_bq(&self) -> Option<f64> {
        self.at_injection_bq.or(self.at_imaging_bq).or(self.equivalent_bq)
    }
}

/// An activity with a unit that fits and four significant digits, such as `7.400 GBq`.
///
/// * `bq` – finite, not negative
pub fn activity_words(bq: f64) -> String {
    let units = [(1e12, "TBq"), (1e9, "GBq"), (1e6, "MBq"), (1e3, "kBq"), (1.0, "Bq")];
    // What rounds to 1000 of a unit is 1 of the next.
    let (size, unit) = units.into_iter().find(|(size, _)| bq >= 0.999_95 * size).unwrap_or((1.0, "Bq"));
    let value = bq / size;
    if value != 0.0 && !(0.01..9999.5).contains(&value) {
        return format!("{value:.3e} {unit}");
    }
    let decimals = match value {
        value if value >= 999.95 => 0,
        value if value >= 99.995 => 1,
        value if value >= 9.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_have_a_unit_that_fits() {
        let expected = [
            (0.0, "0.000 Bq"),
            (1e-5, "1.000e-5 Bq"),
            (0.5, "0.500 Bq"),
            (999.94, "999.9 Bq"),
            (999.97, "1.000 kBq"),
            (12_345.0, "12.35 kBq"),
            (7.4e9, "7.400 GBq"),
            (185e6, "185.0 MBq"),
            (2.5e15, "2500 TBq"),
            (2.5e17, "2.500e5 TBq"),
        ];
        for (bq, words) in expected {
            assert_eq!(activity_words(bq), words);
        }
    }

    #[test]
    fn decays_are_judged_by_the_activity_behind_them() {
        let half_life_s = 1000.0 * LN_2;
        let integrated = ActivityAccount::of_decays(5e6, None, Some(half_life_s));
        assert!((integrated.total_bq().expect("a nuclide") / 5e3 - 1.0).abs() < 1e-12);
        assert_eq!(ActivityAccount::of_decays(5e6, None, None).total_bq(), None);
        let moment = ActivityTimes::effective(half_life_s / 2.0);
        let account = ActivityAccount::of_decays(5e6, Some(moment), Some(half_life_s));
        assert!((account.total_bq().expect("times") / 1e4 - 1.0).abs() < 1e-12);
        assert_eq!((account.equivalent_bq, account.half_life), (None, Some(HalfLifeKind::Effective)));
        let later = ActivityTimes { imaged_after_s: Some(half_life_s), ..moment };
        let account = ActivityAccount::of_decays(5e6, Some(later), Some(half_life_s));
        let bq = [account.at_imaging_bq, account.at_injection_bq, account.total_bq()].map(|bq| bq.expect("times"));
        assert!((bq[0] / 2.5e3 - 1.0).abs() < 1e-12 && (bq[1] / 1e4 - 1.0).abs() < 1e-12 && bq[1] == bq[2], "{bq:?}");
    }
}
