//! Measured activities of regions over time, and their integrals.

use super::integration::curve::{Measured, decode_integration, decode_warning, encode_curve, encode_warning};
use super::integration::{decode_refers_to, encode_refers_to};
use super::pb;
use crate::clinic::single_time_point::{Kinetics, SinglePointIntegral};
use crate::clinic::{Moment, PointDraft, Series};
use crate::domain::{Control, DoseError};
use crate::intake::curves::{CurvesPlan, MeasuredRegion, RawCurves, RawKinetics, RawMeasuredRegion, RegionFound};

/// What is asked for.
///
/// # Errors
/// [`DoseError::Invalid`] with every fault, by its path on the wire.
pub(in crate::api) fn plan(message: pb::IntegrateCurvesRequest) -> Result<CurvesPlan, DoseError> {
    decode(message).check()
}

/// The integrals that are asked for.
///
/// # Errors
/// As [`CurvesPlan::integrate`].
pub(in crate::api) fn integrate(
    plan: &CurvesPlan,
    control: &Control,
) -> Result<pb::IntegrateCurvesResponse, DoseError> {
    let (series, found) = (plan.series()?, plan.integrate(control)?);
    let warnings = plan.warnings(&found).iter().map(encode_warning).collect();
    let regions = plan.regions.iter().zip(&series).zip(&found);
    let regions = regions.map(|((region, series), found)| encode_found(&region.name, series, found));
    Ok(pb::IntegrateCurvesResponse { regions: regions.collect(), warnings })
}

