//! Volumes and jobs of a server that has a store.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use uuid::Uuid;

use super::incoming::broken;
use super::{Answer, Client, Incoming, Sent};
use crate::api::pb::job_service_client::JobServiceClient;
use crate::api::pb::volume_service_client::VolumeServiceClient;
use crate::api::{pb, status, wire};
use crate::digest::sha256_hex;
use crate::domain::{DoseError, Progress};
use crate::intake::Intake;

/// Bytes of a message of an upload.
const PIECE_BYTES: usize = 1 << 20;
/// How often a call is tried that may be tried again: for longer than a server takes to listen again.
const TRIES: u32 = 6;
/// Pause before it is tried again, doubled each time.
const PAUSE: Duration = Duration::from_millis(200);

/// What is said of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobInfo {
    /// Its name.
    pub name: String,
    /// Its state in lower case, such as `queued`.
    pub state: &'static str,
    /// Whether nothing changes it any more.
    pub is_final: bool,
    /// How often it began.
    pub attempts: u32,
    /// When it was accepted, in seconds since 1970.
    pub created_s: i64,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// Why it failed, if it did: reason and words.
    pub error: Option<(String, String)>,
    /// The same as an error of a call.
    pub fault: Option<DoseError>,
}

impl JobInfo {
    fn of(job: pb::Job) -> Self {
        let (state, is_final) = match job.state() {
            pb::JobState::Queued => ("queued", false),
            pb::JobState::Running => ("running", false),
            pb::JobState::Succeeded => ("succeeded", true),
            pb::JobState::Failed => ("failed", true),
            pb::JobState::Cancelled => ("cancelled", true),
            pb::JobState::Unspecified => ("unknown", false),
        };
        Self {
            name: job.name,
            state,
            is_final,
            attempts: job.attempts,
            created_s: job.create_time.map_or(0, |time| time.seconds),
            progress: job.progress.and_then(wire::progress::decode),
            fault: job.error.as_ref().map(fault_of),
            error: job.error.map(|error| (error.reason, error.message)),
        }
    }
}

/// Calls again what may be called again, after a pause.
pub(super) async fn patiently<T>(mut call: impl AsyncFnMut() -> Result<T, Status>) -> Result<T, Status> {
    let mut patience = Patience::new();
    loop {
        match call().await {
            Ok(done) => return Ok(done),
            Err(status) => patience.wait(status).await?,
        }
    }
}

/// How long a caller goes on trying.
struct Patience {
    left: u32,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self { left: TRIES - 1, pause: PAUSE }
    }

    /// Waits before the next try; gives back what cannot be tried again, or was often enough.
    async fn wait(&mut self, status: Status) -> Result<(), Status> {
        // A status with a cause is none of a server's: the connection broke.
        let is_cut = std::error::Error::source(&status).is_some() && status.get_details_error_info().is_none();
        if self.left == 0 || !(is_cut || status.code() == Code::Unavailable) {
            return Err(status);
        }
        tokio::time::sleep(self.pause).await;
        (self.left, self.pause) = (self.left - 1, self.pause * 2);
        Ok(())
    }
}

