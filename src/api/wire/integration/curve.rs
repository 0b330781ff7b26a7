//! The curve of a region, and all that a reader needs to judge it.

use crate::api::pb;
use crate::clinic::integral::{Quality, Residual};
use crate::clinic::shared::RegionIntegral;
use crate::clinic::{Candidate, Curve, Flag, Integration, ModelChoice, Shape};
use crate::domain::Warning;

/// The model of a region without activity.
const NO_MODEL: &str = "none";

pub(super) fn encode_region((label, region): &(u16, RegionIntegral)) -> pb::RegionCurve {
    let measured = Measured {
        times_h: &region.times_h,
        activity_mbq: &region.activity_mbq,
        sigma_mbq: region.sigma_mbq.as_deref(),
    };
    pb::RegionCurve {
        label: (*label).into(),
        voxels: region.voxels as u64,
        reference_time_h: region.reference_time_h,
        negative_voxels: region.negative_voxels as u64,
        ..encode_curve(&region.name, &measured, &region.integration)
    }
}

/// What a curve goes through, by time.
pub(in crate::api::wire) struct Measured<'a> {
    pub(in crate::api::wire) times_h: &'a [f64],
    pub(in crate::api::wire) activity_mbq: &'a [f64],
    pub(in crate::api::wire) sigma_mbq: Option<&'a [f64]>,
}

/// The curve of a region without voxels.
pub(in crate::api::wire) fn encode_curve(
    name: &str,
    measured: &Measured,
    integration: &Integration,
) -> pb::RegionCurve {
    let curve = integration.curve.as_ref();
    let quality = integration.quality.as_ref();
    let residuals = quality.map(|quality| quality.residuals.as_slice()).unwrap_or_default();
    let point = |(number, (time_h, activity_mbq)): (usize, (&f64, &f64))| {
        let residual = residuals.get(number);
        pb::CurvePoint {
            time_h: *time_h,
            activity_mbq: *activity_mbq,
            fitted_mbq: residual.map(|residual| residual.fitted_mbq),
            in_sigma: residual.map(|residual| residual.in_sigma),
            sigma_mbq: measured.sigma_mbq.and_then(|sigmas| sigmas.get(number).copied()),
        }
    };
    let covariance = quality.and_then(|quality| quality.covariance.as_ref());
    pb::RegionCurve {
        name: name.to_owned(),
        label: 0,
        voxels: 0,
        model: integration.model.to_owned(),
        half_lives_h: curve.map(Curve::half_lives_h).unwrap_or_default(),
        amplitudes_mbq: curve.iter().flat_map(|curve| curve.terms()).map(|[amplitude, _]| amplitude).collect(),
        tia_mbq_h: integration.tia_mbq_h,
        tia_sigma_mbq_h: integration.tia_sigma_mbq_h,
        tia_coefficient_h: integration.tia_coefficient_h,
        fraction_after_last_point: integration.fractions.map(|[_, after]| after),
        reference_time_h: 0.0,
        points: measured.times_h.iter().zip(measured.activity_mbq).enumerate().map(point).collect(),
        flags: integration.flags.iter().map(|flag| flag.name().to_owned()).collect(),
        parameters: curve.map(|curve| curve.parameters().to_vec()).unwrap_or_default(),
        covariance: covariance.iter().flat_map(|rows| rows.iter().flatten().copied()).collect(),
        chi_square: quality.map(|quality| quality.chi_square),
        degrees_of_freedom: quality.map(|quality| u32::try_from(quality.degrees_of_freedom).unwrap_or(u32::MAX)),
        probability_of_chi_square: quality.and_then(|quality| quality.probability),
        fraction_before_first_point: integration.fractions.map(|[before, _]| before),
        candidates: integration.candidates.iter().map(encode_candidate).collect(),
        warnings: integration.warnings.iter().map(encode_warning).collect(),
        negative_voxels: 0,
    }
}

fn encode_candidate(candidate: &Candidate) -> pb::CurveCandidate {
    pb::CurveCandidate {
        model: candidate.shape.name().to_owned(),
        chi_square: candidate.chi_square,
        aicc: candidate.aicc,
        aic: candidate.aic,
        largest_cv_of_rates: candidate.largest_cv_of_rates,
        admitted: candidate.admitted,
    }
}

