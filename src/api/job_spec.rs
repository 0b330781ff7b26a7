//! The specification of a job: checked by its header alone, as `Compute` does, with the volumes that it names.

use std::sync::Arc;

use prost::Message;
use tonic::Status;
use uuid::Uuid;

use super::service::Shared;
use super::{pb, wire};
use crate::digest::sha256_hex;
use crate::domain::{Checks, Control, DeviceKind, DoseError, Method, Stage, VolumeHeader, VolumeRole};
use crate::intake::{InputRole, Intake};
use crate::plan::{DosePlan, Work, plan_watched};
use crate::store::{Actor, Estimate, Needed, NewJob, VolumeDigest};

/// Most bytes of a sum of a voxel in a tally's file.
const TALLY_SUM_BYTES: u64 = 10;
/// Most bytes of a tally's file beside its numbers.
const TALLY_HEAD_BYTES: u64 = 1 << 20;

/// A job's header, checked, with its plan.
pub(super) struct CheckedHeader {
    pub(super) intake: Intake,
    pub(super) plan: DosePlan,
    /// What it names, in the order of [`Intake::arrivals`].
    pub(super) names: Vec<Option<VolumeDigest>>,
}

/// Checks a header, and what it names. Volumes may be without a name.
///
/// # Errors
/// Every fault, by its path from the header on.
pub(super) fn check(
    shared: &Shared,
    header: &pb::ComputeHeader,
    mut checks: Checks,
    control: &Control,
) -> Result<CheckedHeader, DoseError> {
    for (path, volume) in descriptors(header).filter(|(_, volume)| !volume.digest.is_empty()) {
        checks.at(format!("{path}.digest"), VolumeDigest::parse(&volume.digest));
    }
    let intake = match wire::intake::decode(header.clone()).check() {
        Ok(intake) => intake,
        Err(DoseError::Invalid(faults)) => {
            faults.into_iter().for_each(|fault| checks.fail(fault.field, fault.reason));
            checks.finish()?;
            return Err(DoseError::Invalid(Vec::new()));
        }
        Err(other) => return Err(other),
    };
    checks.finish()?;
    for (_, volume) in intake.arrivals() {
        shared.check_size("a volume", volume.size_bytes())?;
    }
    let watch = control.at_stage(Stage::Kernel);
    let plan = plan_watched(intake.header(), &shared.config.plan_limits(), &watch)?;
    let names = names(header, &intake)?;
    Ok(CheckedHeader { intake, plan, names })
}

/// What a checked header names, in the order of [`Intake::arrivals`].
///
/// # Errors
/// [`DoseError::Invalid`] with each name of another form.
pub(super) fn names(header: &pb::ComputeHeader, intake: &Intake) -> Result<Vec<Option<VolumeDigest>>, DoseError> {
    let mut checks = Checks::new();
    let mut name = |(role, _): &(InputRole, VolumeHeader)| {
        let (path, volume) = descriptors(header).find(|(path, _)| *path == role.field())?;
        let is_given = !volume.digest.is_empty();
        is_given.then(|| checks.at(format!("{path}.digest"), VolumeDigest::parse(&volume.digest))).flatten()
    };
    let names = intake.arrivals().iter().map(&mut name).collect();
    checks.finish()?;
    Ok(names)
}

/// The volumes of a header that are given, by their paths.
fn descriptors(header: &pb::ComputeHeader) -> impl Iterator<Item = (String, &pb::VolumeDescriptor)> {
    let fixed = [
        (VolumeRole::Activity.into(), &header.activity),
        (VolumeRole::Density.into(), &header.density),
        (InputRole::Ct, &header.ct),
        (VolumeRole::Labels.into(), &header.labels),
        (VolumeRole::Materials.into(), &header.materials),
    ];
    let daughters = header.daughter_maps.iter().enumerate();
    let daughters = daughters.map(|(number, map)| (VolumeRole::DaughterActivity(number).into(), &map.activity));
    let organs = header.organ_volumes.iter().enumerate();
    let organs = organs.map(|(number, organ)| (InputRole::Organ(number), &organ.volume));
    let all = fixed.into_iter().chain(daughters).chain(organs);
    all.filter_map(|(role, volume)| Some((role.field().to_string(), volume.as_ref()?)))
}

/// The value of a `request_id`. Neither braces nor the beginning of a URN may stand around it.
pub(super) fn request_uuid(text: &str) -> Option<Uuid> {
    [32, 36].contains(&text.len()).then(|| text.parse().ok())?
}

