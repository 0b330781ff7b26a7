//! Organs and tumours from DICOM, a mask each.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Args;
use super::volume::whole;
use crate::cli::places::check_places;
use crate::domain::{Checks, DoseError, Invalid, Organ, Organs};
use crate::formats::dicom::{self, DicomLabels, LabelGrid};
use crate::formats::labels::write_mask;
use crate::formats::volume_file::read_frames;

/// Shares of voxels from which a voxel counts as one of the organ.
const HALF: f64 = 0.5;

/// What was read.
#[derive(Serialize)]
struct Account<'a> {
    output: String,
    grid_of: &'a str,
    frame_of_reference: Option<&'a str>,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine_ras: [[f64; 4]; 4],
    names: Vec<&'a str>,
    masks: Vec<Mask<'a>>,
    /// Voxels that belong to more than one.
    overlap_voxels: usize,
    left_out: std::collections::BTreeMap<&'a str, &'a str>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Mask<'a> {
    label: u16,
    name: &'a str,
    file: String,
    /// Voxels with a share, however small.
    voxels: usize,
    voxels_at_least_half: usize,
    /// Voxels by their shares [mL].
    volume_ml: f64,
    /// The lowest and the highest index along each axis.
    bounding_box_ijk: [[usize; 3]; 2],
    /// The mean of the centres of its voxels.
    centroid_ras_mm: [f64; 3],
}

pub(super) fn run(args: &Args, mut checks: Checks) -> Result<(), DoseError> {
    let flags = &args.from_dicom;
    if args.output.exists() && !args.output.is_dir() {
        checks.fail("output", "is a file; labels go into a folder, a mask each");
    }
    let (threshold, place) = (flags.threshold(&mut checks), flags.place(args, &mut checks));
    let grid = flags.grid.as_deref().map(|path| checks.at("grid", grid_of(path)));
    checks.finish()?;
    let mut checks = Checks::new();
    let labels = checks.at("input", dicom::read_labels(place, grid.flatten(), threshold));
    checks.finish()?;
    let labels = labels.expect("labels without a fault are there");
    let files = file_names(&labels.organs);
    check_masks(args, &files)?;
    write(&labels.organs, &args.output, &files)?;
    let told = account(args, &labels, &files);
    flags.tell(&told, &words(&told), &labels.warnings)
}

/// The grid of a file, and what lies on it.
fn grid_of(path: &Path) -> Result<LabelGrid, Invalid> {
    let file = read_frames::<f32>(path)?;
    Ok(LabelGrid::of(&file.header.grid, file.header.dicom.as_deref()))
}

/// The names of the masks, in the order of the organs.
fn file_names(organs: &Organs) -> Vec<String> {
    let mut taken = BTreeSet::new();
    organs.organs().iter().map(|organ| file_name(organ, &mut taken)).collect()
}

fn failed(folder: &Path, error: &std::io::Error) -> DoseError {
    DoseError::Io(format!("output `{}`: {error}", folder.display()))
}

/// Makes the folder of the masks. One that would replace an input, or what `--json` names, is a fault.
fn check_masks(args: &Args, files: &[String]) -> Result<(), DoseError> {
    let folder = &args.output;
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let masks: Vec<PathBuf> = files.iter().map(|name| folder.join(name)).collect();
    let mut checks = Checks::new();
    let masks = masks.iter().map(|path| ("output", Some(path.as_path())));
    check_places(args.inputs(), masks.chain([("json", args.from_dicom.json_file())]), &mut checks);
    checks.finish()
}

/// Writes a mask for each organ, of bytes or of shares.
fn write(organs: &Organs, folder: &Path, files: &[String]) -> Result<(), DoseError> {
    let mask = |(organ, name): (&Organ, &String)| {
        write_mask(&folder.join(name), organs.grid(), organ, "dosegrid convert: mask")
    };
    organs.organs().iter().zip(files).try_for_each(mask).map_err(|error| failed(folder, &error))
}

/// The name of an organ as that of a file that is not there yet.
fn file_name(organ: &Organ, taken: &mut BTreeSet<String>) -> String {
    let name = organ.name.as_deref().unwrap_or_default();
    let plain: String =
        name.chars().take(80).map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    let plain = if plain.trim_matches('_').is_empty() { format!("label_{}", organ.label) } else { plain };
    let numbered = (u32::from(organ.label)..).map(|number| format!("{plain}_{number}"));
    // Names that differ in case alone are one file on some disks.
    let free = std::iter::once(plain.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
    format!("{}.nii.gz", free.expect("there are more numbers than organs"))
}

fn account<'a>(args: &Args, labels: &'a DicomLabels, files: &[String]) -> Account<'a> {
    let grid = labels.organs.grid();
    let masks: Vec<Mask<'a>> =
        labels.organs.organs().iter().zip(files).map(|(organ, file)| mask(organ, file, &labels.organs)).collect();
    let mut counts = vec![0u16; grid.voxels()];
    let voxels = labels.organs.organs().iter().flat_map(|organ| organ.voxels());
    voxels.for_each(|voxel| counts[*voxel as usize] += 1);
    Account {
        output: args.output.display().to_string(),
        grid_of: &labels.grid_of,
        frame_of_reference: labels.frame_of_reference.as_deref(),
        shape: grid.shape(),
        spacing_mm: grid.spacing_mm(),
        affine_ras: whole(grid.affine()),
        names: masks.iter().map(|mask| mask.name).collect(),
        masks,
        overlap_voxels: counts.iter().filter(|count| **count > 1).count(),
        left_out: labels.left_out.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect(),
        warnings: &labels.warnings,
    }
}

fn mask<'a>(organ: &'a Organ, file: &str, organs: &Organs) -> Mask<'a> {
    let grid = organs.grid();
    let [nx, ny, _] = grid.shape();
    let place = |voxel: usize| [voxel % nx, voxel / nx % ny, voxel / (nx * ny)];
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    let (mut size, mut sum) = (0.0, [0.0; 3]);
    for (voxel, share) in organ.shares() {
        let index = place(voxel);
        size += share;
        for axis in 0..3 {
            low[axis] = low[axis].min(index[axis]);
            high[axis] = high[axis].max(index[axis]);
            sum[axis] += index[axis] as f64;
        }
    }
    let mean = sum.map(|sum: f64| sum / organ.voxels().len() as f64);
    let affine = grid.affine();
    let centroid = [0, 1, 2].map(|row| {
        let [a, b, c, t]: [f64; 4] = affine[row];
        a * mean[0] + b * mean[1] + c * mean[2] + t
    });
    Mask {
        label: organ.label,
        name: organ.name.as_deref().unwrap_or_default(),
        file: file.to_owned(),
        voxels: organ.voxels().len(),
        voxels_at_least_half: organ.shares().filter(|(_, share)| *share >= HALF).count(),
        volume_ml: size * grid.voxel_volume_cm3(),
        bounding_box_ijk: [low, high],
        centroid_ras_mm: centroid,
    }
}

fn words(account: &Account<'_>) -> String {
    let [nx, ny, nz] = account.shape;
    let mut text = format!(
        "{}: {} masks of {nx} × {ny} × {nz} voxels on {}\n",
        account.output,
        account.masks.len(),
        account.grid_of
    );
    for mask in &account.masks {
        let Mask { name, voxels, volume_ml, .. } = mask;
        writeln!(text, "  {name:<24} {voxels} voxels, {volume_ml:.3} mL").expect("a string takes all text");
    }
    text
}
