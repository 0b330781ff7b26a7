//! From messages to the domain. Every bad field of a message is found at once, and named by its path from the header.

mod kernel;
mod monte_carlo;
mod source;

use super::pb;
use crate::domain::{
    ActivityUnit, Checks, DensityCorrection, DoseError, ElementType, HeaderDraft, Invalid, KernelOptions, LocalOptions,
    Method, Nuclide, Part, RequestHeader, VolumeHeader, VoxelGrid, grid::Affine,
};
use crate::physics::nuclide;
pub(super) use kernel::kernel;
use kernel::kernel_medium;
use source::Sources;

/// # Errors
/// [`DoseError::Invalid`] with every fault.
pub(super) fn header(message: pb::ComputeHeader) -> Result<RequestHeader, DoseError> {
    let mut checks = Checks::new();
    let activity = match message.activity {
        Some(descriptor) => announced(&mut checks, "activity", descriptor),
        None => missing(&mut checks, "activity"),
    };
    let mut map = |field, descriptor: Option<_>| match descriptor {
        Some(descriptor) => Part::given(announced(&mut checks, field, descriptor)),
        None => Part::Absent,
    };
    let density = map("density", message.density);
    let (labels, materials) = (map("labels", message.labels), map("materials", message.materials));
    let Sources { unit, source, daughters } = source::sources(
        &mut checks,
        &message.nuclide,
        &message.emissions,
        message.activity_unit,
        message.daughters,
        message.daughter_maps,
    );
    let draft = HeaderDraft {
        activity: Part::given(activity),
        activity_unit: Part::given(unit),
        density,
        labels,
        materials,
        source: Part::given(source),
        daughters,
        method: Part::given(method(&mut checks, message.method)),
        weighting: message.biological_weighting.map(source::weighting),
    };
    draft.finish(checks)
}

/// Why a part that is absent cannot be absent once the checks have passed.
const FAULT_RECORDED: &str = "a part that could not be decoded has recorded a fault";

fn missing<T>(checks: &mut Checks, field: impl Into<String>) -> Option<T> {
    checks.fail(field, "is missing");
    None
}

fn announced(checks: &mut Checks, field: &str, message: pb::VolumeDescriptor) -> Option<VolumeHeader> {
    let grid = match message.grid {
        Some(grid) => voxel_grid(checks, &format!("{field}.grid"), &grid),
        None => missing(checks, format!("{field}.grid")),
    };
    let element = checks.at(format!("{field}.element_type"), element(message.element_type));
    let (slope, intercept) = (message.slope.unwrap_or(1.0), message.intercept.unwrap_or(0.0));
    let slope = checks.at(format!("{field}.slope"), VolumeHeader::check_slope(slope).map(|()| slope));
    let intercept =
        checks.at(format!("{field}.intercept"), VolumeHeader::check_intercept(intercept).map(|()| intercept));
    let announced = VolumeHeader { grid: grid?, element: element?, slope: slope?, intercept: intercept? };
    let expected = announced.size_bytes();
    if let Some(size) = message.size_bytes.filter(|size| *size != expected) {
        checks.fail(format!("{field}.size_bytes"), format!("is {size}, shape and element type say {expected}"));
    }
    Some(announced)
}

fn voxel_grid(checks: &mut Checks, field: &str, message: &pb::VoxelGrid) -> Option<VoxelGrid> {
    let (shape_field, spacing_field) = (format!("{field}.shape"), format!("{field}.spacing_mm"));
    let shape = three(checks, &shape_field, &message.shape).map(|shape| shape.map(u64::from));
    let shape = shape.and_then(|shape| checks.at(shape_field, crate::domain::grid::check_shape(shape).map(|_| shape)));
    let spacing = three(checks, &spacing_field, &message.spacing_mm)
        .and_then(|mm| checks.at(spacing_field, crate::domain::grid::check_spacing(mm).map(|()| mm)));
    let affine_field = format!("{field}.affine_mm");
    let affine = checks.at(&affine_field, affine(&message.affine_mm))?;
    // An affine needs only the spacing, so it is checked whatever the shape is.
    let spacing = spacing?;
    let placed = |shape| match affine {
        Some(affine) => VoxelGrid::new(shape, spacing)?.with_affine(affine),
        None => VoxelGrid::new(shape, spacing),
    };
    checks.at(affine_field, placed([1; 3]))?;
    checks.at(field, placed(shape?))
}

fn three<T: Copy>(checks: &mut Checks, field: &str, values: &[T]) -> Option<[T; 3]> {
    let three = values.try_into().map_err(|_| Invalid::new(format!("has {} numbers, not 3", values.len())));
    checks.at(field, three)
}

