//! Studies of many patients, made by script: each with a dose and a name of its own, some with what goes wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use dicom_core::value::PixelFragmentSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject};

use dosegrid::demo::{DicomStudy, StylisedPhantom};
use dosegrid::formats::dicom::write::{Administration, Reference, ct_slices, nm_tomography};

/// Coarse voxels: quick.
const SHAPE: [u64; 3] = [16, 16, 12];
/// Times of the images, by the order of the days.
const DAYS: [[&str; 2]; 2] = [["20260106", "090000"], ["20260108", "090000"]];
/// What stands where the name will be, in ASCII.
const FILLER: &str = "@";

/// What is particular about a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Plain,
    /// Slices in RLE.
    Compressed,
    /// Two images, of two days.
    TwoScans,
    /// Every file comes twice.
    Twice,
    /// A slice in the middle comes after the others.
    Late,
    /// A slice in the middle does not come.
    Missing,
    /// The CT lies in another frame of reference.
    OtherFrame,
    UnknownNuclide,
    /// Counts, and nothing that makes activity of them.
    NoCalibration,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Plain,
        Self::Late,
        Self::OtherFrame,
        Self::Compressed,
        Self::Missing,
        Self::TwoScans,
        Self::UnknownNuclide,
        Self::Twice,
        Self::NoCalibration,
    ];

    /// Words of the reason for which it is put aside; none: its dose is sent.
    pub(super) fn aside(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Compressed | Self::TwoScans | Self::Twice | Self::Late => None,
            Self::Missing => Some("slices are missing"),
            Self::OtherFrame => Some("no CT lies in the frame of reference"),
            Self::UnknownNuclide => Some("nuclide: is needed"),
            Self::NoCalibration => Some("calibration"),
        }
    }
}

/// Names with the Specific Character Set that they are written in: as the bytes of files.
/// Source: DICOM PS3.5, annexes H, I and J, for Japanese, Korean and Chinese.
const NAMES: [(&str, &[u8]); 10] = [
    ("ISO_IR 6", b"CANARY^PLAIN"),
    ("ISO_IR 100", b"M\xfcller^J\xf6rg^CANARY"),
    ("ISO_IR 101", b"Wa\xb3\xeasa^Lech^CANARY"),
    ("ISO_IR 144", b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3^CANARY"),
    ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2^CANARY"),
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3^CANARY"),
    ("\\ISO 2022 IR 87", b"Yamada^CANARY=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
    ("\\ISO 2022 IR 149", b"Hong^CANARY=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
    ("GB18030", b"Wang^CANARY=\xcd\xf5^\xd0\xa1\xb6\xab"),
    ("ISO_IR 192", "Wang^CANARY=王^小東=Ἀρχιμήδης".as_bytes()),
];

/// The name of a patient, padded to an even length.
pub(super) fn name(number: usize) -> (&'static str, Vec<u8>) {
    let (set, name) = NAMES[number % NAMES.len()];
    let mut name = name.to_vec();
    if name.len() % 2 == 1 {
        name.push(b' ');
    }
    (set, name)
}

/// A study that is made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) number: usize,
    pub(super) study: String,
    /// Its files, without the late one.
    pub(super) files: Vec<PathBuf>,
    pub(super) late: Option<PathBuf>,
}

/// The demonstration's study, whose activities are scaled for each patient.
fn demonstration() -> &'static DicomStudy {
    static STUDY: OnceLock<DicomStudy> = OnceLock::new();
    STUDY.get_or_init(|| DicomStudy::of(&StylisedPhantom::new(SHAPE).expect("a good shape")).expect("a study"))
}

/// Makes the study of a patient in a new folder.
pub(super) fn make(folder: &Path, number: usize, kind: Kind) -> Made {
    let id = format!("CANARY-{number}");
    let reference = Reference::made_up("X", &id, "20260105");
    let other = Reference::made_up("X", &format!("{id}-elsewhere"), "20260105");
    fs::create_dir_all(folder).expect("a writable folder");
    let demonstration = demonstration();
    let write = |path: PathBuf, object: &dosegrid::formats::dicom::write::DicomObject| {
        object.write(&path).expect("a writable folder");
        path
    };
    let mut images = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "a few patients")]
    let scale = 1.0 + number as f32 / 1024.0;
    let nuclide = if kind == Kind::UnknownNuclide { ["C-0", "Unobtainium"] } else { ["447553000", "^177^Lutetium"] };
    let administration = Administration { nuclide, time: "20260105090000", activity_mbq: 7400.0 };
    let days = if kind == Kind::TwoScans { 2 } else { 1 };
    for (day, time) in DAYS.into_iter().enumerate().take(days) {
        let activity = demonstration.activities[day].map(|value| value * scale);
        let image = nm_tomography(&activity, time, &administration, &reference).expect("an activity");
        images.push(write(folder.join(format!("nm-{day}.dcm")), &image));
    }
    let of_ct = if kind == Kind::OtherFrame { &other } else { &reference };
    let slices = ct_slices(&demonstration.ct, DAYS[0], of_ct).expect("a CT");
    let slices: Vec<PathBuf> =
        (0..).zip(&slices).map(|(at, slice)| write(folder.join(format!("ct-{at:02}.dcm")), slice)).collect();
    let study = uid(&open(&images[0]), tags::STUDY_INSTANCE_UID);
    for path in images.iter().chain(&slices) {
        let mut object = open(path);
        object.put(DataElement::new(tags::STUDY_INSTANCE_UID, VR::UI, PrimitiveValue::from(study.as_str())));
        object.put(DataElement::new(tags::PATIENT_ID, VR::LO, PrimitiveValue::from(id.as_str())));
        if kind == Kind::NoCalibration {
            object.remove_element(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
        }
        if kind == Kind::TwoScans && images.contains(path) {
            object.put(DataElement::new(tags::SERIES_DESCRIPTION, VR::LO, PrimitiveValue::from("two days")));
        }
        if kind == Kind::Compressed && slices.contains(path) {
            compress(&mut object);
        }
        rename(object, path, number);
    }
    let (late, files): (Vec<PathBuf>, Vec<PathBuf>) = images
        .into_iter()
        .chain(slices.iter().cloned())
        .partition(|path| matches!(kind, Kind::Late | Kind::Missing) && *path == slices[5]);
    let late = late.into_iter().next().filter(|_| kind == Kind::Late);
    Made { kind, number, study, files, late }
}

