//! `dosegrid resample`: a map on another grid.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stdout;
use crate::domain::{Checks, DoseError, NanRule, Organs, RigidTransform, Volume, VoxelGrid, repair_density};
use crate::formats::volume_file::{Origin, OutputFormat, read_frames, read_volume, write_volume};
use crate::formats::{labels, transform};
use crate::intake::AIR_HU;
use crate::resample::{AIR_G_CM3, Resampler, with_spacing};
use report::{LabelSize, Place, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The map; for labels also a folder or a stack of masks
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Take the grid of this file
    #[arg(long, value_name = "FILE", conflicts_with = "spacing", required_unless_present = "spacing")]
    like: Option<PathBuf>,
    /// Take cubic voxels of this edge in mm, along the axes of the input
    #[arg(long, value_name = "MM", allow_negative_numbers = true)]
    spacing: Option<f64>,
    /// What the values are: density (the mean, mass is kept), ct (the mean, in HU), concentration (the mean, such as
    /// Bq/mL), activity (per voxel, the total is kept), labels, or dose (interpolated)
    #[arg(long, value_enum)]
    kind: Kind,
    /// Where the map goes: .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Rigid transform from --like to the input: of ITK (fixed to moving), or of FSL (flirt -in INPUT -ref LIKE)
    #[arg(long, value_name = "FILE", requires = "like")]
    transform: Option<PathBuf>,
    /// Use the transform the other way round
    #[arg(long, requires = "transform")]
    invert_transform: bool,
    /// NaN in the input: refuse it, or take it as 0
    #[arg(long, value_name = "refuse|zero", default_value = "refuse")]
    nan: String,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Density,
    Ct,
    Concentration,
    Activity,
    Labels,
    Dose,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::Ct => "ct",
            Self::Concentration => "concentration",
            Self::Activity => "activity",
            Self::Labels => "labels",
            Self::Dose => "dose",
        }
    }
}

/// What is resampled.
enum Input {
    Volume(Volume<f32>),
    Organs(Organs),
}

