//! Measured activities of regions over time: what a caller says of them, checked, and their integrals.

use super::choice::{named, point_of};
use crate::clinic::plausible::{OfRegion, of_regions};
use crate::clinic::single_time_point::{Kinetics, Measurement, SinglePointIntegral, integrate_one};
use crate::clinic::{
    BeforeFirst, Between, Curve, CurveOptions, Flag, Integration, ModelChoice, PieceRules, PointDraft, Removals,
    Series, SeriesDraft, Shape, ValueRefersTo, Weighting, integrate, integrate_removed,
};
use crate::domain::{Checks, Control, DoseError, Invalid, Nuclide, Violation, Warning};
use crate::physics::nuclide;
use crate::request::MISSING;

/// Most regions of a call.
pub const MAX_REGIONS: usize = 1024;
/// Most measurements of a region.
pub const MAX_POINTS: usize = 256;
/// Fields that belong to no region, though every region shows their faults.
const OF_ALL: [&str; 3] = ["injection", "administered_activity_mbq", "infusion_h"];

/// Activities of regions over time, and how they are integrated.
#[derive(Clone, Debug)]
pub struct CurvesPlan {
    /// The nuclide.
    pub nuclide: &'static Nuclide,
    /// All that is not of a region; without points.
    pub draft: SeriesDraft,
    /// How the curves are integrated.
    pub options: CurveOptions,
    /// The regions.
    pub regions: Vec<MeasuredRegion>,
}

/// A region and its activities.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRegion {
    /// Its name.
    pub name: String,
    /// Its measurements.
    pub points: Vec<PointDraft>,
    /// What is known of its curve, used where there is one measurement alone.
    pub of_one: Option<Kinetics>,
}

/// The integral of a region.
#[derive(Clone, Debug, PartialEq)]
pub enum RegionFound {
    /// By a curve through its measurements.
    Curve(Box<Integration>),
    /// From one measurement.
    OnePoint(SinglePointIntegral),
}

impl CurvesPlan {
    /// The series of every region.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every bad field, by its path on the wire.
    pub fn series(&self) -> Result<Vec<Series>, DoseError> {
        self.each(|region| Series::new(&SeriesDraft { points: region.points.clone(), ..self.draft.clone() }))
    }

    /// The integral of every region.
    ///
    /// * `control` – is asked before each region
    ///
    /// # Errors
    /// As [`CurvesPlan::series`]; and every region that cannot be integrated as it was asked for.
    /// [`DoseError::Cancelled`] once the caller has gone.
    pub fn integrate(&self, control: &Control) -> Result<Vec<RegionFound>, DoseError> {
        self.integrate_removed(&Removals::default(), control)
    }

    /// The integral of every region, of which a part was taken away on the way.
    ///
    /// * `control` – is asked before each region
    ///
    /// # Errors
    /// As [`CurvesPlan::integrate`], and as [`integrate_removed`]; regions with one measurement, whose methods know of
    /// no sessions.
    pub fn integrate_removed(&self, removals: &Removals, control: &Control) -> Result<Vec<RegionFound>, DoseError> {
        self.each(|region| {
            control.give_way()?;
            let series = Series::new(&SeriesDraft { points: region.points.clone(), ..self.draft.clone() })?;
            match (series.points(), &region.of_one) {
                ([_], Some(_)) if !removals.is_empty() => Err(DoseError::invalid(
                    "points",
                    "there is one, and the methods for one know of no sessions and removals",
                )),
                ([point], Some(known)) => {
                    let measured = Measurement {
                        window: series.window(point),
                        activity_mbq: point.activity_mbq,
                        // Without activity there is no relative one.
                        activity_relative_sigma: point
                            .sigma_mbq
                            .filter(|_| point.activity_mbq > 0.0)
                            .map(|sigma| sigma / point.activity_mbq),
                    };
                    integrate_one(&measured, known).map(RegionFound::OnePoint)
                }
                _ => {
                    let found = if removals.is_empty() {
                        integrate(&series, &self.options)
                    } else {
                        integrate_removed(&series, &self.options, removals)
                    };
                    found.map(|found| RegionFound::Curve(Box::new(found)))
                }
            }
        })
    }

    /// What is implausible of all regions; what is of one stands there.
    ///
    /// * `found` – the integral of each
    pub fn warnings(&self, found: &[RegionFound]) -> Vec<Warning> {
        let of_region = |(region, found): (&MeasuredRegion, &RegionFound)| {
            let (tia_mbq_h, is_at_physical_limit) = match found {
                RegionFound::Curve(found) => (found.tia_mbq_h, found.flags.contains(&Flag::RateAtPhysicalLimit)),
                RegionFound::OnePoint(found) => (found.tia_mbq_h, false),
            };
            let coefficient_h = self.draft.administered_activity_mbq.map(|mbq| tia_mbq_h / mbq);
            OfRegion { name: region.name.clone(), coefficient_h, is_at_physical_limit }
        };
        let all: Vec<OfRegion> = self.regions.iter().zip(found).map(of_region).collect();
        of_regions(&all, self.nuclide, super::integration::OF_ALL)
    }

