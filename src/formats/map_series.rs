//! A series of activity maps, as a TOML file that names them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::rows::read_text;
use crate::domain::{Invalid, MomentUnit};

/// What a moment must be that is not in hours.
const DATE_AND_TIME: &str = "a date and time with its offset from UTC, such as 2026-03-27T09:30:00+01:00";

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unit: Option<String>,
    nuclide: Option<String>,
    injection: Option<toml::Value>,
    administered_activity_mbq: Option<f64>,
    infusion_h: Option<f64>,
    value_refers_to: Option<String>,
    scan: Vec<Scan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    file: PathBuf,
    time: Option<toml::Value>,
    duration_h: Option<f64>,
}

/// What maps hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapUnit {
    /// Activity.
    Activity(MomentUnit),
    /// Absorbed dose-rate [Gy/h].
    GyPerH,
}

impl MapUnit {
    /// Name in a series.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activity(unit) => unit.name(),
            Self::GyPerH => "gy-per-h",
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        MomentUnit::ALL.into_iter().map(Self::Activity).chain([Self::GyPerH])
    }
}

/// A series of maps.
#[derive(Clone, Debug)]
pub struct MapSeries {
    /// Unit of the maps; none: their files say it.
    pub unit: Option<MapUnit>,
    /// The nuclide, as it is written.
    pub nuclide: Option<String>,
    /// Start of the administration, ISO 8601.
    pub injection: Option<String>,
    /// Administered activity [MBq].
    pub administered_activity_mbq: Option<f64>,
    /// How long the infusion took [h].
    pub infusion_h: Option<f64>,
    /// What the values refer to, as it is written.
    pub value_refers_to: Option<String>,
    /// The maps.
    pub scans: Vec<MapScan>,
}

/// One map.
#[derive(Clone, Debug)]
pub struct MapScan {
    /// Where it is.
    pub file: PathBuf,
    /// Start of the scan: hours, or ISO 8601; none: its file says it.
    pub time: Option<crate::clinic::Moment>,
    /// How long it took [h].
    pub duration_h: Option<f64>,
}

/// Reads a series. Files that are not absolute are beside it.
///
/// # Errors
/// If the file cannot be read or is no such TOML, by its line.
pub fn read(path: &Path) -> Result<MapSeries, Invalid> {
    parse(&read_text(path)?, path.parent().unwrap_or(Path::new("")))
}

/// As [`read`], from text.
///
/// * `folder` – what files are beside
///
/// # Errors
/// As there.
pub fn parse(text: &str, folder: &Path) -> Result<MapSeries, Invalid> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        Invalid::new(format!("line {line}: {}", error.message()))
    })?;
    let units = || MapUnit::all().map(MapUnit::name).collect::<Vec<_>>().join(", ");
    let known = |name: &String| {
        let unit = MapUnit::all().find(|unit| unit.name() == name);
        unit.ok_or_else(|| Invalid::new(format!("unit must be one of {}, got {name:?}", units())))
    };
    let unit = file.unit.as_ref().map(known).transpose()?;
    if file.scan.is_empty() {
        return Err(Invalid::new("names no map: add a [[scan]] for each"));
    }
    let scan = |(number, scan): (usize, Scan)| {
        let wrong = || Invalid::new(format!("scan {}: time must be hours, or {DATE_AND_TIME}", number + 1));
        let time = scan.time.as_ref().map(|time| moment(time).ok_or_else(wrong)).transpose()?;
        Ok(MapScan { file: folder.join(scan.file), time, duration_h: scan.duration_h })
    };
    let injection = file.injection.as_ref().map(|time| match moment(time) {
        Some(crate::clinic::Moment::Clock(text)) => Ok(text),
        Some(crate::clinic::Moment::Hours(_)) | None => Err(Invalid::new(format!("injection must be {DATE_AND_TIME}"))),
    });
    Ok(MapSeries {
        unit,
        nuclide: file.nuclide,
        injection: injection.transpose()?,
        administered_activity_mbq: file.administered_activity_mbq,
        infusion_h: file.infusion_h,
        value_refers_to: file.value_refers_to,
        scans: file.scan.into_iter().enumerate().map(scan).collect::<Result<_, _>>()?,
    })
}

/// Hours, or a clock time; TOML has dates of its own.
fn moment(value: &toml::Value) -> Option<crate::clinic::Moment> {
    use crate::clinic::Moment;
    match value {
        toml::Value::Float(hours) => Some(Moment::Hours(*hours)),
        toml::Value::Integer(hours) => hours.to_string().parse().ok().map(Moment::Hours),
        toml::Value::String(text) => Some(Moment::Clock(text.clone())),
        // A date alone, or a time of a day that is not said, is no moment.
        toml::Value::Datetime(time) => {
            (time.date.is_some() && time.time.is_some()).then(|| Moment::Clock(time.to_string()))
        }
        toml::Value::Boolean(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::Moment;

    #[test]
    fn a_series_is_read_beside_its_file() {
        let text = "unit = 'bq-per-ml'\nnuclide = 'Lu-177'\ninjection = 2026-03-27T09:30:00+01:00\n[[scan]]\nfile = 'a.nii'\ntime = 24\n\
                    [[scan]]\nfile = '/b.nii'\ntime = 2026-03-28T10:00:00+01:00\nduration_h = 0.5\n";
        let found = parse(text, Path::new("there")).expect("a series");
        assert_eq!(found.unit, Some(MapUnit::Activity(MomentUnit::BqPerMl)));
        assert_eq!(found.injection.as_deref(), Some("2026-03-27T09:30:00+01:00"));
        assert_eq!(found.scans[0].file, Path::new("there/a.nii"));
        assert_eq!(found.scans[1].file, Path::new("/b.nii"));
        assert_eq!(found.scans[0].time, Some(Moment::Hours(24.0)));
        assert_eq!(found.scans[1].time, Some(Moment::Clock("2026-03-28T10:00:00+01:00".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bad = [
            ("unit = 'ci'\nscan = []\n", "unit must be one of bq"),
            ("unit = 'bq'\nscan = []\n", "names no map"),
            ("unit = 'bq'\n[[scan]]\nfile = 'a'\ntime = true\n", "scan 1: time must be hours"),
            ("unit = 'bq'\n[[scan]]\nfile = 'a'\nhour = 3\n", "line 4"),
            ("[[scan]]\nfile = 'a'\ntime = 2026-03-28\n", "scan 1: time must be hours, or a date and time with its"),
            ("[[scan]]\nfile = 'a'\ntime = 09:30:00\n", "scan 1: time must be hours, or a date and time with its"),
            ("injection = 2026-03-28\n[[scan]]\nfile = 'a'\n", "injection must be a date and time with its offset"),
            ("injection = 24\n[[scan]]\nfile = 'a'\n", "such as 2026-03-27T09:30:00+01:00"),
        ];
        for (text, part) in bad {
            let error = parse(text, Path::new("")).expect_err(part).0;
            assert!(error.contains(part), "{error}");
        }
    }
}
