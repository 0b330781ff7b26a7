//! The activities of one region over time, checked once.

use std::f64::consts::LN_2;

use super::clock::ClockTime;
use super::plausible::of_durations;
use super::window::phi_1;
use super::{Moment, Window};
use crate::domain::{Checks, DoseError, Warning};

/// A scan may last this many physical half-lives.
const LONGEST_SCAN: f64 = 5.0;
/// A first scan before this may lie within an infusion that nobody spoke of [h].
const EARLY_H: f64 = 1.0;
/// The reason of that warning.
pub const INFUSION_UNKNOWN: &str = "INFUSION_UNKNOWN";
/// The reason of the warning that clock times have no offset from UTC.
pub const CLOCK_WITHOUT_OFFSET: &str = "CLOCK_WITHOUT_OFFSET";

/// No scan is later after the start of the administration, and no infusion longer [h]: 114 years.
pub(super) const LATEST_H: f64 = 1e6;
/// No region has a larger activity [MBq]: 1e12 Bq in each of 1e9 voxels. Sums of squares of it stay finite.
pub(super) const MOST_MBQ: f64 = 1e15;

/// What a measured value was corrected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueRefersTo {
    /// Nothing: it is the mean over the scan. DICOM: NONE.
    #[default]
    AcquisitionMean,
    /// The start of the scan, by physical decay. DICOM: START.
    AcquisitionStart,
    /// The start of the administration, by physical decay, over the scan too. DICOM: ADMIN.
    Injection,
}

impl ValueRefersTo {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::AcquisitionMean, Self::AcquisitionStart, Self::Injection];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::AcquisitionMean => "acquisition_mean",
            Self::AcquisitionStart => "acquisition_start",
            Self::Injection => "injection",
        }
    }

    /// Mean over the scan for each unit of the value.
    fn mean_per_value(self, physical_rate_per_h: f64, time_h: f64, duration_h: f64) -> f64 {
        let over_scan = phi_1(physical_rate_per_h * duration_h)[0];
        match self {
            Self::AcquisitionMean => 1.0,
            Self::AcquisitionStart => over_scan,
            Self::Injection => (-physical_rate_per_h * time_h).exp() * over_scan,
        }
    }
}

/// A measurement as a caller has it.
#[derive(Clone, Debug, PartialEq)]
pub struct PointDraft {
    /// Start of the scan.
    pub time: Moment,
    /// Activity [MBq], as the series says what it refers to.
    pub activity_mbq: f64,
    /// One standard deviation of it [MBq]: for all points or for none.
    pub sigma_mbq: Option<f64>,
    /// How long the scan took [h].
    pub duration_h: Option<f64>,
}

/// A series as a caller has it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDraft {
    /// The measurements, in any order.
    pub points: Vec<PointDraft>,
    /// Start of the administration, where times are those of a clock (ISO 8601).
    pub injection: Option<String>,
    /// Physical half-life of the nuclide [h].
    pub physical_half_life_h: f64,
    /// Administered activity [MBq], net of residue, at time 0.
    pub administered_activity_mbq: Option<f64>,
    /// How long the infusion took, at constant rate [h]; 0: an injection.
    pub infusion_h: f64,
    /// What the values refer to.
    pub refers_to: ValueRefersTo,
}

/// A measurement: the mean activity over a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the scan [h since the start of the administration].
    pub time_h: f64,
    /// Mean activity over the scan [MBq].
    pub activity_mbq: f64,
    /// One standard deviation of it [MBq].
    pub sigma_mbq: Option<f64>,
    /// How long the scan took [h].
    pub duration_h: f64,
}

/// A checked series: at least one point, sorted by time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    points: Vec<Point>,
    physical_rate_per_h: f64,
    administered_activity_mbq: Option<f64>,
    infusion_h: f64,
    warnings: Vec<Warning>,
}