impl Input {
    fn grid(&self) -> &Arc<VoxelGrid> {
        match self {
            Self::Volume(volume) => volume.grid(),
            Self::Organs(organs) => organs.grid(),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    checks.at("output", OutputFormat::of_name(&args.output));
    if args.output.canonicalize().is_ok_and(|output| args.input.canonicalize().is_ok_and(|input| input == output)) {
        checks.fail("output", "is also the name of the input");
    }
    let mut report = Report::new(args.kind.name());
    let input = read_input(args, &mut report, &mut checks);
    let like = args.like.as_ref().map(|path| read_like(path, &mut report, &mut checks));
    let target = input.as_ref().and_then(|(input, origin)| match like {
        Some(like) => like.inspect(|(_, of_like)| warn_of_place(origin, of_like, &mut report)),
        None => with_edge(args, input.grid(), origin, &mut checks),
    });
    let transform = read_transform(args, input.as_ref().map(|(input, _)| input), target.as_ref(), &mut checks);
    checks.finish()?;
    let both = input.zip(target).zip(transform);
    let (((input, _), (grid, origin)), transform) = both.expect("without a fault all is there");
    let resampler = Resampler::new(input.grid(), &grid, &transform);
    report.exact = resampler.is_exact();
    report.input = Some(Place::of(input.grid()));
    report.output = Some(Place::of(&grid));
    resample(args, &input, &resampler, &origin, &mut report)?;
    if args.json { stdout::print_json(&report) } else { stdout::print(&report.text()) }
}

fn read_input(args: &Args, report: &mut Report, checks: &mut Checks) -> Option<(Input, Origin)> {
    if args.kind == Kind::Labels {
        let files = checks.at("input", labels::read(std::slice::from_ref(&args.input)))?;
        report.warnings.extend(files.warnings);
        return Some((Input::Organs(files.organs), files.origin));
    }
    let nan = checks.at("nan", NanRule::parse(&args.nan));
    let file = checks.at("input", read_volume(&args.input))?;
    report.warnings.extend(file.warnings);
    let (volume, zeroed) =
        checks.at("input", repair_density(file.volume, nan?, if args.kind == Kind::Ct { AIR_HU } else { 0.0 }))?;
    report.nan_voxels = zeroed;
    Some((Input::Volume(volume), file.header.origin))
}

/// The grid of a file, and how the file says where it lies.
fn read_like(path: &Path, report: &mut Report, checks: &mut Checks) -> Option<(Arc<VoxelGrid>, Origin)> {
    let like = checks.at("like", read_frames::<f32>(path))?;
    report.warnings.extend(like.warnings.into_iter().map(|warning| format!("like: {warning}")));
    Some((like.header.grid, like.header.origin))
}

/// A grid of cubes over the input.
fn with_edge(args: &Args, input: &VoxelGrid, origin: &Origin, checks: &mut Checks) -> Option<(Arc<VoxelGrid>, Origin)> {
    let edge_mm = args.spacing.expect("the parser asks for --like or --spacing");
    let grid = checks.at("spacing", with_spacing(input, [edge_mm; 3]))?;
    Some((Arc::new(grid), origin.on_another_grid()))
}

fn warn_of_place(input: &Origin, like: &Origin, report: &mut Report) {
    if input.is_placed() != like.is_placed() {
        report.warnings.push(
            "one of the two files does not say where it lies (form codes 0); its first voxel is taken to be at the \
             origin of the other's coordinates"
                .into(),
        );
    }
}

fn read_transform(
    args: &Args,
    input: Option<&Input>,
    target: Option<&(Arc<VoxelGrid>, Origin)>,
    checks: &mut Checks,
) -> Option<RigidTransform> {
    let Some(path) = &args.transform else {
        return Some(RigidTransform::IDENTITY);
    };
    let file = checks.at("transform", transform::read(path))?;
    let transform = checks.at("transform", file.between(input?.grid(), &target?.0))?;
    Some(if args.invert_transform { transform.inverse() } else { transform })
}

/// Resamples and writes.
fn resample(
    args: &Args,
    input: &Input,
    resampler: &Resampler,
    origin: &Origin,
    report: &mut Report,
) -> Result<(), DoseError> {
    let by_input = |invalid| {
        let mut checks = Checks::new();
        checks.at("input", Err::<(), _>(invalid));
        checks.finish().expect_err("a fault was recorded")
    };
    match input {
        Input::Organs(organs) => {
            let moved = resampler.organs(organs).map_err(by_input)?;
            write_labels(args, organs, &moved, origin, report)
        }
        Input::Volume(volume) => {
            let volume = resampled(args.kind, volume, resampler, report).map_err(by_input)?;
            write(
                args,
                write_volume(&args.output, &volume, &format!("dosegrid resample: {}", args.kind.name()), origin),
            )
        }
    }
}

fn resampled(
    kind: Kind,
    volume: &Volume<f32>,
    resampler: &Resampler,
    report: &mut Report,
) -> Result<Volume<f32>, crate::domain::Invalid> {
    match kind {
        Kind::Density | Kind::Ct | Kind::Concentration => {
            let outside = match kind {
                Kind::Density => AIR_G_CM3,
                Kind::Ct => AIR_HU,
                Kind::Concentration | Kind::Activity | Kind::Labels | Kind::Dose => 0.0,
            };
            let averaged = resampler.average(volume, outside)?;
            report.outside_voxels = averaged.uncovered_voxels;
            // An integral of CT numbers means nothing.
            if kind != Kind::Ct {
                report.sums = Some([averaged.integral_before, averaged.integral_after]);
            }
            Ok(averaged.volume)
        }
        Kind::Dose => {
            let found = resampler.interpolate(volume)?;
            report.outside_voxels = found.outside_voxels;
            Ok(found.volume)
        }
        Kind::Activity | Kind::Labels => {
            let found = resampler.redistribute(volume)?;
            report.sums = Some([found.total_before, found.total_after]);
            report.share_outside = Some(found.share_outside());
            Ok(found.volume)
        }
    }
}

/// One label a voxel, in the smallest type that holds them.
fn write_labels(
    args: &Args,
    before: &Organs,
    after: &Organs,
    origin: &Origin,
    report: &mut Report,
) -> Result<(), DoseError> {
    let overlapping = before.overlapping_voxels();
    if overlapping > 0 {
        report.warnings.push(format!(
            "organs overlap in {overlapping} voxels of the input; the output has one label a voxel, that of the smaller \
             organ"
        ));
    }
    let map = after.label_map();
    let kept = map.labels().as_slice();
    let sizes = before.organs().iter().zip(after.organs());
    report.labels = Some(
        sizes
            .map(|(before_organ, organ)| LabelSize {
                label: organ.label,
                name: organ.name.clone(),
                volume_before_cm3: before_organ.size_voxels() * before.grid().voxel_volume_cm3(),
                volume_after_cm3: organ.size_voxels() * after.grid().voxel_volume_cm3(),
                voxels: kept.iter().filter(|label| **label == organ.label).count(),
            })
            .collect(),
    );
    let text = "dosegrid resample: labels";
    let result = match kept.iter().max().map(|&most| u8::try_from(most)) {
        Some(Err(_)) => write_volume(&args.output, map.labels(), text, origin),
        _ => {
            let bytes = map.labels().map(|&label| u8::try_from(label).expect("at most 255"));
            write_volume(&args.output, &bytes, text, origin)
        }
    };
    write(args, result)
}

fn write(args: &Args, result: std::io::Result<()>) -> Result<(), DoseError> {
    result.map_err(|error| DoseError::Io(format!("output `{}`: {error}", args.output.display())))
}
