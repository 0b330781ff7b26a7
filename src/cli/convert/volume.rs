//! Activity, CT and dose from DICOM.

use std::fmt::Write;

use serde::Serialize;

use super::rtdose::with_kind;
use super::{Args, Target};
use crate::domain::{Checks, DoseError, grid::Affine};
use crate::formats::dicom::write::DoseKind;
use crate::formats::dicom::{self, ActivityAccount, DicomImage, Quantity, Wanted};
use crate::formats::volume_file::{Origin, OutputFormat, write_volume};
use crate::report::numbers::significant;

/// Significant digits of a figure.
const DIGITS: usize = 6;

/// What was read.
#[derive(Serialize)]
struct Account<'a> {
    output: String,
    quantity: Quantity,
    modality: &'a str,
    series_uid: &'a str,
    study_uid: Option<&'a str>,
    frame_of_reference: Option<&'a str>,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine_ras: [[f64; 4]; 4],
    sum: f64,
    min: f64,
    max: f64,
    #[serde(flatten)]
    activity: Option<&'a ActivityAccount>,
    warnings: &'a [String],
}

pub(super) fn run(args: &Args, mut checks: Checks) -> Result<(), DoseError> {
    let flags = &args.from_dicom;
    checks.at("output", OutputFormat::of_name(&args.output));
    let calibration = flags.calibration.check(&mut checks);
    let place = flags.place(args, &mut checks);
    checks.finish()?;
    let (wanted, text) = match args.target {
        Target::Activity => (Wanted::Activity { calibration }, "activity concentration [Bq/mL]"),
        Target::Dose => {
            let kind = args.rtdose.kind();
            let text = match kind {
                DoseKind::Physical => "absorbed dose [Gy]",
                DoseKind::Effective => "dose weighted by its effect [Gy]",
                DoseKind::Uncertainty => "uncertainty of the dose, 1 sigma [Gy]",
            };
            (Wanted::Dose { kind: Some(kind) }, text)
        }
        Target::Ct | Target::Labels | Target::Rtdose | Target::Seg => (Wanted::Ct, "CT number [HU]"),
    };
    let mut checks = Checks::new();
    let is_dose = args.target == Target::Dose;
    let read = dicom::read_image(place, wanted).map_err(|fault| if is_dose { with_kind(fault) } else { fault });
    let image = checks.at("input", read);
    checks.finish()?;
    let DicomImage { volume, account, warnings } = image.expect("an image without a fault is there");
    write_volume(&args.output, &volume, &format!("dosegrid convert: {text}"), &Origin::default())
        .map_err(|error| DoseError::Io(format!("output `{}`: {error}", args.output.display())))?;
    let values = || volume.as_slice().iter().map(|value| f64::from(*value));
    let grid = volume.grid();
    let told = Account {
        output: args.output.display().to_string(),
        quantity: account.quantity,
        modality: &account.modality,
        series_uid: &account.series_uid,
        study_uid: account.study_uid.as_deref(),
        frame_of_reference: account.frame_of_reference.as_deref(),
        shape: grid.shape(),
        spacing_mm: grid.spacing_mm(),
        affine_ras: whole(grid.affine()),
        sum: values().sum(),
        min: values().fold(f64::INFINITY, f64::min),
        max: values().fold(f64::NEG_INFINITY, f64::max),
        activity: account.activity.as_ref(),
        warnings: &warnings,
    };
    flags.tell(&told, &words(&told), &warnings)
}

/// An affine with its last row.
pub(super) fn whole(affine: &Affine) -> [[f64; 4]; 4] {
    let [x, y, z] = *affine;
    [x, y, z, [0.0, 0.0, 0.0, 1.0]]
}

fn words(account: &Account<'_>) -> String {
    let ([nx, ny, nz], [dx, dy, dz]) = (account.shape, account.spacing_mm);
    let mut text = format!(
        "{}: {} of {} × {} × {} voxels, {dx:.4} × {dy:.4} × {dz:.4} mm\n",
        account.output,
        account.quantity.words(),
        nx,
        ny,
        nz
    );
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            writeln!(text, "  {name:<16} {value}").expect("a string takes all text");
        }
    };
    line("series", Some(account.series_uid.to_owned()));
    let Some(activity) = account.activity else { return text };
    line("scale", Some(activity.scale.clone()));
    line("total activity", Some(format!("{} MBq", significant(activity.total_mbq, DIGITS))));
    let event = activity.reference_event.as_deref().unwrap_or_default();
    line("reference time", activity.reference_time.as_ref().map(|time| format!("{time} ({event})")));
    line("nuclide", activity.nuclide.clone());
    line("half-life", activity.half_life_s.map(|seconds| format!("{} h", significant(seconds / 3600.0, DIGITS))));
    let injection = activity.injection.as_ref();
    line("injected", injection.and_then(|injection| injection.mbq).map(|mbq| format!("{mbq} MBq")));
    line("injection time", injection.and_then(|injection| injection.time.clone()));
    line("after injection", activity.hours_after_injection.map(|hours| format!("{} h", significant(hours, DIGITS))));
    text
}