pub(in crate::api::wire) fn encode_warning(Warning { reason, message, field }: &Warning) -> pb::CurveWarning {
    pb::CurveWarning { reason: reason.clone(), message: message.clone(), field: field.clone() }
}

/// None if it names what is not known.
pub(super) fn decode_region(message: pb::RegionCurve) -> Option<(u16, RegionIntegral)> {
    let label = u16::try_from(message.label).ok()?;
    let count = |number: u64| usize::try_from(number).ok();
    let sigmas = message.points.iter().map(|point| point.sigma_mbq).collect();
    let times_h = message.points.iter().map(|point| point.time_h).collect();
    let activity_mbq = message.points.iter().map(|point| point.activity_mbq).collect();
    let region = RegionIntegral {
        name: message.name.clone(),
        voxels: count(message.voxels)?,
        times_h,
        activity_mbq,
        sigma_mbq: sigmas,
        reference_time_h: message.reference_time_h,
        negative_voxels: count(message.negative_voxels)?,
        integration: decode_integration(message)?,
    };
    Some((label, region))
}

/// None if it names what is not known.
pub(in crate::api::wire) fn decode_integration(message: pb::RegionCurve) -> Option<Integration> {
    let model = ModelChoice::ALL.into_iter().map(ModelChoice::name).chain([NO_MODEL]);
    let model = model.into_iter().find(|name| *name == message.model)?;
    // With the rate of physical decay a curve is still one exponential.
    let shape = Shape::ALL.into_iter().find(|shape| shape.name() == model).unwrap_or(Shape::Mono);
    let curve = match message.parameters.is_empty() {
        true => None,
        false => Some(Curve::new(shape, message.parameters.clone()).ok()?),
    };
    let flag = |name: String| Flag::ALL.into_iter().find(|flag| flag.name() == name);
    let quality = match message.chi_square {
        None => None,
        Some(chi_square) => Some(decode_quality(chi_square, &message)?),
    };
    let fractions = message.fraction_before_first_point.zip(message.fraction_after_last_point);
    Some(Integration {
        model,
        curve,
        quality,
        tia_mbq_h: message.tia_mbq_h,
        tia_sigma_mbq_h: message.tia_sigma_mbq_h,
        fractions: fractions.map(<[f64; 2]>::from),
        tia_coefficient_h: message.tia_coefficient_h,
        // A server knows of no sessions.
        clearance: None,
        candidates: message.candidates.iter().map(decode_candidate).collect::<Option<_>>()?,
        flags: message.flags.into_iter().map(flag).collect::<Option<_>>()?,
        warnings: message.warnings.into_iter().map(decode_warning).collect(),
    })
}

fn decode_quality(chi_square: f64, message: &pb::RegionCurve) -> Option<Quality> {
    let residual = |point: &pb::CurvePoint| {
        Some(Residual {
            time_h: point.time_h,
            activity_mbq: point.activity_mbq,
            fitted_mbq: point.fitted_mbq?,
            in_sigma: point.in_sigma?,
        })
    };
    // Of a rate that was held there is the amplitude alone.
    let rows = message.covariance.len().isqrt();
    let is_square = rows * rows == message.covariance.len();
    let covariance = (rows > 0).then(|| message.covariance.chunks(rows).map(<[f64]>::to_vec).collect());
    is_square.then_some(())?;
    Some(Quality {
        chi_square,
        degrees_of_freedom: usize::try_from(message.degrees_of_freedom?).ok()?,
        probability: message.probability_of_chi_square,
        covariance,
        residuals: message.points.iter().map(residual).collect::<Option<_>>()?,
    })
}

fn decode_candidate(message: &pb::CurveCandidate) -> Option<Candidate> {
    Some(Candidate {
        shape: Shape::ALL.into_iter().find(|shape| shape.name() == message.model)?,
        chi_square: message.chi_square,
        aicc: message.aicc,
        aic: message.aic,
        largest_cv_of_rates: message.largest_cv_of_rates,
        admitted: message.admitted,
    })
}

pub(in crate::api::wire) fn decode_warning(pb::CurveWarning { reason, message, field }: pb::CurveWarning) -> Warning {
    Warning { reason, message, field }
}
