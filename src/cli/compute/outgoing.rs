//! What is sent to a server: the volumes as they are in their files, and what the flags say of them. The server prepares
//! them with the code that does it in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Args;
use super::files::{self, Described, Files, described, raw_header};
use crate::api::client::Sent;
use crate::cli::flags::recorded;
use crate::domain::{
    ActivityUnit, Checks, ElementType, LabelMap, Organ, Organs, Part, Volume, VolumeRole, VoxelGrid, Warning,
};
use crate::formats::volume_file::Origin;
use crate::intake::{GridChoice, InputRole, Intake, RawDoseGrid, RawIntake, RawOrganVolume};
use crate::request::RawVolume;
use crate::resample::DoseGrid;

/// A checked header, and the volumes that it announces.
pub(super) struct Outgoing {
    pub(super) intake: Intake,
    volumes: Vec<(InputRole, Values)>,
    /// What looks wrong in the files but may be intended.
    pub(super) warnings: Vec<Warning>,
    /// How the file whose grid the dose has says where it lies.
    pub(super) origin: Origin,
    /// The same of the CT or density.
    pub(super) ct_origin: Origin,
}

/// Volumes, each with what it is.
type Volumes = Vec<(InputRole, Values)>;

/// The values of a volume.
enum Values {
    Numbers(Volume<f32>),
    Labels(LabelMap),
    /// On a grid.
    Organ(Organ, Arc<VoxelGrid>),
}

impl Outgoing {
    /// Reads all files and records every fault that can be found here; none if there was one. What is wrong with
    /// values, the server finds.
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Option<Self> {
        let mut files = Files::read(args, checks);
        let calibration = args.volumes.calibration(checks).into_good().unwrap_or_default();
        let organs = std::mem::take(&mut files.organs);
        let names = organs.good().map(|organs| names_of(organs, &files.names)).unwrap_or_default();
        let grid = organs.good().map(|organs| organs.grid().clone());
        let layers = organs.map(|organs| organs.layers());
        let labels = match &layers {
            Part::Good((labels, _)) => Part::from(labels.as_ref().map(label_volume)),
            Part::Absent => Part::Absent,
            Part::Faulty => Part::Faulty,
        };
        let own = layers.good().map_or(&[][..], |(_, own)| own.as_slice());
        let grid_of = |map: &Part<Volume<f32>>| map.good().map(|map| map.grid().clone());
        let (activity, ct) = (grid_of(&files.activity), grid_of(&files.density).or_else(|| grid_of(&files.ct)));
        let choice = args.grids.choice(activity.as_deref(), ct.as_deref(), checks);
        // Where the choice is at fault, no grid is at fault for not being another.
        let any_grid = || GridChoice { dose_grid: Some(DoseGrid::Activity), ..GridChoice::default() };
        let choice = choice.unwrap_or_else(any_grid);
        let described = Described {
            activity: described(&files.activity),
            density: described(&files.density),
            labels,
            materials: described(&files.materials),
            daughters: files.daughters.iter().map(|(name, map)| (name.clone(), described(map))).collect(),
        };
        let header = raw_header(args, described, args.outputs.uncertainty_output.is_some(), checks);
        let (nan, negative) = args.grids.rule_words();
        let raw = RawIntake {
            header,
            ct: files::described(&files.ct),
            ct_calibration: calibration,
            organ_volumes: own.iter().zip(grid.iter().cycle()).map(|(organ, grid)| organ_volume(organ, grid)).collect(),
            label_names: names,
            nan: Some(nan),
            negative: Some(negative),
            return_dose_on_ct: args.grids.dose_on_ct.is_some(),
            dose_volume_points: None,
            ..of_choice(&choice)
        };
        let intake = recorded(raw.check(), args.volumes.density_flag(), checks);
        args.check_outputs(checks);
        let (origin, ct_origin) = (files.origin(args.grids.dose_grid()), files.ct_origin.clone());
        let warnings = std::mem::take(&mut files.warnings);
        let volumes = volumes(files, layers.into_good(), grid.as_ref());
        Some(Self { intake: intake?, volumes, warnings, origin, ct_origin })
    }

    /// What the numbers of the activity map mean.
    pub(super) fn unit(&self) -> ActivityUnit {
        self.intake.header().activity_unit()
    }

