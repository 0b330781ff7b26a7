//! Copies volumes and jobs out of a store, in the clear, with a manifest of all that was asked for.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::record::{JobRecord, Phase};
use super::{Store, StoreError, VolumeDigest, job_name};

/// Name and version of the manifest's form.
const FORMAT: (&str, u32) = ("dosegrid.store-export", 1);

/// What was copied, and what could not be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    format: &'static str,
    version: u32,
    /// The jobs.
    pub jobs: Vec<ExportedJob>,
    /// The volumes of the jobs, or all of them.
    pub volumes: Vec<ExportedVolume>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportedJob {
    /// Whose it is.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: &'static str,
    /// The nuclide.
    pub nuclide: String,
    /// The method.
    pub method: String,
    /// The volumes that it needs.
    pub inputs: Vec<VolumeDigest>,
    /// The volumes that it made.
    pub results: Vec<VolumeDigest>,
    /// The reason of its error, if it failed.
    pub error: Option<String>,
    /// File with the message `dosegrid.v1.JobSpec`.
    pub spec_file: Option<String>,
    /// File with the message `dosegrid.v1.ComputeResult`, if it has a result.
    pub result_file: Option<String>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportedVolume {
    /// Whose it is.
    pub tenant: String,
    /// Its name.
    pub digest: VolumeDigest,
    /// Bytes in all, where they are known.
    pub size_bytes: Option<u64>,
    /// Its file; none if it was not copied.
    pub file: Option<String>,
    /// Why it was not: `absent`, `unfinished` or `damaged`.
    pub problem: Option<&'static str>,
}

/// Why nothing more is copied.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There are no such jobs.
    #[error("the store has no job {}", .0.iter().map(|id| job_name(*id)).collect::<Vec<_>>().join(", "))]
    NoJobs(Vec<Uuid>),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// What cannot be.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder that is written.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn make(&self, name: &str) -> Result<(), ExportError> {
        let path = self.0.join(name);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| ExportError::Io { path, error })
    }

    /// Writes a new file; nobody else may read it.
    fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> Result<(), Result<io::Error, StoreError>>,
    ) -> Result<(), ExportError> {
        let path = self.0.join(name);
        let io = |error| ExportError::Io { path: path.clone(), error };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(io)?;
        write(&mut file).map_err(|error| match error {
            Ok(error) => io(error),
            Err(error) => error.into(),
        })?;
        file.sync_all().map_err(io)
    }
}

impl Store {
    /// Copies jobs with their volumes into a new folder, or all jobs and all volumes. The manifest, `manifest.json`,
    /// is written last.
    ///
    /// * `only` – these jobs; none: all
    ///
    /// # Errors
    /// [`ExportError`]. What the store has lost is no error: the manifest names it.
    pub fn export(&self, to: &Path, only: Option<&[Uuid]>) -> Result<Manifest, ExportError> {
        let (jobs, volumes) = self.chosen(only)?;
        let folder = Folder(to);
        folder.make("")?;
        let mut manifest = Manifest { format: FORMAT.0, version: FORMAT.1, jobs: Vec::new(), volumes: Vec::new() };
        for (tenant, job) in jobs {
            manifest.jobs.push(self.export_job(&folder, &tenant, &job)?);
        }
        for (tenant, digest) in volumes {
            manifest.volumes.push(self.export_volume(&folder, &tenant, digest)?);
        }
        folder.write("manifest.json", |file| {
            let text = serde_json::to_vec_pretty(&manifest).map_err(|error| Ok(io::Error::other(error)))?;
            file.write_all(&text).map_err(Ok)
        })?;
        Ok(manifest)
    }

    /// Jobs and volumes with their tenants.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn chosen(
        &self,
        only: Option<&[Uuid]>,
    ) -> Result<(Vec<(Arc<str>, Arc<JobRecord>)>, BTreeSet<(Arc<str>, VolumeDigest)>), ExportError> {
        self.published.read(|state| {
            let all = state.tenants.iter().flat_map(|(name, tenant)| tenant.jobs.values().map(move |job| (name, job)));
            let is_chosen = |id: &Uuid| only.is_none_or(|only| only.contains(id));
            let jobs: Vec<_> =
                all.filter(|(_, job)| is_chosen(&job.id)).map(|(name, job)| (name.clone(), job.clone())).collect();
            let absent = only.unwrap_or_default().iter().filter(|id| !jobs.iter().any(|(_, job)| job.id == **id));
            let absent: Vec<Uuid> = absent.copied().collect();
            if !absent.is_empty() {
                return Err(ExportError::NoJobs(absent));
            }
            let mut volumes = BTreeSet::new();
            for (name, job) in &jobs {
                volumes.extend(job.inputs.iter().chain(job.all_results()).map(|digest| (name.clone(), *digest)));
            }
            if only.is_none() {
                for (name, tenant) in &state.tenants {
                    volumes.extend(tenant.volumes.keys().map(|digest| (name.clone(), *digest)));
                }
            }
            Ok((jobs, volumes))
        })
    }

    fn export_job(&self, folder: &Folder<'_>, tenant: &str, job: &JobRecord) -> Result<ExportedJob, ExportError> {
        let place = format!("jobs/{}", job.id);
        folder.make(&place)?;
        let write = |name: &str, bytes: Option<Vec<u8>>| -> Result<Option<String>, ExportError> {
            let Some(bytes) = bytes else { return Ok(None) };
            let name = format!("{place}/{name}.binpb");
            folder.write(&name, |file| file.write_all(&bytes).map_err(Ok))?;
            Ok(Some(name))
        };
        Ok(ExportedJob {
            tenant: tenant.to_owned(),
            name: job_name(job.id),
            state: job.state().name(),
            nuclide: job.nuclide.clone(),
            method: job.method.clone(),
            inputs: job.inputs.clone(),
            results: job.all_results().copied().collect(),
            error: job.error.as_ref().map(|fault| fault.reason.clone()),
            spec_file: write("spec", Some(self.spec(tenant, job.id)?))?,
            result_file: write("result", self.result(tenant, job.id)?)?,
        })
    }

    fn export_volume(
        &self,
        folder: &Folder<'_>,
        tenant: &str,
        digest: VolumeDigest,
    ) -> Result<ExportedVolume, ExportError> {
        let known = self.volume(tenant, &digest);
        let size_bytes = known.as_ref().map(|volume| volume.size_bytes);
        let exported = |file, problem| ExportedVolume { tenant: tenant.to_owned(), digest, size_bytes, file, problem };
        match known.map(|volume| volume.phase) {
            None => return Ok(exported(None, Some("absent"))),
            Some(Phase::Uploading { .. }) => return Ok(exported(None, Some("unfinished"))),
            Some(Phase::Damaged) => return Ok(exported(None, Some("damaged"))),
            Some(Phase::Complete) => {}
        }
        folder.make(&format!("volumes/{tenant}"))?;
        let name = format!("volumes/{tenant}/{}", digest.hex());
        let copied = folder.write(&name, |file| {
            let mut reading = self.read_volume(tenant, digest).map_err(Err)?;
            while let Some((_, piece)) = reading.next(self).map_err(Err)? {
                file.write_all(&piece).map_err(Ok)?;
            }
            Ok(())
        });
        match copied {
            Ok(()) => Ok(exported(Some(name), None)),
            Err(ExportError::Store(StoreError::VolumeDamaged(_) | StoreError::VolumeNotFound)) => {
                super::files::remove(&folder.0.join(&name));
                Ok(exported(None, Some("damaged")))
            }
            Err(error) => Err(error),
        }
    }
}
