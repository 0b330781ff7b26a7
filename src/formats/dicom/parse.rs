//! From the bytes of a file to its data set: with or without preamble, deflated or not.

use std::borrow::Cow;

use dicom_core::value::Value;
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use flate2::{Decompress, FlushDecompress, Status};

use super::attributes::{Attributes, Object};
use super::lengths::Encoding;
use super::pixels::Stored;
use super::{escapes, unknown};
use crate::domain::Invalid;

/// Explicit VR Big Endian, retired and still met.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Bytes before the four letters `DICM`.
pub(super) const PREAMBLE_BYTES: usize = 128;
/// Most bytes that a deflated data set may become.
const MAX_INFLATED_BYTES: u64 = 1 << 30;
/// How much larger than its file a deflated data set may be: images deflate to a tenth or so. Up to 64 MiB it may be
/// more: masks are nearly empty.
const MAX_INFLATION: u64 = 200;
const ALWAYS_INFLATED_BYTES: u64 = 64 << 20;
/// Bytes that it becomes at a time, at least.
const INFLATED_AT_ONCE: usize = 64 << 10;
/// Most bytes of a file.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 30;

/// A data set without its pixels, and these.
pub(super) struct Parsed {
    pub(super) object: Object,
    /// UID of the transfer syntax.
    pub(super) syntax: String,
    pub(super) stored: Option<Stored>,
}

/// How the bytes of a file begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// With a preamble and file meta information.
    Preamble,
    /// With file meta information, the preamble left out.
    Meta,
    /// With the data set, in this transfer syntax.
    DataSet(&'static str),
}

/// Whether bytes are the start of a DICOM file.
pub(super) fn is_dicom(head: &[u8]) -> bool {
    start_of(head).is_some()
}

fn start_of(head: &[u8]) -> Option<Start> {
    if head.get(PREAMBLE_BYTES..PREAMBLE_BYTES + 4) == Some(b"DICM") {
        return Some(Start::Preamble);
    }
    if head.starts_with(b"DICM") {
        return Some(Start::Meta);
    }
    let first: [u8; 8] = head.get(..8)?.try_into().expect("8 bytes");
    let has_representation = first[4].is_ascii_uppercase() && first[5].is_ascii_uppercase();
    let group = u16::from_le_bytes([first[0], first[1]]);
    if group == 2 && has_representation {
        return Some(Start::Meta);
    }
    // The first attributes of a data set, such as the character set, are short and of group 8.
    match first[..2] {
        [8, 0] if has_representation => Some(Start::DataSet(uids::EXPLICIT_VR_LITTLE_ENDIAN)),
        [8, 0] => {
            let length = u32::from_le_bytes([first[4], first[5], first[6], first[7]]);
            (length <= 1024 && first[3] < 0x31).then_some(Start::DataSet(uids::IMPLICIT_VR_LITTLE_ENDIAN))
        }
        [0, 8] if has_representation => Some(Start::DataSet(BIG_ENDIAN)),
        _ => None,
    }
}

/// Parses a file.
///
/// # Errors
/// If it is no DICOM file, is cut short, or is encoded in a way that is not read.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Invalid> {
    let start = start_of(bytes).ok_or_else(|| Invalid::new("is not a DICOM file"))?;
    let (syntax, rest) = match start {
        Start::DataSet(syntax) => (syntax.to_owned(), bytes),
        Start::Preamble => split_meta(&bytes[PREAMBLE_BYTES + 4..])?,
        Start::Meta => split_meta(bytes.strip_prefix(b"DICM").unwrap_or(bytes))?,
    };
    let known = TransferSyntaxRegistry.get(&syntax).ok_or_else(|| {
        Invalid::new(format!("is in the transfer syntax {}, which is not known", uid_in_words(&syntax)))
    })?;
    let broken = |_| Invalid::new("is a damaged DICOM file: its data set cannot be read to the end");
    let (plain, known) = if syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        let plain = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN).expect("every registry has it");
        (Cow::Owned(inflate(rest)?), plain)
    } else {
        (Cow::Borrowed(rest), known)
    };
    let (plain, written) = unknown::named(plain, encoding_of(&syntax))?;
    let known = if syntax == BIG_ENDIAN && !written.big_endian {
        TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN).expect("every registry has it")
    } else {
        known
    };
    let mut object = InMemDicomObject::read_dataset_with_ts(&*plain, known).map_err(broken)?;
    drop(plain);
    escapes::repair(&mut object);
    let pixels = object.take(tags::PIXEL_DATA).map(|element| element.into_value());
    let stored = match pixels {
        Some(Value::Primitive(values)) => Some(Stored::native(values, syntax == BIG_ENDIAN)?),
        Some(Value::PixelSequence(sequence)) => {
            let (offsets, fragments) = sequence.into_parts();
            Some(Stored::Encapsulated { fragments: fragments.into_vec(), offsets: offsets.into_vec() })
        }
        Some(Value::Sequence(_)) | None => None,
    };
    Ok(Parsed { object, syntax, stored })
}

