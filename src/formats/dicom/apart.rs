//! Reading in a process of its own, under limits of memory and time: the parsers were not made for hostile files.
//!
//! A program that reads files of others says at its start that it has such a process, [`read_apart_with`]; the command
//! line does. Where none is named, files are read in this process.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::{Answer, DicomImage, DicomLabels, ImageAccount, ReferenceHeaders, Request, Wanted};
use super::inventory::Inventory;
use super::labels;
use super::outline::Outlined;
use super::source;
use crate::domain::{Invalid, Organ, Organs, Volume, VoxelGrid};
use crate::formats::volume_file::MAX_VOXELS;

/// Memory of the process beside what the files need [bytes].
const BASE_BYTES: u64 = 1 << 30;
/// Memory for each byte of the files: values in double precision, and the file twice.
const BYTES_EACH: u64 = 24;
/// Time of the process beside what the files need [s].
const BASE_S: u64 = 120;
/// Bytes of files that are read in a second at least.
const BYTES_A_SECOND: u64 = 2 << 20;
/// Most bytes of an answer before its values: names, warnings, an inventory.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// The program and its argument that start such a process.
static PROGRAM: OnceLock<(PathBuf, &'static str)> = OnceLock::new();

/// Has files read by a process of this program from now on. The process calls [`serve`].
///
/// * `argument` – with which the program starts as that process
pub fn read_apart_with(program: PathBuf, argument: &'static str) {
    PROGRAM.get_or_init(|| (program, argument));
}

/// What passes before the values.
#[derive(Serialize, Deserialize)]
enum Header {
    Refused(String),
    Image { grid: VoxelGrid, account: Box<ImageAccount>, warnings: Vec<String> },
    Labels(LabelsHeader),
    Inventory(Box<Inventory>),
    Reference(Box<ReferenceHeaders>),
    Outlines(Vec<Outlined>),
}

#[derive(Serialize, Deserialize)]
struct LabelsHeader {
    grid: VoxelGrid,
    /// Label, name, voxels.
    organs: Vec<(u16, Option<String>, u64)>,
    left_out: Vec<(String, String)>,
    grid_of: String,
    frame_of_reference: Option<String>,
    patient: Option<String>,
    warnings: Vec<String>,
}

/// A question with its limits.
#[derive(Serialize, Deserialize)]
struct Task {
    request: Request,
    memory_bytes: u64,
    seconds: u64,
}

impl Task {
    /// With limits by the bytes of all files that are parsed for its answer.
    fn of(request: &Request) -> Self {
        // A file of labels is read with those beside it, where its images may be.
        let beside = match request.wanted {
            Wanted::Labels { grid: None, .. } | Wanted::Inventory { .. } if request.path.is_file() => {
                labels::looked_through(&request.path).map_or(0, source::total_bytes)
            }
            Wanted::Labels { .. }
            | Wanted::Inventory { .. }
            | Wanted::AnyVolume
            | Wanted::Ct
            | Wanted::Dose { .. }
            | Wanted::Activity { .. }
            | Wanted::Outlines
            | Wanted::Reference => 0,
        };
        let bytes = source::total_bytes(&request.path) + beside;
        Self {
            request: request.clone(),
            memory_bytes: BASE_BYTES + BYTES_EACH.saturating_mul(bytes),
            seconds: BASE_S + bytes / BYTES_A_SECOND,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The files are the reason: they are refused.
    Refused(Invalid),
    /// Their process ended, or took too long: the files may be the reason.
    Ended(Invalid),
    /// Their process did not start: nothing is known of the files.
    NoProcess(Invalid),
}

impl Unread {
    /// The reason alone.
    pub fn reason(self) -> Invalid {
        match self {
            Self::Refused(reason) | Self::Ended(reason) | Self::NoProcess(reason) => reason,
        }
    }
}

/// Answers a question, in a process of its own if there is a program for it.
///
/// # Errors
/// Why the files are refused, or that they took too much memory or time.
pub(super) fn read(request: &Request) -> Result<Answer, Unread> {
    let Some((program, argument)) = PROGRAM.get() else { return super::read_here(request).map_err(Unread::Refused) };
    let task = Task::of(request);
    let no_process = |error: io::Error| {
        Unread::NoProcess(Invalid::new(format!("cannot be read: its process does not start: {error}")))
    };
    let mut child = Command::new(program)
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(no_process)?;
    let (mut stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let words = serde_json::to_vec(&task).expect("plain data");
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        // A process that ends early is known by what it does not say.
        let _ = stdin.write_all(&words);
        drop(stdin);
        let _ = send.send(receive(io::BufReader::with_capacity(1 << 20, stdout)));
    });
    let answer = received.recv_timeout(Duration::from_secs(task.seconds));
    finish(&mut child);
    match answer {
        Ok(Ok(answer)) => answer.map_err(Unread::Refused),
        Ok(Err(_)) => Err(Unread::Ended(Invalid::new(format!(
            "cannot be read: it makes the parser fail, or take more than {} MiB or {} s; the file is damaged or hostile",
            task.memory_bytes >> 20,
            task.seconds
        )))),
        Err(_) => Err(Unread::Ended(Invalid::new(format!("cannot be read: it takes longer than {} s", task.seconds)))),
    }
}

/// Ends the process, and waits for it.
fn finish(child: &mut Child) {
    // One that has ended cannot be killed.
    let _ = child.kill();
    let _ = child.wait();
}

/// The other side: reads a question from stdin, and writes the answer to stdout.
///
/// # Errors
/// If stdin or stdout fail.
pub fn serve() -> io::Result<()> {
    let mut words = Vec::new();
    io::stdin().lock().take(MAX_HEADER_BYTES).read_to_end(&mut words)?;
    let task: Task = serde_json::from_slice(&words)?;
    limit(&task);
    // What a decoder says in its panic may hold what is in the file.
    std::panic::set_hook(Box::new(|_| {}));
    let mut output = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
    send(&mut output, super::read_here(&task.request))?;
    output.flush()
}

/// Limits memory and processor time, where the system can.
#[cfg(unix)]
fn limit(task: &Task) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    for (resource, most) in [(Resource::As, task.memory_bytes), (Resource::Cpu, task.seconds), (Resource::Core, 0)] {
        let allowed = getrlimit(resource).maximum;
        let most = allowed.map_or(most, |allowed| most.min(allowed));
        // A system without the limit still has the time limit of the other side.
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}

/// Limits nothing: the other side limits the time.
#[cfg(not(unix))]
fn limit(_: &Task) {}

fn send(output: &mut impl Write, answer: Result<Answer, Invalid>) -> io::Result<()> {
    let mut header = |header: &Header| {
        let words = serde_json::to_vec(header)?;
        output.write_all(&(words.len() as u64).to_le_bytes())?;
        output.write_all(&words)
    };
    match answer {
        Err(Invalid(reason)) => header(&Header::Refused(reason)),
        Ok(Answer::Inventory(inventory)) => header(&Header::Inventory(inventory)),
        Ok(Answer::Reference(headers)) => header(&Header::Reference(headers)),
        Ok(Answer::Outlines(outlines)) => header(&Header::Outlines(outlines)),
        Ok(Answer::Image(image)) => {
            let DicomImage { volume, account, warnings } = *image;
            header(&Header::Image { grid: VoxelGrid::clone(volume.grid()), account: Box::new(account), warnings })?;
            volume.as_slice().iter().try_for_each(|value| output.write_all(&value.to_le_bytes()))
        }
        Ok(Answer::Labels(labels)) => {
            let DicomLabels { organs, left_out, grid_of, frame_of_reference, patient, warnings } = *labels;
            let sizes = organs.organs().iter().map(|one| (one.label, one.name.clone(), one.voxels().len() as u64));
            header(&Header::Labels(LabelsHeader {
                grid: VoxelGrid::clone(organs.grid()),
                organs: sizes.collect(),
                left_out,
                grid_of,
                frame_of_reference,
                patient,
                warnings,
            }))?;
            for organ in organs.organs() {
                for (&voxel, (_, share)) in organ.voxels().iter().zip(organ.shares()) {
                    output.write_all(&voxel.to_le_bytes())?;
                    #[expect(clippy::cast_possible_truncation, reason = "a share, kept in single precision")]
                    output.write_all(&(share as f32).to_le_bytes())?;
                }
            }
            Ok(())
        }
    }
}

/// Reads an answer; the outer error is of the pipe.
fn receive(mut input: impl Read) -> io::Result<Result<Answer, Invalid>> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(bad());
    }
    let mut words = Vec::new();
    input.by_ref().take(length).read_to_end(&mut words)?;
    let header: Header = serde_json::from_slice(&words)?;
    Ok(Ok(match header {
        Header::Refused(reason) => return Ok(Err(Invalid(reason))),
        Header::Inventory(inventory) => Answer::Inventory(inventory),
        Header::Reference(headers) => Answer::Reference(headers),
        Header::Outlines(outlines) => Answer::Outlines(outlines),
        Header::Image { grid, account, warnings } => {
            if grid.voxels() as u64 > MAX_VOXELS {
                return Err(bad());
            }
            let mut values = Vec::with_capacity(grid.voxels());
            let mut value = [0; 4];
            for _ in 0..grid.voxels() {
                input.read_exact(&mut value)?;
                values.push(f32::from_le_bytes(value));
            }
            let volume = Volume::from_vec(Arc::new(grid), values).map_err(|_| bad())?;
            Answer::Image(Box::new(DicomImage { volume, account: *account, warnings }))
        }
        Header::Labels(header) => {
            let mut organs = Vec::new();
            for (label, name, voxels) in header.organs {
                let mut shares = Vec::new();
                let (mut voxel, mut share) = ([0; 4], [0; 4]);
                for _ in 0..voxels {
                    input.read_exact(&mut voxel)?;
                    input.read_exact(&mut share)?;
                    shares.push((u32::from_le_bytes(voxel), f32::from_le_bytes(share)));
                }
                organs.push(Organ::partial(label, name, shares).map_err(|_| bad())?);
            }
            let organs = Organs::new(Arc::new(header.grid), organs).map_err(|_| bad())?;
            Answer::Labels(Box::new(DicomLabels {
                organs,
                left_out: header.left_out,
                grid_of: header.grid_of,
                frame_of_reference: header.frame_of_reference,
                patient: header.patient,
                warnings: header.warnings,
            }))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::dicom::Place;

    #[test]
    fn limits_count_the_files_beside_labels() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = [&[0; 128][..], b"DICM"].concat();
        for (name, bytes) in [("labels.dcm", 1000), ("image.dcm", 50_000)] {
            let body = [&head[..], &vec![0; bytes - head.len()]].concat();
            std::fs::write(folder.path().join(name), body).expect("a writable folder");
        }
        let place = || Place { path: folder.path().join("labels.dcm"), series: None };
        let bytes = |wanted| (Task::of(&Request::new(place(), wanted)).memory_bytes - BASE_BYTES) / BYTES_EACH;
        // The file itself is read twice: alone, and with its folder.
        assert_eq!(bytes(Wanted::Labels { grid: None, threshold: None }), 1000 + 51_000);
        assert_eq!(bytes(Wanted::Inventory { calibration: None }), 1000 + 51_000);
        assert_eq!(bytes(Wanted::Ct), 1000);
    }
}
