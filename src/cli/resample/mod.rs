//! `dosegrid resample`: a map on another grid.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::organ_volumes::{OrganVolumes, sent};
use super::places::check_places;
use super::remote::{Remote, RemoteArgs, in_words};
use super::serve::memory::check_resampling;
use super::stdout;
use crate::domain::{Checks, DoseError, Invalid, NanRule, Organs, Part, RigidTransform, Volume, VoxelGrid};
use crate::formats::dicom::{Belonging, LabelGrid, Place as DicomPlace, Quantity, check_pair};
use crate::formats::volume_file::{
    Origin, OutputFormat, VolumeFile, is_volume_name, read_dose, read_frames, read_volume_beside_dicom, read_volume_of,
    write_volume,
};
use crate::formats::{labels, transform};
use crate::intake::{
    InputRole, RawRegrid, RawTarget, RegridKind, Regridded, RegriddedValues, Regridding, regrid_without_nan,
};
use crate::request::{RawGrid, RawVolume};
use crate::resample::{Resampler, with_spacing};
use report::{Place, Report};

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
    #[command(flatten)]
    remote: RemoteArgs,
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

impl From<Kind> for RegridKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Density => Self::Density,
            Kind::Ct => Self::Ct,
            Kind::Concentration => Self::Concentration,
            Kind::Activity => Self::Activity,
            Kind::Labels => Self::Labels,
            Kind::Dose => Self::Dose,
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
    let inputs = std::iter::once(&args.input).chain(&args.like).chain(&args.transform).map(PathBuf::as_path);
    check_places(inputs, [("output", Some(args.output.as_path()))], &mut checks);
    let kind = RegridKind::from(args.kind);
    let mut report = Report::new(kind.name());
    let remote = args.remote.check(&mut checks);
    let input = read_input(args, &mut report, &mut checks);
    let like = args.like.as_ref().map(|path| read_like(path, &mut report, &mut checks));
    let (mut own, mut of_like) = (Belonging::default(), Belonging::default());
    let input = input.map(|(input, origin, belonging)| {
        own = belonging;
        (input, origin)
    });
    let like = like.map(|like| {
        like.map(|(grid, origin, belonging)| {
            of_like = belonging;
            (grid, origin)
        })
    });
    let target = input.as_ref().and_then(|(input, origin)| match like {
        Some(like) => like.inspect(|(_, of_like)| warn_of_place(origin, of_like, &mut report)),
        None => with_edge(args, input.grid(), origin, &mut checks),
    });
    check_belonging(args, &own, &of_like, &mut checks);
    let transform = read_transform(args, input.as_ref().map(|(input, _)| input), target.as_ref(), &mut checks);
    checks.finish()?;
    let both = input.zip(target).zip(transform);
    let (((input, _), (grid, origin)), transform) = both.expect("without a fault all is there");
    report.input = Some(Place::of(input.grid()));
    report.output = Some(Place::of(&grid));
    let made = match &remote {
        None => here(kind, &input, &grid, &transform),
        Some(remote) => there(remote, kind, &input, &grid, &transform),
    };
    let Regridded { values, account } = made.map_err(|error| in_words(error, |_| "input".to_owned()))?;
    report.add(account);
    write(args, &values, kind, &origin)?;
    if args.json { stdout::print_json(&report) } else { stdout::print(&report.text()) }
}

/// Resamples in this process.
fn here(
    kind: RegridKind,
    input: &Input,
    grid: &Arc<VoxelGrid>,
    transform: &RigidTransform,
) -> Result<Regridded, DoseError> {
    check_resampling(Resampler::new(input.grid(), grid, transform).host_bytes(1))?;
    let regridding = Regridding::new(kind, input.grid(), grid, transform);
    let made = match input {
        Input::Volume(volume) => regridding.numbers(volume),
        Input::Organs(organs) => regridding.organs(organs),
    };
    made.map_err(|Invalid(reason)| DoseError::invalid("input", reason))
}