pub(super) fn encoding_of(syntax: &str) -> Encoding {
    Encoding { explicit: syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN, big_endian: syntax == BIG_ENDIAN }
}

/// The transfer syntax of file meta information, and what follows it.
fn split_meta(bytes: &[u8]) -> Result<(String, &[u8]), Invalid> {
    let broken = || Invalid::new("is a damaged DICOM file: its file meta information makes no sense");
    // Its own length is not believed: the group ends where another begins.
    let mut at = 0;
    let mut syntax = None;
    while let Some(head) = bytes.get(at..at + 8) {
        if head[..2] != [2, 0] {
            break;
        }
        let is_long = matches!(&head[4..6], b"OB" | b"OW" | b"UN" | b"SQ" | b"UT");
        let (skip, length) = if is_long {
            let long = bytes.get(at + 8..at + 12).ok_or_else(broken)?;
            (12, u32::from_le_bytes(long.try_into().expect("4 bytes")) as usize)
        } else {
            (8, usize::from(u16::from_le_bytes([head[6], head[7]])))
        };
        let value = bytes.get(at + skip..).and_then(|rest| rest.get(..length)).ok_or_else(broken)?;
        if head[2..4] == [0x10, 0] {
            let text = String::from_utf8_lossy(value);
            syntax = Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned());
        }
        at += skip + length;
    }
    let syntax = syntax.ok_or_else(|| Invalid::new("is a damaged DICOM file: it does not name its transfer syntax"))?;
    Ok((syntax, &bytes[at..]))
}

pub(super) fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    let most = MAX_INFLATED_BYTES.min((bytes.len() as u64).saturating_mul(MAX_INFLATION).max(ALWAYS_INFLATED_BYTES));
    let damaged = |why| Invalid::new(format!("is a damaged DICOM file: its deflated data set {why}"));
    let (mut inflated, mut state) = (Vec::new(), Decompress::new(false));
    loop {
        let before = (state.total_in(), state.total_out());
        inflated.reserve(inflated.len().clamp(INFLATED_AT_ONCE, 64 * INFLATED_AT_ONCE));
        let rest = usize::try_from(before.0).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
        let status = state.decompress_vec(rest, &mut inflated, FlushDecompress::None);
        if inflated.len() as u64 > most {
            return Err(Invalid::new(format!("is a deflated DICOM file that unpacks to more than {most} bytes")));
        }
        match status.map_err(|_| damaged("cannot be unpacked"))? {
            Status::StreamEnd => return Ok(inflated),
            Status::Ok | Status::BufError if before == (state.total_in(), state.total_out()) => {
                return Err(damaged("is cut short: its end is missing"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// A transfer syntax for a reader, by its name where it has one.
pub(super) fn syntax_in_words(syntax: &str) -> String {
    TransferSyntaxRegistry
        .get(syntax)
        .map_or_else(|| uid_in_words(syntax), |known| format!("{} ({})", known.name(), known.uid()))
}

/// A UID that is safe in a message.
pub(super) fn uid_in_words(uid: &str) -> String {
    if is_uid(uid) { uid.to_owned() } else { "(not a UID)".to_owned() }
}

/// Whether a text is a UID: digits and dots, at most 64.
pub(super) fn is_uid(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A UID attribute; none where it is not one.
pub(super) fn uid(object: &Object, tag: dicom_core::Tag) -> Option<String> {
    object.text(tag).filter(|text| is_uid(text))
}
