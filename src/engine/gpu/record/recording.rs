//! A recording as plain data, and as a file: see `docs/capture.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::domain::DeviceInfo;

/// What stands before all else in a capture, once it is unpacked.
const MAGIC: &[u8; 8] = b"dgcap 1\n";
/// What the header calls the format, and its version. A change that old readers would misread needs a new one.
const FORMAT: &str = "dosegrid.capture";
const VERSION: u32 = 2;
/// Blobs start at multiples of this, so that they can be read in place as numbers of 8 bytes.
const ALIGNMENT: usize = 8;

/// What a device was given, in order, and what it answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    pub(super) stages: Vec<RecordedStage>,
    pub(super) pipelines: Vec<RecordedPipeline>,
    pub(super) buffers: Vec<RecordedBuffer>,
    pub(super) bindings: Vec<RecordedBindings>,
    pub(super) steps: Vec<Step>,
    pub(super) grid: Option<RecordedGrid>,
    pub(super) blobs: Vec<Vec<u8>>,
}

/// A stage: WGSL with the entry point `main`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedStage {
    pub(super) name: &'static str,
    pub(super) source: Cow<'static, str>,
    /// Lanes of a workgroup.
    pub(super) lanes: u32,
}

/// A stage with the values of its constants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedPipeline {
    pub(super) stage: usize,
    pub(super) constants: BTreeMap<String, f64>,
    pub(super) bindings: Vec<RecordedSlot>,
}

/// A stage with what it is bound to, for other implementations of WebGPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortableStage {
    #[serde(flatten)]
    pub(super) stage: RecordedStage,
    pub(super) bindings: Vec<RecordedSlot>,
}

impl PortableStage {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.stage.name
    }
}

/// What a stage may do with a buffer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedSlot {
    pub(super) slot: u32,
    /// The WGSL variable.
    pub(super) name: &'static str,
    /// `uniform` (with a dynamic offset), `read` or `read-write`.
    pub(super) kind: &'static str,
    /// Bytes that are bound of a uniform buffer; the whole buffer without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

/// A buffer. It holds zeros until something is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedBuffer {
    pub(super) bytes: u64,
    pub(super) is_uniform: bool,
    /// Whether dispatches read their workgroups from it.
    pub(super) is_indirect: bool,
}

/// Buffers bound to a pipeline, by slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedBindings {
    pub(super) pipeline: usize,
    pub(super) buffers: BTreeMap<u32, usize>,
}

/// The grid of the voxels, x fastest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct RecordedGrid {
    pub(super) shape: [usize; 3],
    pub(super) spacing_mm: [f64; 3],
}

/// One thing that the device was given, or the rule by which it was given many.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Step {
    /// Bytes into a buffer.
    Write { buffer: usize, offset: u64, blob: usize },
    /// Zeros into the first bytes of a buffer, or into all of it.
    Clear { buffer: usize, bytes: Option<u64> },
    /// Passes in order, each of so many workgroups, which may be given in pieces.
    Passes {
        params: usize,
        /// Words of the parameters that hold the first workgroup of a piece, and the one after its last.
        first_word: usize,
        end_word: usize,
        passes: Vec<RecordedPass>,
    },
    /// Cycles of stages until every decay is emitted and no particle is on its way.
    Launch(Box<RecordedLaunch>),
    /// Results of a convolution, in single precision.
    Values {
        buffer: usize,
        offset: u64,
        /// The voxel of the first value.
        first_voxel: usize,
        blob: usize,
        /// Of the bytes.
        sha256: String,
    },
    /// Sums of Monte Carlo transport by group and voxel, in fixed point.
    Sums(RecordedSums),
    /// Bodies of the transport, one by one.
    Twins(RecordedTwins),
}

/// One stage over a slab or chunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedPass {
    pub(super) bindings: usize,
    pub(super) words: Vec<u32>,
    pub(super) groups: u32,
    /// Cost of a workgroup: only ratios matter.
    pub(super) cost: f64,
}

/// What transport is given: see `docs/capture.md` for the rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedLaunch {
    pub(super) params: usize,
    pub(super) counters: usize,
    pub(super) queues: usize,
    /// Where the first stage of a cycle leaves the workgroups of the others.
    pub(super) dispatches: usize,
    /// The parameters; those of a batch (`max_lanes`) are still to be set.
    pub(super) words: Vec<u32>,
    /// Words of the parameters and of the counters, by name.
    pub(super) params_words: BTreeMap<&'static str, usize>,
    pub(super) counters_words: BTreeMap<&'static str, usize>,
    /// Bytes of the queues for each particle of their capacity.
    pub(super) queue_bytes: u64,
    /// Bindings of the stages of a cycle, in order.
    pub(super) cycle: Vec<usize>,
}

/// The sums of some groups, as `low words of all sums, high words of all sums`, group by group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedSums {
    pub(super) tally: usize,
    pub(super) counters: usize,
    /// First word of the accounts in the counters, and words of an account: emitted, deposited, escaped and scored
    /// energy, low and high word each.
    pub(super) accounts_word: usize,
    pub(super) account_words: usize,
    pub(super) groups: usize,
    pub(super) units_per_mev: f64,
    /// The words of the medium: the density in single precision, the number of the material in the bits of the mask.
    pub(super) medium: usize,
    pub(super) material_mask: u32,
    /// The energy of each voxel over all groups [units], in double precision.
    pub(super) energy: usize,
    /// Its standard deviation, from the spread of the groups [units], in single precision.
    pub(super) sigma: usize,
    /// Of the bytes of all sums.
    pub(super) sha256: String,
}

