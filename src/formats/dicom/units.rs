//! Units, as files spell them.

/// Bq/mL in a unit of concentration, however it is written; none for another unit.
///
/// `m` before `Bq` is milli in UCUM and mega where all is in capitals: only the latter and `M` are taken.
pub(super) fn bq_per_ml(unit: &str) -> Option<f64> {
    let plain: String =
        unit.chars().filter(|c| !c.is_whitespace() && !matches!(c, '[' | ']' | '/' | '.' | '^' | '-')).collect();
    let is_milli = plain.starts_with("mBq") || plain.starts_with("mbq");
    let lower = plain.to_lowercase();
    let (prefix, volume) = lower.split_once("bq")?;
    let prefix = match prefix {
        "" => 1.0,
        "k" => 1e3,
        "m" if !is_milli => 1e6,
        "g" => 1e9,
        _ => return None,
    };
    let volume = match volume {
        "ml" | "cc" | "cm3" | "ml1" => 1.0,
        "l" | "l1" | "dm3" => 1e-3,
        _ => return None,
    };
    Some(prefix * volume)
}

/// Codes of units that are met in maps and are not activity.
const OTHER_CODES: [&str; 13] = [
    "1",
    "%",
    "{counts}",
    "{counts}/s",
    "{propcounts}",
    "{propcounts}/s",
    "g/ml",
    "g/ml{SUVbw}",
    "g/ml{SUVlbm}",
    "cm2/ml{SUVbsa}",
    "ml/g",
    "mBq/ml",
    "mBq/mL",
];

/// A unit in a message: only those that are known, since a file may hold anything there.
pub(super) fn shown(unit: &str) -> &str {
    let is_known = OTHER_CODES.contains(&unit) || OTHER_UNITS.iter().any(|(name, _)| *name == unit);
    if is_known { unit } else { "(not a known unit)" }
}

/// Units of the standard that are not activity, and what they are.
const OTHER_UNITS: [(&str, &str); 8] = [
    ("CNTS", "counts"),
    ("CPS", "counts per second"),
    ("PROPCPS", "proportional to counts per second"),
    ("PROPCNTS", "proportional to counts"),
    ("GML", "SUV, a standardised uptake value"),
    ("CM2ML", "SUV by body surface"),
    ("NONE", "without a unit"),
    ("STDDEV", "standard deviations"),
];

/// What values in such a unit are.
pub(super) fn in_words(units: &str) -> Option<&'static str> {
    OTHER_UNITS.iter().find(|(name, _)| *name == units).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_in_all_spellings() {
        for (unit, expected) in [
            ("Bq/ml", 1.0),
            ("BQML", 1.0),
            ("Bq/mL", 1.0),
            ("Bq/cm3", 1.0),
            ("kBq/mL", 1e3),
            ("MBq/ml", 1e6),
            ("MBQML", 1e6),
            ("kBq/L", 1.0),
            ("Bq.ml-1", 1.0),
        ] {
            let found = bq_per_ml(unit);
            assert!(found.is_some_and(|found: f64| (found / expected - 1.0).abs() < 1e-12), "{unit}: {found:?}");
        }
        for unit in ["{counts}", "g/ml", "Bq", "mBq/ml", "1", "GML", "CNTS", "Ci/ml", "Bq/g"] {
            assert_eq!(bq_per_ml(unit), None, "{unit}");
        }
    }
}