    /// Does the same with every region, and gathers the faults of all.
    fn each<T>(&self, of: impl Fn(&MeasuredRegion) -> Result<T, DoseError>) -> Result<Vec<T>, DoseError> {
        let (mut all, mut faults) = (Vec::with_capacity(self.regions.len()), Vec::new());
        for (number, region) in self.regions.iter().enumerate() {
            match of(region) {
                Ok(one) => all.push(one),
                Err(DoseError::Invalid(of_region)) => {
                    for fault in of_region.into_iter().map(|fault| on_the_wire(number, fault)) {
                        let is_said = OF_ALL.contains(&fault.field.as_str()) && faults.contains(&fault);
                        if !is_said {
                            faults.push(fault);
                        }
                    }
                }
                Err(other) => return Err(other),
            }
        }
        if faults.is_empty() { Ok(all) } else { Err(DoseError::Invalid(faults)) }
    }
}

/// A fault of a region by its path on the wire, such as `regions[0].points[2].sigma_mbq`.
fn on_the_wire(number: usize, Violation { field, reason }: Violation) -> Violation {
    if let Some((point, name)) = point_of(&field) {
        return Violation { field: format!("regions[{number}].points[{point}].{name}"), reason };
    }
    match field.as_str() {
        "points" => Violation { field: format!("regions[{number}].points"), reason },
        other if OF_ALL.contains(&other) => Violation { field, reason },
        // What was asked of all regions, and cannot be done with this one.
        other => Violation { field: format!("regions[{number}]"), reason: format!("{other}: {reason}") },
    }
}

/// What a caller says, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawCurves {
    /// The regions.
    pub regions: Vec<RawMeasuredRegion>,
    /// The nuclide.
    pub nuclide: Option<String>,
    /// ISO 8601.
    pub injection: Option<String>,
    /// Name of a [`ValueRefersTo`].
    pub value_refers_to: Option<String>,
    /// [MBq].
    pub administered_activity_mbq: Option<f64>,
    /// [h].
    pub infusion_h: f64,
    /// Name of a [`ModelChoice`].
    pub model: Option<String>,
    /// Name of a [`Weighting`].
    pub weighting: Option<String>,
    /// Name of a [`BeforeFirst`].
    pub before_first: Option<String>,
    /// Name of a [`Between`].
    pub between: Option<String>,
}

/// A region, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawMeasuredRegion {
    /// Its name.
    pub name: String,
    /// Its measurements; none where one has no time.
    pub points: Vec<Option<PointDraft>>,
    /// What is known of its curve.
    pub of_one: Option<RawKinetics>,
}

/// What is known of a curve, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawKinetics {
    /// Name of a method.
    pub method: String,
    /// Of a population [h].
    pub half_life_h: Option<f64>,
    /// Of that half-life.
    pub half_life_relative_sd: Option<f64>,
    /// Name of a [`Shape`].
    pub curve_model: Option<String>,
    /// Its parameters [MBq and 1/h].
    pub curve_parameters: Vec<f64>,
}

impl RawCurves {
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire; those of measurements only where there is no
    /// other.
    pub fn check(self) -> Result<CurvesPlan, DoseError> {
        let mut checks = Checks::new();
        if !(1..=MAX_REGIONS).contains(&self.regions.len()) {
            checks.fail("regions", format!("are {}; 1 to {MAX_REGIONS} are integrated", self.regions.len()));
        }
        let nuclide = match self.nuclide.as_deref().filter(|name| !name.is_empty()) {
            None => checks.at("nuclide", Err(Invalid::new(MISSING))),
            Some(name) => checks.at("nuclide", nuclide::find(name)),
        };
        let refers_to = named(self.value_refers_to.as_deref(), &ValueRefersTo::ALL, ValueRefersTo::name);
        let refers_to = checks.at("value_refers_to", refers_to).flatten().unwrap_or_default();
        let model = named(self.model.as_deref(), &ModelChoice::ALL, ModelChoice::name);
        let model = checks.at("model", model).flatten().unwrap_or_default();
        let weighting = named(self.weighting.as_deref(), &Weighting::ALL, Weighting::name);
        let weighting = checks.at("weighting", weighting).flatten();
        let before_first = named(self.before_first.as_deref(), &BeforeFirst::ALL, BeforeFirst::name);
        let before_first = checks.at("before_first", before_first).flatten().unwrap_or_default();
        let between = named(self.between.as_deref(), &Between::ALL, Between::name);
        let between = checks.at("between", between).flatten().unwrap_or_default();
        let half_life_h = nuclide.map_or(1.0, |nuclide| nuclide.half_life_s / 3600.0);
        let regions = self.regions.into_iter().take(MAX_REGIONS).enumerate();
        let regions =
            regions.filter_map(|(at, region)| region.check(&format!("regions[{at}]"), half_life_h, &mut checks));
        let regions = regions.collect();
        checks.finish()?;
        let plan = CurvesPlan {
            nuclide: nuclide.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?,
            draft: SeriesDraft {
                points: Vec::new(),
                injection: self.injection,
                physical_half_life_h: half_life_h,
                administered_activity_mbq: self.administered_activity_mbq,
                infusion_h: self.infusion_h,
                refers_to,
            },
            options: CurveOptions { model, weighting, pieces: PieceRules { before_first, between } },
            regions,
        };
        plan.series().map(|_| plan)
    }
}