/// Cases of the bodies of the transport, and what the CPU makes of each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RecordedTwins {
    pub(super) params: usize,
    pub(super) words: Vec<u32>,
    pub(super) bindings: usize,
    pub(super) groups: u32,
    /// The buffer of the outcomes.
    pub(super) outcomes: usize,
    /// The tests in the order of the cases.
    pub(super) tests: Vec<String>,
    /// Cases of each test.
    pub(super) cases: usize,
    /// The outcomes on the CPU: see `docs/capture.md`.
    pub(super) expected: usize,
}

/// The header of the file.
#[derive(Serialize)]
struct Header<'a> {
    format: &'static str,
    version: u32,
    title: &'a str,
    program: &'static str,
    commit: &'static str,
    device: &'a DeviceInfo,
    grid: Option<RecordedGrid>,
    stages: &'a [RecordedStage],
    pipelines: &'a [RecordedPipeline],
    buffers: &'a [RecordedBuffer],
    bindings: &'a [RecordedBindings],
    steps: &'a [Step],
    /// Where each blob lies after the header.
    blobs: Vec<BlobPlace>,
}

#[derive(Serialize)]
struct BlobPlace {
    offset: usize,
    bytes: usize,
}

impl Recording {
    /// Whether the device was given anything that gives a result.
    pub fn has_results(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Values { .. } | Step::Sums(_) | Step::Twins(_)))
    }

    /// The file: a header as JSON, then the blobs, compressed by gzip.
    ///
    /// * `title` – what was computed
    /// * `device` – on what
    ///
    /// # Errors
    /// If it cannot be compressed, for want of memory.
    pub fn to_file(&self, title: &str, device: &DeviceInfo) -> std::io::Result<Vec<u8>> {
        let mut end = 0;
        let place = |blob: &Vec<u8>| {
            let place = BlobPlace { offset: end, bytes: blob.len() };
            end += blob.len().next_multiple_of(ALIGNMENT);
            place
        };
        let header = serde_json::to_vec(&Header {
            format: FORMAT,
            version: VERSION,
            title,
            program: env!("CARGO_PKG_VERSION"),
            commit: env!("DOSEGRID_COMMIT"),
            device,
            grid: self.grid,
            stages: &self.stages,
            pipelines: &self.pipelines,
            buffers: &self.buffers,
            bindings: &self.bindings,
            steps: &self.steps,
            blobs: self.blobs.iter().map(place).collect(),
        })?;
        let mut file = GzEncoder::new(Vec::new(), Compression::best());
        file.write_all(MAGIC)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        for part in std::iter::once(&header).chain(&self.blobs) {
            file.write_all(part)?;
            file.write_all(&[0; ALIGNMENT][..part.len().next_multiple_of(ALIGNMENT) - part.len()])?;
        }
        file.finish()
    }

    /// Keeps bytes once, however often they occur; gives their number.
    pub(super) fn blob(&mut self, bytes: &[u8]) -> usize {
        if let Some(known) = self.blobs.iter().position(|blob| blob == bytes) {
            return known;
        }
        self.blobs.push(bytes.to_vec());
        self.blobs.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::domain::DeviceKind;

    #[test]
    fn a_file_holds_its_header_and_each_blob_where_the_header_says() {
        let mut recording = Recording::default();
        assert!(!recording.has_results());
        let blobs = [recording.blob(b"seven b"), recording.blob(&[9; 16]), recording.blob(b"seven b")];
        assert_eq!(blobs, [0, 1, 0], "the same bytes are kept once");
        let values =
            Step::Values { buffer: 0, offset: 0, first_voxel: 0, blob: 1, sha256: crate::digest::sha256_hex([9; 16]) };
        recording.steps.push(values);
        assert!(recording.has_results());
        let device = DeviceInfo {
            id: "gpu:0".into(),
            kind: DeviceKind::SoftwareGpu,
            name: "x".into(),
            backend: "vulkan".into(),
            driver: "1".into(),
        };
        let packed = recording.to_file("two blobs", &device).expect("there is memory");
        let mut file = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut file).expect("gzip");
        assert_eq!(&file[..8], MAGIC);
        let header_bytes = usize::try_from(u64::from_le_bytes(file[8..16].try_into().expect("eight"))).expect("small");
        let header: serde_json::Value = serde_json::from_slice(&file[16..16 + header_bytes]).expect("JSON");
        assert_eq!((&header["format"], &header["version"]), (&FORMAT.into(), &VERSION.into()));
        assert_eq!(header["steps"][0]["do"], "values");
        let data = &file[16 + header_bytes.next_multiple_of(ALIGNMENT)..];
        for (number, blob) in recording.blobs.iter().enumerate() {
            let place =
                |key: &str| usize::try_from(header["blobs"][number][key].as_u64().expect("a number")).expect("small");
            assert_eq!(place("offset") % ALIGNMENT, 0);
            assert_eq!(&data[place("offset")..place("offset") + place("bytes")], blob);
        }
    }
}
