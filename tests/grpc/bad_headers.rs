//! Headers that must be refused at once, whatever would have followed.

use dosegrid::api::pb::{self, activity_unit::Unit, method::Method};
use tonic::Code;

use super::{Case, Message, check_cases, good_header};

pub(super) type Edit = fn(&mut pb::ComputeHeader);

pub(super) fn cases(edits: &[(&'static str, Edit, &[&'static str])]) -> Vec<Case> {
    let case = |&(name, edit, fields): &(&'static str, Edit, &[&'static str])| {
        let mut header = good_header();
        edit(&mut header);
        Case {
            name,
            requests: vec![pb::ComputeRequest { message: Some(Message::Header(header)) }],
            held_open: true,
            code: Code::InvalidArgument,
            reason: "INVALID_REQUEST",
            fields: fields.to_vec(),
        }
    };
    edits.iter().map(case).collect()
}

fn activity(header: &mut pb::ComputeHeader) -> &mut pb::VolumeDescriptor {
    header.activity.as_mut().expect("a good header has it")
}

fn density(header: &mut pb::ComputeHeader) -> &mut pb::VolumeDescriptor {
    header.density.as_mut().expect("a good header has it")
}

fn grid(header: &mut pb::ComputeHeader) -> &mut pb::VoxelGrid {
    activity(header).grid.as_mut().expect("a good header has it")
}

fn density_grid(header: &mut pb::ComputeHeader) -> &mut pb::VoxelGrid {
    density(header).grid.as_mut().expect("a good header has it")
}

fn half_life(header: &mut pb::ComputeHeader, seconds: f64) {
    let half_life = Some(pb::activity_bq::HalfLife::EffectiveHalfLifeS(seconds));
    header.activity_unit =
        Some(pb::ActivityUnit { unit: Some(Unit::Bq(pb::ActivityBq { half_life, ..Default::default() })) });
}

fn local(header: &mut pb::ComputeHeader, minimum_density_g_cm3: f64) {
    let options = pb::LocalMethod { minimum_density_g_cm3: Some(minimum_density_g_cm3) };
    header.method = Some(pb::Method { method: Some(Method::Local(options)) });
}

fn kernel(header: &mut pb::ComputeHeader, options: pb::KernelMethod) {
    header.method = Some(pb::Method { method: Some(Method::Kernel(options)) });
}

fn truncated(header: &mut pb::ComputeHeader, mm: f64) {
    kernel(header, pb::KernelMethod { truncation_radius_mm: Some(mm), ..Default::default() });
}

const SHAPE: &[&str] = &["activity.grid.shape"];
const SPACING: &[&str] = &["activity.grid.spacing_mm"];
const AFFINE: &[&str] = &["activity.grid.affine_mm"];