fn open(path: &Path) -> DefaultDicomObject {
    dicom_object::open_file(path).expect("a DICOM file")
}

fn uid(object: &InMemDicomObject, tag: dicom_core::Tag) -> String {
    object.element(tag).expect("it").to_str().expect("text").trim_matches(['\0', ' ']).to_owned()
}

/// Gives a file the name of a patient, as bytes in a character set of its own, and a time of writing that is long ago.
fn rename(mut object: DefaultDicomObject, path: &Path, number: usize) {
    let (set, name) = name(number);
    let filler = FILLER.repeat(name.len());
    object.put(DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::from(filler.as_str())));
    object.put(DataElement::new(
        tags::SPECIFIC_CHARACTER_SET,
        VR::CS,
        PrimitiveValue::Strs(set.split('\\').map(str::to_owned).collect()),
    ));
    object.write_to_file(path).expect("a writable folder");
    let mut bytes = fs::read(path).expect("a file");
    let at = bytes.windows(name.len()).position(|part| part == filler.as_bytes()).expect("the filler");
    bytes[at..at + name.len()].copy_from_slice(&name);
    fs::write(path, bytes).expect("a writable folder");
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().append(true).open(path).and_then(|file| file.set_modified(long_ago)).expect("a file of ours");
}

/// Pixels of 16 bits in RLE: the high bytes, then the low ones, each run literal. Source: DICOM PS3.5, annex G.
fn compress(object: &mut DefaultDicomObject) {
    let pixels = object.element(tags::PIXEL_DATA).expect("pixels").to_bytes().expect("bytes").into_owned();
    let mut fragment: Vec<u8> = vec![0; 64];
    fragment[..4].copy_from_slice(&2u32.to_le_bytes());
    for (number, byte) in [(1, 1), (2, 0)] {
        let start = u32::try_from(fragment.len()).expect("a small slice");
        fragment[4 * number..4 * number + 4].copy_from_slice(&start.to_le_bytes());
        let plane: Vec<u8> = pixels.chunks_exact(2).map(|pixel| pixel[byte]).collect();
        for run in plane.chunks(128) {
            fragment.push(u8::try_from(run.len() - 1).expect("at most 127"));
            fragment.extend(run);
        }
        if fragment.len() % 2 == 1 {
            fragment.push(0x80);
        }
    }
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new_fragments(vec![fragment])));
    object.update_meta(|meta| meta.transfer_syntax = uids::RLE_LOSSLESS.to_owned());
}
