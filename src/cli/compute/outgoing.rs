//! What is sent to a server: the volumes as they are in their files, and what the flags say of them. The server
//! prepares them with the code that does it in this process.

use super::Args;
use super::files::{self, Described, Files, described, raw_header};
use crate::api::client::Sent;
use crate::cli::flags::recorded;
use crate::cli::organ_volumes::{OrganVolumes, names_of, sent};
use crate::cli::outputs::Ready;
use crate::domain::{ActivityUnit, Checks, Part, Volume, VolumeRole, Warning};
use crate::formats::volume_file::Origin;
use crate::intake::{GridChoice, InputRole, Intake, RawDoseGrid, RawIntake};
use crate::resample::DoseGrid;

/// A checked header, and the volumes that it announces.
pub(super) struct Outgoing {
    pub(super) intake: Intake,
    /// Those of numbers.
    volumes: Vec<(InputRole, Volume<f32>)>,
    organs: Option<OrganVolumes>,
    /// What looks wrong in the files but may be intended.
    pub(super) warnings: Vec<Warning>,
    /// How the file whose grid the dose has says where it lies.
    pub(super) origin: Origin,
    /// The same of the CT or density.
    pub(super) ct_origin: Origin,
    /// What was read for outputs.
    pub(super) ready: Ready,
}

impl Outgoing {
    /// Reads all files and records every fault that can be found here; none if there was one. What is wrong with
    /// values, the server finds.
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Option<Self> {
        let mut files = Files::read(args, checks);
        let args = &files.complete(args, checks);
        let [activity, ct] = files.grids();
        let choice = args.grids.choice(activity.as_deref(), ct.as_deref(), checks);
        files.place_labels(choice.as_ref(), checks);
        let names = files.organs.good().map(|organs| names_of(organs, &files.names)).unwrap_or_default();
        let organs = std::mem::take(&mut files.organs).map(|organs| OrganVolumes::of(&organs));
        // Where the choice is at fault, no grid is at fault for not being another.
        let any_grid = || GridChoice { dose_grid: Some(DoseGrid::Activity), ..GridChoice::default() };
        let choice = choice.unwrap_or_else(any_grid);
        let described = Described {
            activity: described(&files.activity),
            density: described(&files.density),
            labels: match &organs {
                Part::Good(organs) => organs.labels(),
                Part::Absent => Part::Absent,
                Part::Faulty => Part::Faulty,
            },
            materials: described(&files.materials),
            daughters: files.daughters.iter().map(|(name, map)| (name.clone(), described(map))).collect(),
        };
        let (nan, negative) = args.grids.rule_words();
        let raw = RawIntake {
            header: raw_header(args, described, args.outputs.uncertainty_output.is_some(), checks),
            ct: files::described(&files.ct),
            ct_calibration: args.volumes.calibration(checks).into_good().unwrap_or_default(),
            organ_volumes: organs.good().map(OrganVolumes::own).unwrap_or_default(),
            label_names: names,
            nan: Some(nan),
            negative: Some(negative),
            return_dose_on_ct: args.grids.dose_on_ct.is_some(),
            dose_volume_points: args.outputs.dose_volume_points().map(|points| u32::try_from(points).expect("few")),
            ..of_choice(&choice)
        };
        let intake = recorded(raw.check(), args.volumes.density_flag(), checks);
        let mut ready = args.check_outputs(checks);
        if let Some(dicom) = &mut ready.dicom {
            files.belongings.check_reference(dicom, &choice, checks);
        }
        args.outputs.report.refuse_on_server(checks);
        let (origin, ct_origin) = (files.origin(args.grids.dose_grid()), files.ct_origin.clone());
        let warnings = std::mem::take(&mut files.warnings);
        let (volumes, organs) = (volumes(files), organs.into_good());
        Some(Self { intake: intake?, volumes, organs, warnings, origin, ct_origin, ready })
    }

    /// What the numbers of the activity map mean.
    pub(super) fn unit(&self) -> ActivityUnit {
        self.intake.header().activity_unit()
    }

    /// The volumes that the header announces, each made ready when it is its turn.
    pub(super) fn sent(&self) -> impl Iterator<Item = Sent> {
        let announced = |role: &InputRole| self.intake.arrivals().iter().any(|(known, _)| known == role);
        let numbers = self.volumes.iter().filter(move |(role, _)| announced(role));
        let organs = self.organs.iter().flat_map(|organs| organs.sent(VolumeRole::Labels.into()));
        numbers.map(|(role, volume)| sent(*role, volume)).chain(organs)
    }
}

/// Records faults of flags that are found without any volume; among others, of what is not there.
pub(super) fn check_flags(args: &Args, checks: &mut Checks) {
    let described = Described {
        activity: Part::Absent,
        density: Part::Absent,
        labels: Part::Absent,
        materials: Part::Absent,
        daughters: Vec::new(),
    };
    let choice = args.grids.choice(None, None, checks).unwrap_or_default();
    let (nan, negative) = args.grids.rule_words();
    // Read for its faults alone: a curve has no effect without a CT, and that is among what is not there.
    let _ = args.volumes.calibration(checks);
    let raw = RawIntake {
        header: raw_header(args, described, args.outputs.uncertainty_output.is_some(), checks),
        nan: Some(nan),
        negative: Some(negative),
        ..of_choice(&choice)
    };
    recorded(raw.check(), args.volumes.density_flag(), checks);
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

/// All volumes of numbers that there are.
fn volumes(files: Files) -> Vec<(InputRole, Volume<f32>)> {
    let head = [
        (VolumeRole::Activity.into(), files.activity),
        (VolumeRole::Density.into(), files.density),
        (InputRole::Ct, files.ct),
        (VolumeRole::Materials.into(), files.materials),
    ];
    let daughters = files.daughters.into_iter().enumerate();
    let daughters = daughters.map(|(number, (_, map))| (VolumeRole::DaughterActivity(number).into(), map));
    head.into_iter().chain(daughters).filter_map(|(role, map)| Some((role, map.into_good()?))).collect()
}
