//! Tallies of Monte Carlo runs, which can be merged with others.
//!
//! ```text
//! "dosegrid tally 1\n" · u32 length · JSON: scene, runs, grid
//! per group: u64 histories, u128 emitted, deposited, escaped
//! zlib of: f32 decays · f32 density · per group and voxel: energy in units of 2⁻²⁶ MeV, LEB128
//! SHA-256 of all of the above
//! ```
//!
//! Numbers are little-endian, voxels x fastest. The same record gives the same bytes. If rejection loops reached their
//! bound, the JSON has their number for each group, as `exhausted_rejections`.

mod checkpoint;
mod read;
mod write;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::domain::grid::Affine;
use crate::domain::{HistoryRun, SceneAccount};

pub use checkpoint::{decode_checkpoint, encode_checkpoint};
pub use read::{check_start, decode, read, read_grid};
pub use write::{encode, write};

const MAGIC: &[u8; 17] = b"dosegrid tally 1\n";

#[derive(Serialize, Deserialize)]
struct Header {
    scene: SceneAccount,
    runs: Vec<HistoryRun>,
    shape: [u64; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
    /// Rejection loops of each group that reached their bound. Left out where there are none, as nearly always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exhausted_rejections: Vec<u64>,
}

/// Passes bytes on and computes their digest.
struct Hashing<W> {
    inner: W,
    digest: Digest,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        ActivityUnit, DensityMap, DeviceInfo, DeviceKind, EmissionAccount, HistoryCuts, TallyRecord,
        TimeIntegratedActivity, Volume, VoxelGrid,
    };
    use crate::domain::{GroupTally, Tally};

