//! Two reports side by side.

use super::{Figure, Report, SCHEMA, SCHEMA_VERSION};
use crate::domain::Invalid;

/// One figure that both reports have.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was measured.
    pub name: String,
    /// The unit of both values.
    pub unit: &'static str,
    /// In the first and in the second report.
    pub values: [f64; 2],
    /// How many times as fast the second is.
    pub speed_up: f64,
}

/// Every figure that the first device of both reports has, in the order of the first; and the names of those that only
/// one has.
///
/// # Errors
/// If a report is of another kind or of a version that this program does not know, or measured nothing.
pub fn compare(reports: [&Report; 2]) -> Result<(Vec<Comparison>, Vec<String>), Invalid> {
    for report in reports {
        check(report)?;
    }
    let [first, second] = reports.map(|report| report.devices[0].figures());
    let twin = |figure: &Figure, others: &[Figure]| others.iter().find(|other| other.name == figure.name).cloned();
    let both = first.iter().filter_map(|figure| {
        let values = [figure.value, twin(figure, &second)?.value];
        let ratio = values[1] / values[0];
        let speed_up = if figure.is_rate { ratio } else { 1.0 / ratio };
        Some(Comparison { name: figure.name.clone(), unit: figure.unit, values, speed_up })
    });
    let alone = first.iter().filter(|figure| twin(figure, &second).is_none());
    let alone = alone.chain(second.iter().filter(|figure| twin(figure, &first).is_none()));
    Ok((both.collect(), alone.map(|figure| figure.name.clone()).collect()))
}

fn check(report: &Report) -> Result<(), Invalid> {
    if report.schema != SCHEMA {
        return Err(Invalid::new("it is not a report of `dosegrid bench`"));
    }
    if report.schema_version > SCHEMA_VERSION {
        return Err(Invalid::new(format!(
            "it has version {} of the schema, and this program knows up to {SCHEMA_VERSION}: use a newer dosegrid",
            report.schema_version
        )));
    }
    if report.devices.is_empty() {
        return Err(Invalid::new("it has no device"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{DeviceReport, Host};
    use crate::domain::{DeviceInfo, DeviceKind};
    use crate::engine::measures::{Ceilings, CompileTime};

    fn report(copy: f64, cold_s: f64, upload: Option<f64>) -> Report {
        let device = DeviceInfo {
            id: "gpu:0".into(),
            kind: DeviceKind::DiscreteGpu,
            name: "x".into(),
            backend: "vulkan".into(),
            driver: "1".into(),
        };
        let ceilings = Ceilings { copy_bytes_per_s: Some(copy), upload_bytes_per_s: upload, ..Ceilings::default() };
        let compile = vec![CompileTime { stage: "photon".into(), cold_s, warm_s: 0.0 }];
        let device = DeviceReport {
            device,
            adapter: None,
            compile,
            twins: Vec::new(),
            ceilings,
            convolution: Vec::new(),
            transport: Vec::new(),
            end_to_end: Vec::new(),
            checks: Vec::new(),
            submits: None,
        };
        Report {
            schema: SCHEMA.into(),
            schema_version: SCHEMA_VERSION,
            version: "1".into(),
            commit: "a".into(),
            date: "2026-01-01T00:00:00Z".into(),
            quick: true,
            host: Host::this(),
            devices: vec![device],
        }
    }

    #[test]
    fn twice_the_rate_and_half_the_time_are_both_twice_as_fast() {
        let (both, alone) = compare([&report(1e9, 4.0, Some(1.0)), &report(2e9, 2.0, None)]).expect("two reports");
        let found: Vec<_> = both.iter().map(|row| (row.name.as_str(), row.speed_up)).collect();
        assert_eq!(found, [("memory copy", 2.0), ("compile photon", 2.0)]);
        assert_eq!(alone, ["upload"]);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let good = report(1.0, 1.0, None);
        let refused = |bad: &Report| compare([&good, bad]).expect_err("a bad report").0;
        assert!(refused(&Report { schema: "x".into(), ..good.clone() }).contains("not a report"));
        assert!(refused(&Report { schema_version: 2, ..good.clone() }).contains("newer dosegrid"));
        assert!(refused(&Report { devices: Vec::new(), ..good.clone() }).contains("no device"));
    }
}