impl Series {
    /// Checks a series, and turns its values into means over the scans.
    ///
    /// # Errors
    /// Every bad field of every point, counted from 1.
    pub fn new(draft: &SeriesDraft) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        check_whole(draft, &mut checks);
        let (times, clock_warning) = times_h(draft, &mut checks);
        let with_sigma = draft.points.iter().filter(|point| point.sigma_mbq.is_some()).count();
        let mut points = Vec::new();
        for (number, (draft_point, time_h)) in draft.points.iter().zip(times).enumerate() {
            let field = |name: &str| format!("point_{}.{name}", number + 1);
            if draft_point.sigma_mbq.is_none() && with_sigma > 0 {
                checks.fail(field("sigma_mbq"), "is missing: give one for all points or for none");
            }
            check_point(draft_point, draft.physical_half_life_h, &field, &mut checks);
            let Some(time_h) = time_h else { continue };
            points.push(converted(draft_point, time_h, draft));
            if checks.is_empty() && points.last().is_some_and(|point| point.sigma_mbq.is_some_and(|s| !s.is_normal())) {
                checks.fail(field("time"), "lies so many half-lives after the injection that no activity is left");
            }
        }
        checks.finish()?;
        let key = |point: &Point| [point.time_h, point.activity_mbq, point.sigma_mbq.unwrap_or(0.0), point.duration_h];
        points.sort_by(|a, b| {
            key(a).iter().zip(key(b)).fold(std::cmp::Ordering::Equal, |o, (a, b)| o.then(a.total_cmp(&b)))
        });
        let mut warnings: Vec<Warning> = clock_warning.into_iter().collect();
        warnings.extend(infusion_unknown(&points, draft.infusion_h));
        warnings.extend(of_durations(&points));
        Ok(Self {
            points,
            physical_rate_per_h: LN_2 / draft.physical_half_life_h,
            administered_activity_mbq: draft.administered_activity_mbq,
            infusion_h: draft.infusion_h,
            warnings,
        })
    }

    /// The points, by time.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Rate of physical decay [1/h].
    pub fn physical_rate_per_h(&self) -> f64 {
        self.physical_rate_per_h
    }

    /// Administered activity [MBq].
    pub fn administered_activity_mbq(&self) -> Option<f64> {
        self.administered_activity_mbq
    }

    /// How long the infusion took [h].
    pub fn infusion_h(&self) -> f64 {
        self.infusion_h
    }

    /// What to look at.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether the points have standard deviations.
    pub fn has_sigma(&self) -> bool {
        self.points.iter().all(|point| point.sigma_mbq.is_some())
    }

    /// How many times differ.
    pub fn distinct_times(&self) -> usize {
        1 + self.points.windows(2).filter(|pair| pair[0].time_h < pair[1].time_h).count()
    }

    /// The same series with other points, sorted by time.
    pub(super) fn with_points(&self, points: Vec<Point>) -> Self {
        Self { points, ..self.clone() }
    }

    /// The window of a point.
    pub fn window(&self, point: &Point) -> Window {
        Window { start_h: point.time_h, duration_h: point.duration_h, infusion_h: self.infusion_h }
    }
}

fn converted(point: &PointDraft, time_h: f64, draft: &SeriesDraft) -> Point {
    let duration_h = point.duration_h.unwrap_or(0.0);
    let rate = LN_2 / draft.physical_half_life_h;
    let factor = draft.refers_to.mean_per_value(rate, time_h, duration_h);
    let sigma_mbq = point.sigma_mbq.map(|sigma| sigma * factor);
    Point { time_h, activity_mbq: point.activity_mbq * factor, sigma_mbq, duration_h }
}

/// Checks what is not of a point.
fn check_whole(draft: &SeriesDraft, checks: &mut Checks) {
    if draft.points.is_empty() {
        checks.fail("points", "there is none");
    }
    let half_life_h = draft.physical_half_life_h;
    if !(half_life_h.is_finite() && half_life_h > 0.0) {
        checks.fail("physical_half_life_h", format!("must be finite and above 0, got {half_life_h} h"));
    }
    if !(0.0..=LATEST_H).contains(&draft.infusion_h) {
        checks.fail("infusion_h", format!("must be from 0 to {LATEST_H} h, got {:e} h", draft.infusion_h));
    }
    let is_activity = |activity: &f64| *activity > 0.0 && *activity <= MOST_MBQ;
    if let Some(activity) = draft.administered_activity_mbq.filter(|activity| !is_activity(activity)) {
        let reason = format!("must be above 0, and at most {MOST_MBQ:e} MBq, got {activity:e} MBq");
        checks.fail("administered_activity_mbq", reason);
    }
}

