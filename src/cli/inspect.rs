//! `dosegrid inspect`: shows what a volume file contains.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::figures::significant;
use super::stdout;
use crate::domain::{Checks, DoseError, grid::Affine};
use crate::formats::nifti::{self, NiftiFile};

/// Significant digits of a value.
const DIGITS: usize = 7;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// NIfTI-1 volumes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `{"files": [...]}`.
#[derive(Serialize)]
struct List {
    files: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    file: String,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
    affine_from: &'static str,
    datatype: &'static str,
    byte_order: &'static str,
    slope: f64,
    intercept: f64,
    #[serde(flatten)]
    values: Values,
}

/// Statistics of the finite values; none if there are none.
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
    let mut files = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        if let Some(file) = checks.at(name.as_str(), nifti::read(path)) {
            files.push(Entry::new(name, &file));
        }
    }
    // Good files are shown even if another file is bad.
    let list = List { files };
    if args.json { stdout::print_json(&list) } else { stdout::print(&text(&list.files)) }?;
    checks.finish()
}

impl Entry {
    fn new(file: String, NiftiFile { volume, header }: &NiftiFile) -> Self {
        let (slope, intercept) = header.scaling.map_or((1.0, 0.0), |scaling| (scaling.slope, scaling.intercept));
        Self {
            file,
            shape: header.grid.shape(),
            spacing_mm: header.grid.spacing_mm(),
            affine: *header.grid.affine(),
            affine_from: header.placement.name(),
            datatype: header.element.name(),
            byte_order: header.byte_order.name(),
            slope,
            intercept,
            values: Values::new(volume.as_slice()),
        }
    }
}

impl Values {
    fn new(values: &[f32]) -> Self {
        let finite = || values.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v));
        let (count, sum) = (finite().count(), finite().sum::<f64>());
        Self {
            min: finite().reduce(f64::min),
            max: finite().reduce(f64::max),
            mean: (count > 0).then(|| sum / count as f64),
            sum,
            nan: values.iter().filter(|v| v.is_nan()).count(),
            infinite: values.iter().filter(|v| v.is_infinite()).count(),
            negative: values.iter().filter(|v| **v < 0.0).count(),
            nonzero: values.iter().filter(|v| **v != 0.0).count(),
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
        writeln!(
            text,
            "{}\n  \
             shape      {nx} × {ny} × {nz}\n  \
             spacing    {dx:.4} × {dy:.4} × {dz:.4} mm\n  \
             affine     {}   from the {}\n  \
             stored as  {}, {} endian, slope {}, intercept {}\n  \
             values     min {min}, max {max}, mean {mean}, sum {sum:.6e}\n             \
             {nan} NaN, {infinite} infinite, {negative} negative, {nonzero} not 0",
            entry.file,
            rows.join("\n             "),
            entry.affine_from,
            entry.datatype,
            entry.byte_order,
            entry.slope,
            entry.intercept,
        )
        .expect("a string takes all text");
    }
    text
}