/// Twelve numbers, or sixteen with the last row that goes without saying, or none.
fn affine(numbers: &[f64]) -> Result<Option<Affine>, Invalid> {
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(Invalid::new("has an element that is not finite"));
    }
    let (rows, rest) = numbers.as_chunks::<4>();
    match (rows, rest) {
        ([], []) => Ok(None),
        ([x, y, z], []) => Ok(Some([*x, *y, *z])),
        ([x, y, z, last], []) if *last == [0.0, 0.0, 0.0, 1.0] => Ok(Some([*x, *y, *z])),
        ([_, _, _, last], []) => Err(Invalid::new(format!("has the last row {last:?}, not 0 0 0 1"))),
        _ => Err(Invalid::new(format!("has {} numbers, not 12, 16 or none", numbers.len()))),
    }
}

fn element(number: i32) -> Result<ElementType, Invalid> {
    match pb::ElementType::try_from(number) {
        Ok(pb::ElementType::Float32) => Ok(ElementType::Float32),
        Ok(pb::ElementType::Float64) => Ok(ElementType::Float64),
        Ok(pb::ElementType::Int16) => Ok(ElementType::Int16),
        Ok(pb::ElementType::Uint8) => Ok(ElementType::Uint8),
        Ok(pb::ElementType::Unspecified) => Err(Invalid::new("is missing")),
        Err(_) => Err(Invalid::new(format!("is not a known element type: {number}"))),
    }
}

fn find_nuclide(name: &str) -> Result<&'static Nuclide, Invalid> {
    if name.is_empty() { Err(Invalid::new("is missing")) } else { nuclide::find(name) }
}

fn activity_unit(
    checks: &mut Checks,
    field: &str,
    message: Option<pb::ActivityUnit>,
    nuclide: Option<&'static Nuclide>,
    nuclide_name: &str,
) -> Option<ActivityUnit> {
    use pb::{activity_bq::HalfLife, activity_unit::Unit};
    let half_life = match message.and_then(|message| message.unit) {
        Some(Unit::BqS(_)) => return Some(ActivityUnit::BqS),
        Some(Unit::MbqH(_)) => return Some(ActivityUnit::MbqH),
        Some(Unit::Bq(pb::ActivityBq { half_life })) => half_life,
        None => return missing(checks, field),
    };
    match half_life {
        Some(HalfLife::EffectiveHalfLifeS(effective_half_life_s)) => {
            let unit = ActivityUnit::Bq { effective_half_life_s };
            checks.at(format!("{field}.bq.effective_half_life_s"), unit.to_bq_s().map(|_| unit))
        }
        Some(HalfLife::Physical(_)) if nuclide_name.is_empty() => {
            checks.fail(format!("{field}.bq.physical"), "needs a nuclide, whose half-life it is");
            None
        }
        Some(HalfLife::Physical(_)) => Some(ActivityUnit::Bq { effective_half_life_s: nuclide?.half_life_s }),
        None => missing(checks, format!("{field}.bq.half_life")),
    }
}

fn method(checks: &mut Checks, message: Option<pb::Method>) -> Option<Method> {
    use pb::method::Method as Arm;
    let mut complete = true;
    let method = match message.and_then(|message| message.method) {
        Some(Arm::Local(options)) => {
            let default = LocalOptions::default();
            Method::Local(LocalOptions {
                minimum_density_g_cm3: options.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
            })
        }
        Some(Arm::Kernel(options)) => {
            let default = KernelOptions::default();
            let correction = density_correction(options.density_correction, default.density_correction);
            let correction = checks.at("method.kernel.density_correction", correction);
            let medium = checks.at("method.kernel.medium", kernel_medium(options.medium));
            Method::Kernel(KernelOptions {
                medium: medium.unwrap_or_default(),
                // If that is at fault, the other options are still checked.
                density_correction: correction.unwrap_or(DensityCorrection::Water),
                minimum_density_g_cm3: options.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
                truncation_radius_mm: options.truncation_radius_mm,
            })
        }
        Some(Arm::MonteCarlo(message)) => {
            let options;
            (options, complete) = monte_carlo::options(checks, message);
            Method::MonteCarlo(Box::new(options))
        }
        None => return missing(checks, "method"),
    };
    if !complete && let Err(faults) = method.check() {
        checks.extend("method", faults.into_violations());
    }
    Some(method).filter(|_| complete)
}

fn density_correction(number: i32, default: DensityCorrection) -> Result<DensityCorrection, Invalid> {
    match pb::DensityCorrection::try_from(number) {
        Ok(pb::DensityCorrection::Unspecified) => Ok(default),
        Ok(pb::DensityCorrection::Water) => Ok(DensityCorrection::Water),
        Ok(pb::DensityCorrection::DensityScaled) => Ok(DensityCorrection::DensityScaled),
        Err(_) => Err(Invalid::new(format!("is not a known density correction: {number}"))),
    }
}