#[tokio::test(flavor = "multi_thread")]
async fn grids() {
    check_cases(cases(&[
        ("no activity", |h| h.activity = None, &["activity"]),
        ("no grid", |h| activity(h).grid = None, &["activity.grid"]),
        ("an empty axis", |h| grid(h).shape = vec![4, 0, 2], SHAPE),
        ("no shape", |h| grid(h).shape = vec![], SHAPE),
        ("a flat shape", |h| grid(h).shape = vec![4, 3], SHAPE),
        ("a shape in four dimensions", |h| grid(h).shape = vec![4, 3, 2, 1], SHAPE),
        ("an axis too long", |h| grid(h).shape = vec![65_536, 1, 1], SHAPE),
        ("a shape whose product overflows", |h| grid(h).shape = vec![u32::MAX; 3], SHAPE),
        ("a spacing of 0", |h| grid(h).spacing_mm[1] = 0.0, SPACING),
        ("a negative spacing", |h| grid(h).spacing_mm[0] = -2.0, SPACING),
        ("a spacing that is not a number", |h| grid(h).spacing_mm[2] = f64::NAN, SPACING),
        ("an infinite spacing", |h| grid(h).spacing_mm[2] = f64::INFINITY, SPACING),
        ("an infinite negative spacing", |h| grid(h).spacing_mm[2] = f64::NEG_INFINITY, SPACING),
        ("a huge spacing", |h| grid(h).spacing_mm = vec![1e4; 3], SPACING),
        ("a tiny spacing", |h| grid(h).spacing_mm = vec![1e-3; 3], SPACING),
        ("no spacing", |h| grid(h).spacing_mm = vec![], SPACING),
        ("two spacings", |h| grid(h).spacing_mm = vec![2.0, 3.0], SPACING),
        ("an affine cut short", |h| grid(h).affine_mm.truncate(11), AFFINE),
        ("an affine with a row too many", |h| grid(h).affine_mm.extend([0.0; 8]), AFFINE),
        ("an affine with another last row", |h| grid(h).affine_mm.extend([0.0, 0.0, 0.0, 2.0]), AFFINE),
        ("an affine that is not a number", |h| grid(h).affine_mm[3] = f64::NAN, AFFINE),
        ("an infinite affine", |h| grid(h).affine_mm[7] = f64::INFINITY, AFFINE),
        ("an affine that cannot be inverted", |h| grid(h).affine_mm[10] = 0.0, AFFINE),
        ("an affine of another spacing", |h| grid(h).affine_mm[0] = 2.5, AFFINE),
        (
            "a sheared affine",
            |h| grid(h).affine_mm[..8].copy_from_slice(&[2.0, 1.5, 0.0, 0.0, 0.0, 6.75f64.sqrt(), 0.0, 0.0]),
            AFFINE,
        ),
        ("a density without a grid", |h| density(h).grid = None, &["density.grid"]),
        ("a density of another shape", |h| density_grid(h).shape = vec![4, 3, 3], &["density.grid"]),
        ("a density transposed", |h| density_grid(h).shape = vec![2, 3, 4], &["density.grid"]),
        (
            "a density of another spacing",
            |h| {
                density_grid(h).spacing_mm = vec![2.0, 3.0, 4.1];
                density_grid(h).affine_mm[10] = 4.1;
            },
            &["density.grid"],
        ),
        ("a density elsewhere", |h| density_grid(h).affine_mm[3] = 0.0, &["density.grid"]),
        ("a density flipped", |h| density_grid(h).affine_mm[0] = -2.0, &["density.grid"]),
        ("a density with a bad spacing", |h| density_grid(h).spacing_mm[0] = 0.0, &["density.grid.spacing_mm"]),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encodings_and_units() {
    const HALF_LIFE: &[&str] = &["activity_unit.bq.effective_half_life_s"];
    check_cases(cases(&[
        ("no element type", |h| activity(h).element_type = 0, &["activity.element_type"]),
        ("an unknown element type", |h| activity(h).element_type = 99, &["activity.element_type"]),
        ("a negative element type", |h| density(h).element_type = -1, &["density.element_type"]),
        ("a slope of 0", |h| activity(h).slope = Some(0.0), &["activity.slope"]),
        ("a slope that is not a number", |h| density(h).slope = Some(f64::NAN), &["density.slope"]),
        ("an infinite intercept", |h| activity(h).intercept = Some(f64::INFINITY), &["activity.intercept"]),
        ("bytes that disagree with the shape", |h| activity(h).size_bytes = Some(192), &["activity.size_bytes"]),
        ("a density of no bytes", |h| density(h).size_bytes = Some(0), &["density.size_bytes"]),
        ("no unit", |h| h.activity_unit = None, &["activity_unit"]),
        ("an empty unit", |h| h.activity_unit = Some(pb::ActivityUnit { unit: None }), &["activity_unit"]),
        (
            "a unit without its half-life",
            |h| {
                let bq = Unit::Bq(pb::ActivityBq::default());
                h.activity_unit = Some(pb::ActivityUnit { unit: Some(bq) });
            },
            &["activity_unit.bq.half_life"],
        ),
        ("a half-life of 0", |h| half_life(h, 0.0), HALF_LIFE),
        ("a negative half-life", |h| half_life(h, -3600.0), HALF_LIFE),
        ("a half-life that is not a number", |h| half_life(h, f64::NAN), HALF_LIFE),
        ("an infinite half-life", |h| half_life(h, f64::INFINITY), HALF_LIFE),
        ("no nuclide", |h| h.nuclide.clear(), &["nuclide"]),
        ("an unknown nuclide", |h| h.nuclide = "Xx-999".into(), &["nuclide"]),
        ("a misspelt nuclide", |h| h.nuclide = "lu-1777".into(), &["nuclide"]),
        ("a nuclide of 3 MiB", |h| h.nuclide = "L".repeat(3 << 20), &["nuclide"]),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods() {
    const LOCAL_MINIMUM: &[&str] = &["method.local.minimum_density_g_cm3"];
    const RADIUS: &[&str] = &["method.kernel.truncation_radius_mm"];
    check_cases(cases(&[
        ("an empty method", |h| h.method = Some(pb::Method { method: None }), &["method"]),
        ("a negative minimum density", |h| local(h, -0.1), LOCAL_MINIMUM),
        ("a minimum density that is not a number", |h| local(h, f64::NAN), LOCAL_MINIMUM),
        ("an infinite minimum density", |h| local(h, f64::INFINITY), LOCAL_MINIMUM),
        (
            "a negative minimum density of the kernel",
            |h| kernel(h, pb::KernelMethod { minimum_density_g_cm3: Some(-1.0), ..Default::default() }),
            &["method.kernel.minimum_density_g_cm3"],
        ),
        (
            "an unknown density correction",
            |h| kernel(h, pb::KernelMethod { density_correction: 7, ..Default::default() }),
            &["method.kernel.density_correction"],
        ),
        ("a truncation at 0", |h| truncated(h, 0.0), RADIUS),
        ("a negative truncation", |h| truncated(h, -5.0), RADIUS),
        ("a truncation that is not a number", |h| truncated(h, f64::NAN), RADIUS),
        ("an infinite truncation", |h| truncated(h, f64::INFINITY), RADIUS),
        ("no density for local deposition", |h| h.density = None, &["density"]),
        (
            "no density for a kernel scaled by it",
            |h| {
                h.density = None;
                kernel(h, pb::KernelMethod::default());
            },
            &["density"],
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faults_are_all_named() {
    check_cases(cases(&[
        (
            "everything missing",
            |h| *h = pb::ComputeHeader::default(),
            &["activity", "nuclide", "activity_unit", "density"],
        ),
        (
            "many faults",
            |h| {
                grid(h).shape[0] = 0;
                grid(h).spacing_mm[1] = f64::NAN;
                grid(h).affine_mm[2] = f64::NAN;
                activity(h).element_type = 0;
                density_grid(h).affine_mm.pop();
                density(h).slope = Some(0.0);
                h.nuclide = "Pu-239".into();
                half_life(h, -1.0);
                local(h, -1.0);
            },
            &[
                "activity.grid.shape",
                "activity.grid.spacing_mm",
                "activity.grid.affine_mm",
                "activity.element_type",
                "density.grid.affine_mm",
                "density.slope",
                "nuclide",
                "activity_unit.bq.effective_half_life_s",
                "method.local.minimum_density_g_cm3",
            ],
        ),
        (
            "a bad shape does not hide a bad affine",
            |h| {
                grid(h).shape[0] = 0;
                grid(h).affine_mm[0] = 9.0;
            },
            &["activity.grid.shape", "activity.grid.affine_mm"],
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_fit_is_refused_before_any_chunk() {
    // The limits are 16 MiB a volume and 64 MiB in all; three volumes in single precision are held at once.
    let mut too_large = cases(&[
        (
            "a volume over the limit",
            |h| {
                grid(h).shape = vec![256, 256, 128];
                density_grid(h).shape = vec![256, 256, 128];
            },
            &[],
        ),
        (
            "a volume over the limit by its element type",
            |h| {
                for volume in [&mut h.activity, &mut h.density] {
                    let volume = volume.as_mut().expect("a good header has it");
                    volume.element_type = pb::ElementType::Float64.into();
                    volume.grid.as_mut().expect("a good header has it").shape = vec![256, 256, 33];
                }
            },
            &[],
        ),
        (
            "volumes within the limit that need too much memory",
            |h| {
                for volume in [&mut h.activity, &mut h.density] {
                    let volume = volume.as_mut().expect("a good header has it");
                    volume.element_type = pb::ElementType::Uint8.into();
                    volume.grid.as_mut().expect("a good header has it").shape = vec![256, 256, 128];
                }
            },
            &[],
        ),
        (
            "the largest shape there is",
            |h| {
                grid(h).shape = vec![65_535; 3];
                density_grid(h).shape = vec![65_535; 3];
            },
            &[],
        ),
    ]);
    for case in &mut too_large {
        (case.code, case.reason) = (Code::FailedPrecondition, "REQUEST_TOO_LARGE");
    }
    check_cases(too_large).await;
}