fn check_point(point: &PointDraft, half_life_h: f64, field: &impl Fn(&str) -> String, checks: &mut Checks) {
    // Noise about nothing is negative too.
    if !(-MOST_MBQ..=MOST_MBQ).contains(&point.activity_mbq) {
        let reason = format!("must be finite, and at most {MOST_MBQ:e} MBq, got {:e} MBq", point.activity_mbq);
        checks.fail(field("activity_mbq"), reason);
    }
    if let Some(sigma) = point.sigma_mbq.filter(|sigma| !(*sigma > 0.0 && *sigma <= MOST_MBQ)) {
        checks.fail(field("sigma_mbq"), format!("must be above 0, and at most {MOST_MBQ:e} MBq, got {sigma:e} MBq"));
    }
    if let Some(duration_h) = point.duration_h {
        if !(duration_h.is_finite() && duration_h >= 0.0) {
            checks.fail(field("duration_h"), format!("must be finite and 0 or more, got {duration_h} h"));
        } else if let Some(reason) = scan_too_long(duration_h, half_life_h) {
            checks.fail(field("duration_h"), reason);
        }
    }
}

/// Why a scan is refused that lasts too long beside the physical half-life; none if it does not.
pub(super) fn scan_too_long(duration_h: f64, half_life_h: f64) -> Option<String> {
    (duration_h > LONGEST_SCAN * half_life_h)
        .then(|| format!("is more than {LONGEST_SCAN} physical half-lives of {half_life_h} h: {duration_h} h"))
}

/// Hours since the start of the administration, and whether the clock is one without offset.
fn times_h(draft: &SeriesDraft, checks: &mut Checks) -> (Vec<Option<f64>>, Option<Warning>) {
    let injection = draft.injection.as_ref().map(|text| checks.at("injection", ClockTime::parse(text)));
    let mut offsets: Vec<bool> = injection.flatten().iter().map(|clock| clock.has_offset).collect();
    let mut times = Vec::new();
    let mut needs_injection = false;
    for (number, point) in draft.points.iter().enumerate() {
        let field = format!("point_{}.time", number + 1);
        let time_h = match &point.time {
            Moment::Hours(hours) => Some(*hours),
            Moment::Clock(text) => checks.at(&*field, ClockTime::parse(text)).and_then(|clock| {
                offsets.push(clock.has_offset);
                needs_injection |= injection.is_none();
                injection.flatten().map(|start| clock.hours_since(&start))
            }),
        };
        if time_h.is_some_and(|hours| !hours.is_finite()) {
            checks.fail(field, "must be finite");
        } else if let Some(hours) = time_h.filter(|hours| *hours < 0.0) {
            checks.fail(field, format!("lies {} h before the start of the administration", -hours));
        } else if let Some(hours) = time_h.filter(|hours| *hours > LATEST_H) {
            checks.fail(field, format!("must be at most {LATEST_H} h, got {hours:e} h"));
        }
        times.push(time_h);
    }
    if needs_injection {
        checks.fail("injection", "is missing: clock times need the time of the injection");
    }
    if offsets.contains(&true) && offsets.contains(&false) {
        checks.fail("injection", "clock times and that of the injection must all have an offset from UTC, or none");
    }
    let warning = (needs_injection || offsets.len() > 1) && !offsets.contains(&true);
    let message = "the clock times have no offset from UTC and are taken as those of one clock: a change to or from \
                   summer time between them would be missed";
    (times, warning.then(|| Warning::new(CLOCK_WITHOUT_OFFSET, "injection", message)))
}

/// The warning of a first scan that may lie within an infusion.
fn infusion_unknown(points: &[Point], infusion_h: f64) -> Option<Warning> {
    let first = points.first().filter(|point| point.time_h < EARLY_H && infusion_h == 0.0)?;
    let message = format!(
        "the first scan is {} h after the start of the administration; if it was an infusion, say how long it took",
        first.time_h
    );
    Some(Warning::new(INFUSION_UNKNOWN, "infusion_h", message))
}