/// A job to accept, from what a caller sent.
///
/// # Errors
/// Every fault at once.
pub(super) fn decode(
    shared: &Shared,
    request: pb::CreateJobRequest,
    actor: Actor,
    control: &Control,
) -> Result<NewJob, Status> {
    let pb::CreateJobRequest { spec, request_id, validate_only } = request;
    let mut checks = Checks::new();
    let request_id = match validate_only {
        true => None,
        false if request_id.is_empty() => {
            checks.fail("request_id", "is missing: a UUID, new for each job, makes a retry safe");
            None
        }
        false => {
            let parsed = request_uuid(&request_id);
            if parsed.is_none() {
                checks.fail("request_id", "is not a UUID: 32 hexadecimal digits, with or without hyphens");
            }
            parsed
        }
    };
    let Some(spec) = spec else {
        checks.fail("spec", "is missing");
        checks.finish().map_err(Status::from)?;
        return Err(DoseError::invalid("spec", "is missing").into());
    };
    let priority = wire::stored::decode_priority(spec.priority);
    if priority.is_none() {
        checks.fail("priority", "is not a known priority");
    }
    let Some(header) = &spec.compute else {
        checks.fail("compute", "is missing");
        checks.finish().map_err(Status::from)?;
        return Err(DoseError::invalid("compute", "is missing").into());
    };
    if !validate_only {
        for (path, _) in descriptors(header).filter(|(_, volume)| volume.digest.is_empty()) {
            checks.fail(format!("{path}.digest"), "is missing: upload the volume, and name it here");
        }
    }
    let CheckedHeader { intake, plan, names } = check(shared, header, checks, control)?;
    let needed = intake.arrivals().iter().zip(names);
    let needed = needed.filter_map(|((role, volume), name)| {
        Some(Needed { field: format!("{}.digest", role.field()), digest: name?, size_bytes: volume.size_bytes() })
    });
    let bytes = spec.encode_to_vec();
    Ok(NewJob {
        actor,
        request_id,
        spec_sha256: sha256_hex(&bytes),
        spec: Arc::from(bytes),
        nuclide: intake.header().source().name().to_owned(),
        method: intake.header().method().name().to_owned(),
        priority: priority.unwrap_or_default(),
        estimate: estimate(&intake, &plan, shared.jobs.device().kind),
        inputs: needed.collect(),
        trace: None,
    })
}

/// What a job is expected to take.
pub(super) fn estimate(intake: &Intake, plan: &DosePlan, device: DeviceKind) -> Estimate {
    Estimate {
        memory_bytes: plan.host_bytes.saturating_add(intake.host_bytes()),
        result_bytes: result_bytes(intake, plan),
        device_time_s: plan.works.iter().map(|work| work_s(work, intake, device)).sum(),
        wait_time_s: 0.0,
        voxels: intake.header().grid().voxels() as u64,
    }
}

/// A bound of the bytes of all results.
fn result_bytes(intake: &Intake, plan: &DosePlan) -> u64 {
    let (header, value) = (intake.header(), size_of::<f32>() as u64);
    let voxels = header.grid().voxels() as u64;
    let maps = 1 + u64::from(intake.return_uncertainty()) + u64::from(header.weighting().is_some());
    let is_ct = |role: &InputRole| matches!(role, InputRole::Ct | InputRole::OfRequest(VolumeRole::Density));
    let ct = intake.arrivals().iter().find(|(role, _)| is_ct(role)).map(|(_, volume)| volume.grid.voxels() as u64);
    let on_ct = ct.filter(|_| intake.return_dose_on_ct()).unwrap_or(0);
    let with_tally = matches!(header.method(), Method::MonteCarlo(options) if options.extras.tally);
    let tally = plan.works.iter().map(|work| match work {
        Work::MonteCarlo(plan) if with_tally => {
            voxels * (u64::from(plan.groups) * TALLY_SUM_BYTES + 2 * value) + TALLY_HEAD_BYTES
        }
        Work::MonteCarlo(_) | Work::Local | Work::Kernel(_) => 0,
    });
    voxels * maps * value + on_ct * value + tally.sum::<u64>()
}

/// A guess of the time of one map [s]: from voxels and histories a second on two cores, and on a large GPU.
fn work_s(work: &Work, intake: &Intake, device: DeviceKind) -> f64 {
    let is_cpu = device == DeviceKind::Cpu;
    let voxels = intake.header().grid().voxels() as f64;
    match (work, intake.header().method()) {
        (Work::Local, _) => voxels * 5e-9,
        (Work::MonteCarlo(plan), Method::MonteCarlo(options)) => {
            let a_second = if is_cpu { 5e5 } else { 1e8 };
            let stop = options.stop.in_force();
            let by_histories = stop.histories.map(|_| plan.histories as f64 / a_second);
            // The patient of the benchmarks takes a second to 1 %; the time rises with the square of what is wanted.
            let by_target = stop.target.map(|target| (0.01 / target.relative).powi(2) * (1.0 + voxels * 1e-6));
            let times = [by_histories, by_target, stop.time_limit_s];
            times.into_iter().flatten().reduce(f64::min).unwrap_or(1.0)
        }
        (Work::MonteCarlo(_) | Work::Kernel(_), _) => 0.1 + voxels * if is_cpu { 4e-7 } else { 1e-8 },
    }
}