/// Why a job failed, as a call would have said it.
fn fault_of(error: &pb::JobError) -> DoseError {
    let metadata: HashMap<String, String> = error.metadata.clone().into_iter().collect();
    let mut details = ErrorDetails::with_error_info(&error.reason, status::ERROR_DOMAIN, metadata);
    for violation in &error.field_violations {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    status::to_error(&Status::with_error_details(Code::from_i32(error.code), &error.message, details))
}

fn job_of(job: Option<pb::Job>) -> Result<pb::Job, DoseError> {
    job.ok_or_else(|| broken("no job"))
}

impl Client {
    fn volumes(&self) -> VolumeServiceClient<super::Guarded> {
        VolumeServiceClient::new(self.channel.clone())
    }

    pub(super) fn jobs(&self) -> JobServiceClient<super::Guarded> {
        JobServiceClient::new(self.channel.clone())
    }

    /// Uploads a volume, from where an earlier upload was cut; its name.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn put_volume(&self, bytes: &Bytes) -> Result<String, DoseError> {
        Ok(self.try_put_volume(bytes).await?)
    }

    async fn try_put_volume(&self, bytes: &Bytes) -> Result<String, Status> {
        let digest = format!("sha256:{}", sha256_hex(bytes));
        let put = async || {
            let request = pb::CheckVolumesRequest { digests: vec![digest.clone()] };
            let found = self.volumes().check_volumes(request).await?.into_inner().volumes;
            let committed = found.first().map_or(0, |volume| volume.committed_bytes);
            if committed == bytes.len() as u64 {
                return Ok(());
            }
            let messages = pieces(&digest, bytes, committed);
            self.volumes().put_volume(tokio_stream::iter(messages)).await.map(drop)
        };
        patiently(put).await.map(|()| digest)
    }

    /// Uploads volumes and creates a job of them; its name. It goes on when the caller leaves.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn create_job(
        &self,
        intake: &Intake,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<String, DoseError> {
        Ok(self.try_create_job(intake, volumes).await?)
    }

    /// As [`Client::create_job`], with what the server says if it refuses.
    pub(super) async fn try_create_job(
        &self,
        intake: &Intake,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<String, Status> {
        let mut header = wire::intake::encode(intake);
        for Sent { role, bytes } in volumes {
            let digest = self.try_put_volume(&bytes).await?;
            if let Some(volume) = wire::intake::volume_mut(&mut header, role) {
                volume.digest = digest;
            }
        }
        let spec = pb::JobSpec { compute: Some(header), priority: pb::JobPriority::Normal.into() };
        // The same id each time: a lost answer makes no second job.
        let request_id = Uuid::new_v4().to_string();
        let request = pb::CreateJobRequest { spec: Some(spec), request_id, validate_only: false };
        let created = patiently(async || Ok(self.jobs().create_job(request.clone()).await?.into_inner())).await?;
        created.job.map(|job| job.name).ok_or_else(|| Status::internal("no job"))
    }

    /// A job as it is now.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn job(&self, name: &str) -> Result<JobInfo, DoseError> {
        self.whole_job(name).await.map(JobInfo::of)
    }

    async fn whole_job(&self, name: &str) -> Result<pb::Job, DoseError> {
        let request = pb::GetJobRequest { name: name.to_owned() };
        job_of(patiently(async || Ok(self.jobs().get_job(request.clone()).await?.into_inner())).await?.job)
    }

    /// Jobs, the newest first.
    ///
    /// # Errors
    /// As [`Client::compute`].
    ///
    /// * `most` – how many at most
    pub async fn list_jobs(&self, most: usize) -> Result<Vec<JobInfo>, DoseError> {
        let (mut jobs, mut request) = (Vec::new(), pb::ListJobsRequest::default());
        while jobs.len() < most {
            request.page_size = i32::try_from(most - jobs.len()).unwrap_or(i32::MAX);
            let page = patiently(async || Ok(self.jobs().list_jobs(request.clone()).await?.into_inner())).await?;
            jobs.extend(page.jobs.into_iter().map(JobInfo::of));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        Ok(jobs)
    }

    /// Follows a job to its end. What is cut is begun again.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn watch_job(&self, name: &str, mut on_job: impl FnMut(&JobInfo)) -> Result<JobInfo, DoseError> {
        let request = pb::WatchJobRequest { name: name.to_owned() };
        let mut patience = Patience::new();
        loop {
            let watch = async {
                let mut messages = self.jobs().watch_job(request.clone()).await?.into_inner();
                let mut last = None;
                while let Some(message) = messages.message().await? {
                    // Who answers is there: a long job may outlive many of its servers.
                    patience = Patience::new();
                    let info = message.job.map(JobInfo::of);
                    if let Some(info) = &info {
                        on_job(info);
                    }
                    last = info.or(last);
                }
                Ok(last.filter(|info| info.is_final))
            };
            let watched: Result<Option<JobInfo>, Status> = watch.await;
            match watched {
                Ok(last) => return last.ok_or_else(|| broken("a watch that ended before its job")),
                Err(status) => patience.wait(status).await?,
            }
        }
    }

    /// Cancels a job that is not finished; the job as it is then.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn cancel_job(&self, name: &str) -> Result<JobInfo, DoseError> {
        let request = pb::CancelJobRequest { name: name.to_owned() };
        let answer = patiently(async || Ok(self.jobs().cancel_job(request.clone()).await?.into_inner())).await?;
        job_of(answer.job).map(JobInfo::of)
    }

    /// Deletes a finished job, and its results.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn delete_job(&self, name: &str) -> Result<(), DoseError> {
        let request = pb::DeleteJobRequest { name: name.to_owned() };
        Ok(patiently(async || self.jobs().delete_job(request.clone()).await.map(drop)).await?)
    }

    /// The result of a job that succeeded, with all of its volumes.
    ///
    /// # Errors
    /// As [`Client::compute`]; [`DoseError::Remote`] if the job has no result.
    pub async fn result_of(&self, name: &str) -> Result<Answer, DoseError> {
        let job = self.whole_job(name).await?;
        let info = JobInfo::of(job.clone());
        let without = || DoseError::Remote(format!("the job has no result: it is {}", info.state));
        let mut message = job.result.ok_or_else(without)?;
        let mut named = Vec::new();
        for (role, volume) in [
            (pb::VolumeRole::Dose, &mut message.dose),
            (pb::VolumeRole::Uncertainty, &mut message.uncertainty),
            (pb::VolumeRole::WeightedDose, &mut message.weighted_dose),
            (pb::VolumeRole::DoseOnCt, &mut message.dose_on_ct),
        ] {
            named.extend(volume.as_mut().map(|volume| (role, std::mem::take(&mut volume.digest))));
        }
        let tally = std::mem::take(&mut message.tally_digest);
        let mut incoming = Incoming::new(message, None)?;
        for (role, digest) in named {
            self.get_volume(&digest, |offset_bytes, data| {
                incoming.accept_volume(pb::VolumeChunk { volume: role.into(), offset_bytes, data, index: 0 })
            })
            .await?;
        }
        if !tally.is_empty() {
            let accept = |offset_bytes, data| incoming.accept_tally(&pb::TallyChunk { offset_bytes, data, index: 0 });
            self.get_volume(&tally, accept).await?;
        }
        incoming.finish()
    }

    /// Reads a volume, from where it was cut if it was.
    async fn get_volume(
        &self,
        digest: &str,
        mut accept: impl FnMut(u64, Bytes) -> Result<(), DoseError>,
    ) -> Result<(), DoseError> {
        let mut taken = 0;
        let get = async || {
            let request = pb::GetVolumeRequest { digest: digest.to_owned(), offset_bytes: taken, length_bytes: 0 };
            let mut pieces = self.volumes().get_volume(request).await?.into_inner();
            while let Some(piece) = pieces.message().await? {
                taken = piece.offset_bytes + piece.data.len() as u64;
                if let Err(error) = accept(piece.offset_bytes, piece.data) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        patiently(get).await?
    }
}

/// The messages of an upload from an offset on.
fn pieces(digest: &str, bytes: &Bytes, from: u64) -> Vec<pb::PutVolumeRequest> {
    let start = usize::try_from(from).unwrap_or(bytes.len()).min(bytes.len());
    let offsets = (start..bytes.len().max(start + 1)).step_by(PIECE_BYTES);
    let mut pieces: Vec<pb::PutVolumeRequest> = offsets
        .map(|offset| pb::PutVolumeRequest {
            offset_bytes: offset as u64,
            data: bytes.slice(offset..bytes.len().min(offset + PIECE_BYTES)),
            ..Default::default()
        })
        .collect();
    if let Some(first) = pieces.first_mut() {
        first.digest = digest.to_owned();
        first.size_bytes = bytes.len() as u64;
    }
    pieces
}
