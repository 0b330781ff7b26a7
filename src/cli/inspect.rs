//! `dosegrid inspect`: what a volume file holds, and what lies in a folder of DICOM files.

mod study;

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::dicom_web::FetchArgs;
use super::stdout;
use crate::domain::{Checks, DoseError, Volume, grid::Affine};
use crate::formats::dicom::{self, Place};
use crate::formats::volume_file::{FrameFile, is_volume_name, read_frames};
use crate::report::numbers::significant;
use study::Study;

/// Significant digits of a value.
const DIGITS: usize = 7;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Volumes: NIfTI (.nii, .nii.gz, .hdr and .img), NRRD (.nrrd, .nhdr) or MetaImage (.mha, .mhd); files or folders
    /// of DICOM: their series, how they pair, and what is wrong with them. With --dicom-web UIDs of studies or series
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    fetch: FetchArgs,
}

/// `{"files": [...], "studies": [...]}`.
#[derive(Serialize)]
struct List {
    files: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    studies: Vec<Study>,
}

#[derive(Serialize)]
struct Entry {
    file: String,
    format: &'static str,
    shape: [usize; 3],
    /// Volumes in the file; the figures are of all of them.
    frames: usize,
    spacing_mm: [f64; 3],
    affine: Affine,
    affine_from: &'static str,
    /// Codes and unit of length of NIfTI.
    qform_code: i16,
    sform_code: i16,
    length_unit: &'static str,
    datatype: &'static str,
    byte_order: &'static str,
    slope: f64,
    intercept: f64,
    #[serde(flatten)]
    values: Values,
    warnings: Vec<String>,
}

/// Figures of the values that are finite; none where there is none.
#[derive(Serialize)]
struct Values {
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    sum: f64,
    nan: usize,
    infinite: usize,
    negative: usize,
    nonzero: usize,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let mut list = List { files: Vec::new(), studies: Vec::new() };
    for path in &args.files {
        let name = path.display().to_string();
        let input = args.fetch.input(path)?;
        let path = input.path();
        let place = Place::of(path);
        if place.is_dicom(is_volume_name) {
            let inventory = checks.at(name.as_str(), dicom::read_inventory(place, None));
            list.studies.extend(inventory.map(|inventory| Study { folder: name, inventory }));
        } else if let Some(file) = checks.at(name.as_str(), read_frames(path)) {
            list.files.push(Entry::new(name, file));
        }
    }
    // What could be read is shown even if another file is at fault.
    match (args.json, list.studies.as_slice()) {
        (true, [study]) if args.files.len() == 1 => stdout::print_json(study),
        (true, _) => stdout::print_json(&list),
        (false, studies) => {
            let studies: String = studies.iter().map(study::text).collect();
            stdout::print(&(text(&list.files) + &studies))
        }
    }?;
    checks.finish()
}

impl Entry {
    fn new(file: String, FrameFile { frames, header, warnings, .. }: FrameFile<f64>) -> Self {
        let (slope, intercept) = header.slope_and_intercept();
        Self {
            file,
            format: header.format,
            shape: header.grid.shape(),
            frames: frames.len(),
            spacing_mm: header.grid.spacing_mm(),
            affine: *header.grid.affine(),
            affine_from: header.placement.name(),
            qform_code: header.origin.qform_code,
            sform_code: header.origin.sform_code,
            length_unit: header.origin.unit.name(),
            datatype: header.element.name(),
            byte_order: header.byte_order.name(),
            slope,
            intercept,
            values: Values::new(&frames),
            warnings,
        }
    }
}

impl Values {
    fn new(frames: &[Volume<f64>]) -> Self {
        let all = || frames.iter().flat_map(Volume::as_slice).copied();
        let finite = || all().filter(|v| v.is_finite());
        let (count, sum) = (finite().count(), finite().sum::<f64>());
        Self {
            min: finite().reduce(f64::min),
            max: finite().reduce(f64::max),
            mean: (count > 0).then(|| sum / count as f64),
            sum,
            nan: all().filter(|v| v.is_nan()).count(),
            infinite: all().filter(|v| v.is_infinite()).count(),
            negative: all().filter(|v| *v < 0.0).count(),
            nonzero: all().filter(|v| *v != 0.0).count(),
        }
    }
}

fn text(files: &[Entry]) -> String {
    let mut text = String::new();
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| significant(value, DIGITS));
    for entry in files {
        let ([nx, ny, nz], [dx, dy, dz]) = (entry.shape, entry.spacing_mm);
        let Values { min, max, mean, sum, nan, infinite, negative, nonzero } = &entry.values;
        let (min, max, mean) = (figure(*min), figure(*max), figure(*mean));
        let rows = entry.affine.map(|row| row.map(|v| format!("{v:>12.4}")).join(" "));
        let frames = if entry.frames == 1 { String::new() } else { format!(", {} volumes", entry.frames) };
        let mut line = |words: std::fmt::Arguments| writeln!(text, "{words}").expect("a string takes all text");
        line(format_args!("{}\n  format     {}", entry.file, entry.format));
        line(format_args!("  shape      {nx} × {ny} × {nz}{frames}\n  spacing    {dx:.4} × {dy:.4} × {dz:.4} mm"));
        line(format_args!("  affine     {}   from the {}", rows.join("\n             "), entry.affine_from));
        line(format_args!(
            "  codes      qform {}, sform {}, unit of length {}",
            entry.qform_code, entry.sform_code, entry.length_unit
        ));
        line(format_args!(
            "  stored as  {}, {} endian, slope {}, intercept {}",
            entry.datatype, entry.byte_order, entry.slope, entry.intercept
        ));
        line(format_args!("  values     min {min}, max {max}, mean {mean}, sum {sum:.6e}"));
        line(format_args!("             {nan} NaN, {infinite} infinite, {negative} negative, {nonzero} not 0"));
        entry.warnings.iter().for_each(|warning| line(format_args!("  warning    {warning}")));
    }
    text
}