    /// The volumes that the header announces, each made ready when it is its turn.
    pub(super) fn sent(&self) -> impl Iterator<Item = Sent> {
        let announced = |role: &InputRole| self.intake.arrivals().iter().any(|(known, _)| known == role);
        let volumes = self.volumes.iter().filter(move |(role, _)| announced(role));
        volumes.map(|(role, values)| Sent { role: *role, bytes: values.bytes() })
    }
}

fn of_choice(choice: &GridChoice) -> RawIntake {
    let dose_grid = choice.dose_grid.map(|grid| match grid {
        DoseGrid::Activity => RawDoseGrid::Activity,
        DoseGrid::Ct => RawDoseGrid::Ct,
        DoseGrid::Spacing(edge_mm) => RawDoseGrid::Spacing(edge_mm),
    });
    let matrix = choice.transform.as_ref().map(|transform| transform.matrix().as_flattened().to_vec());
    RawIntake {
        dose_grid: dose_grid.into(),
        activity_to_ct_mm: matrix.unwrap_or_default(),
        max_activity_outside: Some(choice.max_activity_outside),
        ..RawIntake::default()
    }
}

fn label_volume(map: &LabelMap) -> RawVolume {
    let element_type = Some(ElementType::Uint16.name().to_owned());
    RawVolume { element_type, ..RawVolume::from(&**map.labels().grid()) }
}

fn organ_volume(organ: &Organ, grid: &Arc<VoxelGrid>) -> RawOrganVolume {
    let element = if organ.is_whole() { ElementType::Uint8 } else { ElementType::Float32 };
    let volume = RawVolume { element_type: Some(element.name().to_owned()), ..RawVolume::from(&**grid) };
    RawOrganVolume { volume: Part::Good(volume), label: organ.label.into() }
}

/// Names of the organs that there are: those given come before those that the files have.
fn names_of(organs: &Organs, given: &BTreeMap<u16, String>) -> Vec<(u32, String)> {
    let name = |organ: &Organ| Some((organ.label.into(), given.get(&organ.label).or(organ.name.as_ref())?.clone()));
    organs.organs().iter().filter_map(name).collect()
}

/// All volumes that there are.
fn volumes(files: Files, layers: Option<(Option<LabelMap>, Vec<Organ>)>, grid: Option<&Arc<VoxelGrid>>) -> Volumes {
    let numbers = |role, map: Part<Volume<f32>>| map.into_good().map(|map| (role, Values::Numbers(map)));
    let head = [
        numbers(VolumeRole::Activity.into(), files.activity),
        numbers(VolumeRole::Density.into(), files.density),
        numbers(InputRole::Ct, files.ct),
        numbers(VolumeRole::Materials.into(), files.materials),
    ];
    let daughters = files.daughters.into_iter().enumerate();
    let daughters = daughters.map(|(number, (_, map))| numbers(VolumeRole::DaughterActivity(number).into(), map));
    let (labels, own) = layers.unwrap_or_default();
    let labels = labels.map(|map| (VolumeRole::Labels.into(), Values::Labels(map)));
    let own = own.into_iter().zip(grid.into_iter().cycle()).enumerate();
    let own = own.map(|(number, (organ, grid))| (InputRole::Organ(number), Values::Organ(organ, grid.clone())));
    head.into_iter().chain(daughters).flatten().chain(labels).chain(own).collect()
}

impl Values {
    /// Little-endian, x fastest.
    fn bytes(&self) -> Bytes {
        let bytes: Vec<u8> = match self {
            Self::Numbers(map) => map.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Labels(map) => map.labels().as_slice().iter().flat_map(|label| label.to_le_bytes()).collect(),
            Self::Organ(organ, grid) if organ.is_whole() => {
                let mut mask = vec![0; grid.voxels()];
                organ.voxels().iter().for_each(|&voxel| mask[voxel as usize] = 1);
                mask
            }
            Self::Organ(organ, grid) => {
                let mut shares = vec![0f32; grid.voxels()];
                #[expect(clippy::cast_possible_truncation, reason = "a share is kept in single precision")]
                organ.shares().for_each(|(voxel, share)| shares[voxel] = share as f32);
                shares.into_iter().flat_map(f32::to_le_bytes).collect()
            }
        };
        bytes.into()
    }
}