impl RawMeasuredRegion {
    /// Checks a region; a fault is recorded.
    ///
    /// * `half_life_h` – of the nuclide [h]
    fn check(self, field: &str, half_life_h: f64, checks: &mut Checks) -> Option<MeasuredRegion> {
        if !(1..=MAX_POINTS).contains(&self.points.len()) {
            let reason = format!("are {}; 1 to {MAX_POINTS} are integrated", self.points.len());
            checks.fail(format!("{field}.points"), reason);
        }
        for (at, _) in self.points.iter().take(MAX_POINTS).enumerate().filter(|(_, point)| point.is_none()) {
            checks.fail(format!("{field}.points[{at}].time"), MISSING);
        }
        let points: Vec<PointDraft> = self.points.into_iter().flatten().collect();
        let field = format!("{field}.one_point");
        let of_one = match self.of_one {
            None => None,
            Some(raw) => Some(raw.check(&field, half_life_h, checks)?),
        };
        Some(MeasuredRegion { name: self.name, points, of_one })
    }
}

impl RawKinetics {
    /// As it would be written.
    pub fn of(known: &Kinetics) -> Self {
        let named = Self { method: known.name().to_owned(), ..Self::default() };
        match known {
            Kinetics::Physical { .. } | Kinetics::Haenscheid => named,
            Kinetics::PopulationHalfLife { half_life_h, relative_sd } => {
                Self { half_life_h: Some(*half_life_h), half_life_relative_sd: Some(*relative_sd), ..named }
            }
            Kinetics::PriorCurve(curve) => Self {
                curve_model: Some(curve.shape().name().to_owned()),
                curve_parameters: curve.parameters().to_vec(),
                ..named
            },
        }
    }

    /// What is known; a fault is recorded.
    ///
    /// * `half_life_h` – of the nuclide [h]
    pub(super) fn check(self, field: &str, half_life_h: f64, checks: &mut Checks) -> Option<Kinetics> {
        match self.method.as_str() {
            "physical" => Some(Kinetics::Physical { half_life_h }),
            "haenscheid" => Some(Kinetics::Haenscheid),
            "population_half_life" => {
                let mut given = |name: &str, value: Option<f64>| {
                    checks.at(format!("{field}.{name}"), value.ok_or_else(|| Invalid::new(MISSING)))
                };
                let half_life_h = given("half_life_h", self.half_life_h);
                let relative_sd = given("half_life_relative_sd", self.half_life_relative_sd);
                Some(Kinetics::PopulationHalfLife { half_life_h: half_life_h?, relative_sd: relative_sd? })
            }
            "prior_curve" => {
                let model = self.curve_model.as_deref();
                let shape = match model.and_then(Shape::of_model) {
                    Some(shape) => Ok(shape),
                    None => named(model, &Shape::ALL, Shape::name).and_then(|_| Err(Invalid::new(MISSING))),
                };
                let shape = checks.at(format!("{field}.curve_model"), shape)?;
                match Curve::new(shape, self.curve_parameters) {
                    Ok(curve) => Some(Kinetics::PriorCurve(curve)),
                    Err(error) => {
                        checks.fail(format!("{field}.curve_parameters"), error.to_string());
                        None
                    }
                }
            }
            _ => {
                checks.fail(format!("{field}.method"), format!("must be one of {}", Kinetics::NAMES.join(", ")));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::Moment;

    #[test]
    fn curves_whose_caller_has_gone_are_not_integrated() {
        let point = |hours: f64, activity_mbq| PointDraft {
            time: Moment::Hours(hours),
            activity_mbq,
            sigma_mbq: None,
            duration_h: None,
        };
        let region = MeasuredRegion {
            name: "kidneys".into(),
            points: vec![point(4.0, 90.0), point(24.0, 70.0), point(96.0, 30.0)],
            of_one: None,
        };
        let plan = CurvesPlan {
            nuclide: nuclide::find("Lu-177").expect("known"),
            draft: SeriesDraft {
                points: Vec::new(),
                injection: None,
                physical_half_life_h: 159.5,
                administered_activity_mbq: None,
                infusion_h: 0.0,
                refers_to: ValueRefersTo::default(),
            },
            options: CurveOptions::default(),
            regions: vec![region; 5],
        };
        assert!(plan.integrate(&Control::detached()).is_ok_and(|found| found.len() == 5));
        let control = Control::gone_after(2);
        assert!(matches!(plan.integrate(&control), Err(DoseError::Cancelled)));
        assert_eq!(control.times_asked(), 2);
    }
}