fn decode(message: pb::IntegrateCurvesRequest) -> RawCurves {
    RawCurves {
        regions: message.regions.into_iter().map(decode_region).collect(),
        nuclide: given(message.nuclide),
        injection: given(message.injection),
        value_refers_to: decode_refers_to(message.value_refers_to),
        administered_activity_mbq: message.administered_activity_mbq,
        infusion_h: message.infusion_h,
        model: given(message.model),
        weighting: given(message.weighting),
        before_first: given(message.before_first),
        between: given(message.between),
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn decode_region(message: pb::MeasuredRegion) -> RawMeasuredRegion {
    let point = |point: pb::MeasuredPoint| {
        let time = match point.time? {
            pb::measured_point::Time::Hours(hours) => Moment::Hours(hours),
            pb::measured_point::Time::Clock(text) => Moment::Clock(text),
        };
        let pb::MeasuredPoint { activity_mbq, sigma_mbq, duration_h, .. } = point;
        Some(PointDraft { time, activity_mbq, sigma_mbq, duration_h })
    };
    RawMeasuredRegion {
        name: message.name,
        points: message.points.into_iter().map(point).collect(),
        of_one: message.one_point.map(decode_kinetics),
    }
}

pub(super) fn decode_kinetics(one: pb::OnePointMethod) -> RawKinetics {
    RawKinetics {
        method: one.method,
        half_life_h: one.half_life_h,
        half_life_relative_sd: one.half_life_relative_sd,
        curve_model: given(one.curve_model),
        curve_parameters: one.curve_parameters,
    }
}

pub(super) fn encode_kinetics(raw: &RawKinetics) -> pb::OnePointMethod {
    pb::OnePointMethod {
        method: raw.method.clone(),
        half_life_h: raw.half_life_h,
        half_life_relative_sd: raw.half_life_relative_sd,
        curve_model: raw.curve_model.clone().unwrap_or_default(),
        curve_parameters: raw.curve_parameters.clone(),
    }
}

/// The request of what was checked here.
pub(in crate::api) fn encode(plan: &CurvesPlan) -> pb::IntegrateCurvesRequest {
    let CurvesPlan { nuclide, draft, options, regions } = plan;
    pb::IntegrateCurvesRequest {
        regions: regions.iter().map(encode_region).collect(),
        nuclide: nuclide.name.clone(),
        injection: draft.injection.clone().unwrap_or_default(),
        value_refers_to: encode_refers_to(Some(draft.refers_to.name())).into(),
        administered_activity_mbq: draft.administered_activity_mbq,
        infusion_h: draft.infusion_h,
        model: options.model.name().to_owned(),
        weighting: options.weighting.map(|weighting| weighting.name().to_owned()).unwrap_or_default(),
        before_first: options.pieces.before_first.name().to_owned(),
        between: options.pieces.between.name().to_owned(),
    }
}

fn encode_region(region: &MeasuredRegion) -> pb::MeasuredRegion {
    let point = |point: &PointDraft| pb::MeasuredPoint {
        time: Some(match &point.time {
            Moment::Hours(hours) => pb::measured_point::Time::Hours(*hours),
            Moment::Clock(text) => pb::measured_point::Time::Clock(text.clone()),
        }),
        activity_mbq: point.activity_mbq,
        sigma_mbq: point.sigma_mbq,
        duration_h: point.duration_h,
    };
    pb::MeasuredRegion {
        name: region.name.clone(),
        points: region.points.iter().map(point).collect(),
        one_point: region.of_one.as_ref().map(|known| encode_kinetics(&RawKinetics::of(known))),
    }
}

fn encode_found(name: &str, series: &Series, found: &RegionFound) -> pb::IntegratedRegion {
    use pb::integrated_region::Found;
    let found = match found {
        RegionFound::Curve(integration) => {
            let points = series.points();
            let times_h: Vec<f64> = points.iter().map(|point| point.time_h).collect();
            let activity_mbq: Vec<f64> = points.iter().map(|point| point.activity_mbq).collect();
            let sigma_mbq: Option<Vec<f64>> = points.iter().map(|point| point.sigma_mbq).collect();
            let measured = Measured { times_h: &times_h, activity_mbq: &activity_mbq, sigma_mbq: sigma_mbq.as_deref() };
            Found::Curve(encode_curve(name, &measured, integration))
        }
        RegionFound::OnePoint(found) => {
            let one = encode_one(name, found, series.administered_activity_mbq());
            let warnings = series.warnings().iter().chain(&found.warnings).map(encode_warning).collect();
            Found::OnePoint(pb::OnePointIntegral { warnings, ..one })
        }
    };
    pb::IntegratedRegion { found: Some(found) }
}

/// * `administered_mbq` – administered activity [MBq], if it is known
pub(super) fn encode_one(
    name: &str,
    found: &SinglePointIntegral,
    administered_mbq: Option<f64>,
) -> pb::OnePointIntegral {
    pb::OnePointIntegral {
        name: name.to_owned(),
        method: found.method.to_owned(),
        tia_mbq_h: found.tia_mbq_h,
        tia_sigma_mbq_h: found.tia_sigma_mbq_h,
        tia_sigma_first_order_mbq_h: found.tia_sigma_first_order_mbq_h,
        tia_coefficient_h: administered_mbq.map(|administered| found.tia_mbq_h / administered),
        valid_for_half_lives_h: found.valid_for_half_lives_h.map(Vec::from).unwrap_or_default(),
        best_time_h: found.best_time_h,
        fraction_after_last_point: found.fraction_after_last_point,
        warnings: found.warnings.iter().map(encode_warning).collect(),
    }
}

/// None if a part is missing that every server sends, or is not known.
///
/// * `series` – those that were sent
pub(in crate::api) fn decode_result(
    message: pb::IntegrateCurvesResponse,
    series: &[Series],
) -> Option<Vec<RegionFound>> {
    (message.regions.len() == series.len()).then_some(())?;
    let regions = message.regions.into_iter().zip(series);
    regions.map(|(region, series)| decode_found(region, series)).collect()
}

fn decode_found(message: pb::IntegratedRegion, series: &Series) -> Option<RegionFound> {
    match message.found? {
        pb::integrated_region::Found::Curve(curve) => {
            decode_integration(curve).map(|found| RegionFound::Curve(Box::new(found)))
        }
        pb::integrated_region::Found::OnePoint(one) => {
            let mut found = decode_one(one)?;
            // Those of the series are known here.
            found.warnings.retain(|warning| !series.warnings().contains(warning));
            Some(RegionFound::OnePoint(found))
        }
    }
}

/// None if it names what is not known.
pub(super) fn decode_one(message: pb::OnePointIntegral) -> Option<SinglePointIntegral> {
    let valid_for_half_lives_h = match *message.valid_for_half_lives_h {
        [] => None,
        [shortest, longest] => Some([shortest, longest]),
        _ => return None,
    };
    Some(SinglePointIntegral {
        method: Kinetics::NAMES.into_iter().find(|name| *name == message.method)?,
        tia_mbq_h: message.tia_mbq_h,
        tia_sigma_mbq_h: message.tia_sigma_mbq_h,
        tia_sigma_first_order_mbq_h: message.tia_sigma_first_order_mbq_h,
        valid_for_half_lives_h,
        best_time_h: message.best_time_h,
        fraction_after_last_point: message.fraction_after_last_point,
        warnings: message.warnings.into_iter().map(decode_warning).collect(),
    })
}
