//! Activities of regions over time, as a table: CSV with a header.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::rows::read_text;
use crate::clinic::{Moment, PointDraft};
use crate::domain::{Invalid, words};

/// Names of the columns; the first of each is the one to write.
const REGION: &[&str] = &["region", "organ", "name"];
const TIME: &[&str] = &["time", "time_h", "time_iso"];
const ACTIVITY: &[&str] = &["activity", "activity_mbq"];
const SIGMA: &[&str] = &["sigma", "sigma_mbq"];
const DURATION: &[&str] = &["duration", "duration_h"];
/// Most bad lines that are listed.
const MAX_LISTED: usize = 10;

/// The points of one region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionPoints {
    /// Name of the region.
    pub name: String,
    /// Its points, in the order of the table.
    pub points: Vec<PointDraft>,
    /// The line of each point.
    pub lines: Vec<u64>,
}

/// Reads a table with the columns `region`, `time` (h, or ISO 8601), `activity` (MBq) and, if they are known, `sigma`
/// (MBq) and `duration` (h). Regions come in the order of their first line; `#` begins a comment.
///
/// # Errors
/// If the file cannot be read, or a column is missing or unknown; otherwise every bad line, by its number.
pub fn read(path: &Path) -> Result<Vec<RegionPoints>, Invalid> {
    parse(&read_text(path)?)
}

/// As [`read`], from text.
///
/// # Errors
/// As there.
pub fn parse(text: &str) -> Result<Vec<RegionPoints>, Invalid> {
    let mut reader =
        ReaderBuilder::new().comment(Some(b'#')).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| Invalid::new("is not CSV"))?.clone();
    let columns = Columns::of(&header)?;
    let (mut regions, mut faults) = (Vec::<RegionPoints>::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|_| Invalid::new("is not CSV"))?;
        let line = record.position().map_or(0, csv::Position::line);
        match columns.point(&record, header.len()) {
            Ok((name, point)) => {
                let place = regions.iter().position(|region| region.name == name).unwrap_or_else(|| {
                    regions.push(RegionPoints { name: name.to_owned(), points: vec![], lines: vec![] });
                    regions.len() - 1
                });
                regions[place].points.push(point);
                regions[place].lines.push(line);
            }
            Err(Invalid(reason)) => faults.push(format!("line {line}: {reason}")),
        }
    }
    faults.extend(regions.iter().enumerate().filter_map(|(place, region)| {
        let is_same = |other: &&RegionPoints| words::same_name(&other.name) == words::same_name(&region.name);
        let other = regions[..place].iter().find(is_same)?;
        let lines = [other.lines[0], region.lines[0]];
        Some(format!("lines {} and {}: their regions differ by case or blanks alone", lines[0], lines[1]))
    }));
    if faults.is_empty() && regions.is_empty() {
        return Err(Invalid::new("has no line below its header"));
    }
    if faults.is_empty() {
        return Ok(regions);
    }
    let more = faults.len().saturating_sub(MAX_LISTED);
    faults.truncate(MAX_LISTED);
    let end = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Invalid::new(faults.join("; ") + &end))
}

/// Places of the columns.
struct Columns {
    region: usize,
    time: usize,
    activity: usize,
    sigma: Option<usize>,
    duration: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, Invalid> {
        let all = [REGION, TIME, ACTIVITY, SIGMA, DURATION];
        let is_named = |names: &[&str], column: &str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
        let place = |names: &[&str]| header.iter().position(|column| is_named(names, column));
        let is_twice = |names: &&&[&str]| header.iter().filter(|column| is_named(names, column)).count() > 1;
        let faults: Vec<String> = all[..3]
            .iter()
            .filter(|names| place(names).is_none())
            .map(|names| format!("has no column {:?}", names[0]))
            .chain(header.iter().filter(|column| !all.iter().any(|names| is_named(names, column))).map(|_| {
                let known: Vec<&str> = all.iter().map(|names| names[0]).collect();
                format!("has a column that is none of {}", known.join(", "))
            }))
            .chain(all.iter().filter(is_twice).map(|names| format!("has more than one column {:?}", names[0])))
            .collect();
        let (Some(region), Some(time), Some(activity), true) =
            (place(REGION), place(TIME), place(ACTIVITY), faults.is_empty())
        else {
            return Err(Invalid::new(faults.join("; ")));
        };
        Ok(Self { region, time, activity, sigma: place(SIGMA), duration: place(DURATION) })
    }

    fn point<'a>(&self, record: &'a StringRecord, width: usize) -> Result<(&'a str, PointDraft), Invalid> {
        if record.len() != width {
            return Err(Invalid::new(format!("needs {width} fields, got {}", record.len())));
        }
        let region = &record[self.region];
        if region.is_empty() {
            return Err(Invalid::new("region is empty"));
        }
        let number = |place: usize, what: &str| {
            record[place].parse::<f64>().map_err(|_| Invalid::new(format!("{what} is not a number")))
        };
        let optional = |place: Option<usize>, what: &str| {
            let place = place.filter(|place| !record[*place].is_empty());
            place.map(|place| number(place, what)).transpose()
        };
        let time = &record[self.time];
        let point = PointDraft {
            time: time.parse().map_or_else(|_| Moment::Clock(time.to_owned()), Moment::Hours),
            activity_mbq: number(self.activity, "activity")?,
            sigma_mbq: optional(self.sigma, "sigma")?,
            duration_h: optional(self.duration, "duration")?,
        };
        Ok((region, point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_keep_their_points_and_lines() {
        let text = "# a patient\nRegion,time_h,activity_mbq,sigma,duration\nkidney,24,100,5,0.5\nliver,24,300,15,\n\
                    kidney,2026-03-31T09:58:00+02:00,50,2.5,0.5\n";
        let regions = parse(text).expect("a table");
        assert_eq!(regions.iter().map(|region| region.name.as_str()).collect::<Vec<_>>(), ["kidney", "liver"]);
        assert_eq!((regions[0].points.len(), &*regions[0].lines), (2, &[3, 5][..]));
        assert_eq!(regions[0].points[0].time, Moment::Hours(24.0));
        assert_eq!(regions[0].points[1].time, Moment::Clock("2026-03-31T09:58:00+02:00".into()));
        assert_eq!((regions[1].points[0].sigma_mbq, regions[1].points[0].duration_h), (Some(15.0), None));
    }

    #[test]
    fn every_bad_line_is_named() {
        let error = parse("region,time,activity\na,1,x\nb,2\n,3,4\n").expect_err("bad").0;
        let parts = ["line 2: activity is not a number", "line 3: needs 3 fields, got 2", "line 4: region is empty"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        let error = parse("region,activity,patient\na,1,x\n").expect_err("bad").0;
        assert!(error.contains("no column \"time\"") && error.contains("none of region, time"), "{error}");
        assert!(!error.contains("patient"), "{error}");
        for twice in
            ["region,name,time,activity", "region,time,Time_h,activity", "region,time,activity,sigma,sigma_mbq"]
        {
            let error = parse(&format!("{twice}\na,1,2,3,4\n")).expect_err("which of the two is meant?").0;
            assert!(error.contains("has more than one column"), "{twice}: {error}");
        }
        let error = parse("region,time,activity\nKidney,4,9\nleft  lung,4,9\nkidney,24,5\nleft lung,24,5\n")
            .expect_err("one organ")
            .0;
        for part in ["lines 2 and 4: their regions differ by case", "lines 3 and 5: their"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(parse("region,time,activity\n").is_err() && parse("").is_err());
    }
}