    fn run(first_history: u64, histories: u64) -> HistoryRun {
        let device = DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "a CPU".into(),
            backend: "native".into(),
            driver: String::new(),
        };
        HistoryRun { first_history, histories, device, version: "1".into(), commit: "c".into() }
    }

    fn scene() -> SceneAccount {
        SceneAccount {
            sha256: "00".into(),
            seed: u64::MAX,
            groups: 32,
            max_histories: 32 << 32,
            cuts: HistoryCuts { absorption_mev: 0.1, collision_mev: 0.2, photon_mev: 0.3, track_length_mev: 1.0 / 3.0 },
            nuclide: "Lu-177".into(),
            nuclide_data_sha256: "11".into(),
            source: crate::domain::SourceAccount::default(),
            emissions: EmissionAccount {
                custom: false,
                sha256: "22".into(),
                electron_mev: 0.1478,
                positron_mev: 0.0,
                photon_mev: 0.1 + 0.2,
                local_mev: 0.0,
                released_mev: 0.4478,
                particles: 2.0,
                highest_mev: 0.5,
            },
            medium: "by-density".into(),
            materials: vec![],
            voxel_materials_sha256: "33".into(),
            minimum_density_g_cm3: 0.05,
        }
    }

    fn record() -> TallyRecord {
        let affine = [[-2.0, 0.0, 0.0, 0.1], [0.0, 2.5, 0.0, -126.3], [0.0, 0.0, 3.0, 1.0 / 3.0]];
        let grid = VoxelGrid::new([3, 2, 1], [2.0, 2.5, 3.0]).and_then(|grid| grid.with_affine(affine));
        let grid = Arc::new(grid.expect("a good grid"));
        let volume = |values: [f32; 6]| Volume::from_vec(grid.clone(), values.to_vec()).expect("six values");
        let group = |g: u64| GroupTally {
            histories: g,
            emitted: u128::MAX - u128::from(g),
            deposited: 7,
            escaped: 1 << 70,
            exhausted_rejections: 0,
            energy: [0, 127, 128, u64::MAX - g, 1 << 63, g].into(),
        };
        TallyRecord {
            scene: scene(),
            runs: vec![run(0, 100), run(100, 50), run(1 << 36, 9)],
            activity: TimeIntegratedActivity::new(volume([0.0, 1.5, 1e23, 3.0, 4.0, 1e-30]), ActivityUnit::BqS)
                .expect("an activity"),
            density: DensityMap::new(volume([0.0, 1.0, 1.05, 0.26, 1.9, 25.0])).expect("a density"),
            tally: Tally::of((0..32).map(group).collect()),
        }
    }

    fn encoded(record: &TallyRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, record).expect("memory takes all");
        bytes
    }

    /// The bytes with a digest that fits them.
    fn signed(body: &[u8]) -> Vec<u8> {
        let mut digest = Digest::new();
        digest.update(body);
        [body, &digest.bytes()].concat()
    }

    fn refused(bytes: &[u8]) -> String {
        decode(Cursor::new(bytes)).expect_err("no good tally").0
    }

    #[test]
    fn a_record_survives_to_the_last_bit() {
        let bytes = encoded(&record());
        assert_eq!(decode(Cursor::new(&bytes)), Ok(record()));
        assert_eq!(encoded(&record()), bytes);
    }

    #[test]
    fn rejection_loops_at_their_bound_are_kept_and_take_no_bytes_where_there_are_none() {
        assert!(!String::from_utf8_lossy(&encoded(&record())).contains("exhausted"));
        let mut record = record();
        record.tally.groups[3].exhausted_rejections = 5;
        let read = decode(Cursor::new(&encoded(&record))).expect("a good tally");
        assert_eq!((read.tally.exhausted_rejections(), read), (5, record));
    }

    #[test]
    fn the_start_of_a_tally_says_whether_it_is_of_a_grid() {
        let (bytes, record) = (encoded(&record()), record());
        let grid = record.activity.decays().grid();
        let end = bytes.windows(2).position(|pair| pair == b"}\0").expect("its first group has no history") + 1;
        for length in 0..end {
            assert_eq!(check_start(&bytes[..length], grid), None, "{length}");
        }
        assert_eq!(check_start(&bytes[..end], grid), Some(Ok(())));
        assert_eq!(check_start(&bytes, grid), Some(Ok(())));
        let other = VoxelGrid::new([3, 2, 2], [2.0, 2.5, 3.0]).expect("a good grid");
        let refused = |start: &[u8], grid: &VoxelGrid| check_start(start, grid).expect("known").expect_err("bad").0;
        assert!(refused(&bytes[..end], &other).contains("[3, 2, 1]"));
        assert!(refused(b"no", grid).contains("no tally"));
        // A header longer than any is refused by its length.
        let long = [&bytes[..17], &u32::MAX.to_le_bytes()].concat();
        assert!(refused(&long, grid).contains("damaged"));
        let text = [&bytes[..17], &2u32.to_le_bytes(), b"{}"].concat();
        assert!(refused(&text, grid).contains("another version"));
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_found() {
        let bytes = encoded(&record());
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x10;
            assert!(!refused(&damaged).is_empty(), "byte {position}");
            assert!(!refused(&bytes[..position]).is_empty(), "cut at {position}");
        }
        assert!(refused(&[&bytes[..], b"more"].concat()).contains("damaged"));
        assert!(refused(b"").contains("no tally") && refused(&[0; 500]).contains("no tally"));
    }

    #[test]
    fn a_good_digest_of_bad_content_is_not_enough() {
        let bytes = encoded(&record());
        let body = &bytes[..bytes.len() - 32];
        assert_eq!(decode(Cursor::new(signed(body))), Ok(record()));
        for length in [17, 18, 21, 500, body.len() - 1] {
            assert!(!refused(&signed(&body[..length])).is_empty(), "{length}");
        }
        let text = String::from_utf8_lossy(body).into_owned();
        let at = text.find("\"shape\":[3,2,1]").expect("the shape is in the header");
        // The replaced text is as long as before.
        for (from, to) in [("[3,2,1]", "[3,2,2]"), ("[3,2,1]", "[9,9,9]"), ("[3,2,1]", "[0,2,1]")] {
            let mut changed = body.to_vec();
            changed[at + 8..at + 8 + from.len()].copy_from_slice(to.as_bytes());
            assert!(!refused(&signed(&changed)).is_empty(), "{to}");
        }
        let mut overlapping = record();
        overlapping.runs[1].first_history = 99;
        assert!(refused(&encoded(&overlapping)).contains("overlap"));
    }
}