/// Resamples on a server.
fn there(
    remote: &Remote,
    kind: RegridKind,
    input: &Input,
    grid: &Arc<VoxelGrid>,
    transform: &RigidTransform,
) -> Result<Regridded, DoseError> {
    let organs = match input {
        Input::Volume(_) => None,
        Input::Organs(organs) => Some((OrganVolumes::of(organs), organs)),
    };
    let raw = RawRegrid {
        kind: Some(kind.name().to_owned()),
        source: match &organs {
            None => Part::Good(RawVolume::from(&**input.grid())),
            Some((volumes, _)) => volumes.labels(),
        },
        organ_volumes: organs.as_ref().map(|(volumes, _)| volumes.own()).unwrap_or_default(),
        target: Part::Good(RawTarget::Grid(RawGrid::from(&**grid))),
        target_to_source_mm: transform.matrix().as_flattened().to_vec(),
        nan: None,
    };
    let regrid = raw.check()?;
    let number = match input {
        Input::Volume(volume) => Some(sent(InputRole::Source, volume)),
        Input::Organs(_) => None,
    };
    let volumes = organs.iter().flat_map(|(volumes, _)| volumes.sent(InputRole::Source));
    let volumes = number.into_iter().chain(volumes);
    let mut made = remote.call(async |client| client.resample(&regrid, volumes).await)?;
    // A server knows no names.
    for size in made.account.labels.iter_mut().flatten() {
        let organ = organs.iter().flat_map(|(_, organs)| organs.organs()).find(|organ| organ.label == size.label);
        size.name = organ.and_then(|organ| organ.name.clone());
    }
    Ok(made)
}

/// Records an input and a grid of two patients or, without a transform, of two frames of reference.
fn check_belonging(args: &Args, input: &Belonging, like: &Belonging, checks: &mut Checks) {
    let pair = check_pair("it", &like.of_patient(), "the input", input);
    let pair = pair.and_then(|()| match args.transform {
        Some(_) => Ok(()),
        None => check_pair("it", like, "the input", input)
            .map_err(|Invalid(reason)| Invalid(reason + "; --transform gives it")),
    });
    checks.at("like", pair);
}

/// A map of the quantity that is named.
fn read_map(args: &Args) -> Result<VolumeFile, Invalid> {
    let path = args.input.as_path();
    match args.kind {
        Kind::Ct => read_volume_of(path, Quantity::Hu),
        Kind::Concentration => read_volume_of(path, Quantity::BqPerMl),
        Kind::Dose => read_dose(path, None),
        Kind::Activity if DicomPlace::of(path).is_dicom(is_volume_name) => {
            Err(Invalid::new("is DICOM, which holds Bq/mL and no activity per voxel: --kind concentration"))
        }
        Kind::Density | Kind::Labels | Kind::Activity => read_volume_beside_dicom(path),
    }
}

fn read_input(args: &Args, report: &mut Report, checks: &mut Checks) -> Option<(Input, Origin, Belonging)> {
    if args.kind == Kind::Labels {
        let files = checks.at("input", labels::read(std::slice::from_ref(&args.input)))?;
        report.warnings.extend(files.warnings);
        let belonging = files.dicom.as_ref().map(LabelGrid::belonging).unwrap_or_default();
        return Some((Input::Organs(files.organs), files.origin, belonging));
    }
    let nan = checks.at("nan", NanRule::parse(&args.nan));
    let file = checks.at("input", read_map(args))?;
    report.warnings.extend(file.warnings);
    let belonging = file.header.dicom.as_ref().map(|account| account.belonging()).unwrap_or_default();
    let (volume, zeroed) = checks.at("input", regrid_without_nan(args.kind.into(), file.volume, nan?))?;
    report.nan_voxels(zeroed);
    Some((Input::Volume(volume), file.header.origin, belonging))
}

/// The grid of a file, how the file says where it lies, and whose it is.
fn read_like(path: &Path, report: &mut Report, checks: &mut Checks) -> Option<(Arc<VoxelGrid>, Origin, Belonging)> {
    let like = checks.at("like", read_frames::<f32>(path))?;
    report.warnings.extend(like.warnings.into_iter().map(|warning| format!("like: {warning}")));
    let belonging = like.header.dicom.as_ref().map(|account| account.belonging()).unwrap_or_default();
    Some((like.header.grid, like.header.origin, belonging))
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

/// Writes numbers as they are, and labels in the smallest type that holds them.
fn write(args: &Args, values: &RegriddedValues, kind: RegridKind, origin: &Origin) -> Result<(), DoseError> {
    let text = format!("dosegrid resample: {}", kind.name());
    let written = match values {
        RegriddedValues::Numbers(volume) => write_volume(&args.output, volume, &text, origin),
        RegriddedValues::Labels(map) => {
            let most = map.labels().as_slice().iter().max().map(|&most| u8::try_from(most));
            if let Some(Err(_)) = most {
                write_volume(&args.output, map.labels(), &text, origin)
            } else {
                let bytes = map.labels().map(|&label| u8::try_from(label).expect("at most 255"));
                write_volume(&args.output, &bytes, &text, origin)
            }
        }
    };
    written.map_err(|error| DoseError::Io(format!("output `{}`: {error}", args.output.display())))
}
