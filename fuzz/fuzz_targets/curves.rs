//! Tables of curves, their integrals, series of maps and curves of an earlier cycle.

#![no_main]

use std::path::Path;

use dosegrid::clinic::{CurveOptions, Series, SeriesDraft, ValueRefersTo, integrate};
use dosegrid::formats::{curve_table, map_series, prior_curves};

/// Series with more points take too long here.
const MOST_POINTS: usize = 8;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = map_series::parse(text, Path::new(""));
    let _ = prior_curves::parse(text);
    for region in curve_table::parse(text).unwrap_or_default() {
        let draft = SeriesDraft {
            points: region.points,
            injection: Some("2026-03-27T09:30:00+01:00".into()),
            physical_half_life_h: 159.5,
            administered_activity_mbq: Some(7400.0),
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        };
        let Ok(series) = Series::new(&draft) else { continue };
        if series.points().len() <= MOST_POINTS {
            let found = integrate(&series, &CurveOptions::default());
            assert!(found.is_err() || found.is_ok_and(|found| !found.tia_mbq_h.is_nan()));
        }
    }
});
