//! The activity maps of all time points, on the grid of one of them.

use std::path::Path;

use super::{Chosen, TimeLine, TimePoint};
use crate::domain::{Checks, Invalid, RigidTransform, Volume};
use crate::formats::dicom::{Belonging, DicomImage, Place, Wanted, read_image};
use crate::report::numbers::significant;
use crate::resample::{MAX_SHARE_OUTSIDE, Resampler, share_outside};

/// Bq in a MBq.
const BQ_PER_MBQ: f64 = 1e6;
/// A time point of which more than this part lies elsewhere than the reference does not lie on it.
const MOST_ELSEWHERE: f64 = 0.5;
/// Significant digits of a share.
const DIGITS: usize = 3;

impl TimeLine {
    /// Records time points of which nobody says how they lie on the reference.
    ///
    /// * `reference` – number of the time point that all others are put on
    pub(in crate::cli) fn check_frames(&mut self, reference: usize, chosen: &Chosen, checks: &mut Checks) {
        for uid in chosen.registrations.keys() {
            if self.points.iter().all(|point| point.series != *uid) {
                checks.fail("registration", format!("{uid} is no time point"));
            } else if self.points[reference].series == *uid {
                checks.fail("registration", format!("{uid} is the reference time point itself"));
            }
        }
        let fixed = self.points[reference].clone();
        for point in &self.points {
            let is_alike = point.frame.is_some() && point.frame == fixed.frame;
            if point.series == fixed.series || is_alike || chosen.registrations.contains_key(&point.series) {
                continue;
            }
            if chosen.is_aligned {
                self.assumed.push(format!("{} lies on {}, as --aligned says", point.series, fixed.series));
                continue;
            }
            let words = format!(
                "{} lies in another frame of reference than {}: give {}=FILE, or --aligned if the images lie on each \
                 other",
                point.series, fixed.series, point.series
            );
            checks.fail("registration", words);
        }
    }
}

/// Reads the maps and puts them on the grid of the reference, their totals kept [MBq a voxel]; with whose the
/// reference is. What lies outside one of them is told.
///
/// # Errors
/// Every series that cannot be read or put there.
pub(in crate::cli) fn read_on_one_grid(
    folder: &Path,
    line: &TimeLine,
    reference: usize,
    chosen: &Chosen,
    told: &mut Vec<String>,
    checks: &mut Checks,
) -> Option<(Vec<Volume<f32>>, Belonging)> {
    let (fixed, belonging) = checks.at("folder", read(folder, &line.points[reference]))?;
    let mut maps = Vec::new();
    for (number, point) in line.points.iter().enumerate() {
        if number == reference {
            maps.push(Some(fixed.clone()));
            continue;
        }
        let moved = read(folder, point).and_then(|(map, _)| placed(&map, &fixed, point, chosen, told));
        maps.push(checks.at("folder", moved));
    }
    Some((maps.into_iter().collect::<Option<_>>()?, belonging))
}

/// Activity at the moment of a time point [MBq a voxel], and whose it is.
fn read(folder: &Path, point: &TimePoint) -> Result<(Volume<f32>, Belonging), Invalid> {
    let place = Place { path: folder.to_owned(), series: Some(point.series.clone()) };
    let DicomImage { volume, account, .. } = read_image(place, Wanted::Activity { calibration: point.calibration })
        .map_err(|Invalid(reason)| Invalid::new(format!("{}: {reason}", point.series)))?;
    let factor = volume.grid().voxel_volume_cm3() / BQ_PER_MBQ * point.factor;
    #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
    Ok((volume.map(|value| (f64::from(*value) * factor) as f32), account.belonging()))
}

fn placed(
    map: &Volume<f32>,
    fixed: &Volume<f32>,
    point: &TimePoint,
    chosen: &Chosen,
    told: &mut Vec<String>,
) -> Result<Volume<f32>, Invalid> {
    let grid = fixed.grid();
    let transform = match chosen.registrations.get(&point.series) {
        Some((_, file)) => file.between(map.grid(), grid)?,
        None => RigidTransform::IDENTITY,
    };
    let moved = Resampler::new(map.grid(), grid, &transform).redistribute(map)?;
    let outside = moved.share_outside();
    if outside > MAX_SHARE_OUTSIDE {
        let percent = significant(100.0 * outside, DIGITS);
        told.push(format!("{percent} % of the activity of {} lies outside the grid of the maps", point.series));
    }
    // There the curves fall by what the camera did not see.
    let unseen = share_outside(fixed, map.grid(), &transform);
    if outside.max(unseen) > MOST_ELSEWHERE {
        let [outside, unseen] = [outside, unseen].map(|share| significant(100.0 * share, DIGITS));
        return Err(Invalid::new(format!(
            "{}: {outside} % of its activity lies outside the grid of the reference, and {unseen} % of that of the \
             reference outside its field of view: its spacing, its position or its registration is wrong; name the others \
             with --activity-series, or another reference with --reference-series",
            point.series
        )));
    }
    if unseen > MAX_SHARE_OUTSIDE {
        let percent = significant(100.0 * unseen, DIGITS);
        told.push(format!(
            "{percent} % of the activity of the reference lies outside the field of view of {}, which counts as 0 \
             there: doses are wrong there",
            point.series
        ));
    }
    Ok(moved.volume)
}
