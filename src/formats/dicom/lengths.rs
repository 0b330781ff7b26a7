//! Whether every element of a data set ends within the file, and holds whole values: the parser reserves what a length
//! promises, 4 GB for a file of 3 kB, and goes on in the middle of an element whose last value is cut short.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::domain::Invalid;

/// Most sequences inside one another.
const MAX_DEPTH: usize = 64;
/// A length that is not written: a delimiter ends what it belongs to.
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// How elements are written.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    /// Whether each names its value representation.
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

/// Checks all lengths of a data set.
///
/// # Errors
/// If an element is longer than what holds it.
pub(super) fn check(bytes: &[u8], encoding: Encoding) -> Result<(), Invalid> {
    walk(Walk { bytes, encoding, is_sent: false })
}

/// As [`check`], of a data set that is passed on and not read: of what stands behind it zeros may be there, and of what
/// no parser is needed for, sequences without a representation.
///
/// # Errors
/// As [`check`].
pub(super) fn check_sent(bytes: &[u8], encoding: Encoding) -> Result<(), Invalid> {
    walk(Walk { bytes, encoding, is_sent: true })
}

fn walk(walk: Walk) -> Result<(), Invalid> {
    walk.data_set(0, walk.bytes.len(), MAX_DEPTH).map(drop).ok_or_else(|| {
        Invalid::new(
            "is a damaged DICOM file: it is cut short, or an element is longer than the file or ends within a value",
        )
    })
}

struct Walk<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    /// Whether it is passed on and not read.
    is_sent: bool,
}

/// The start of an element.
struct Head {
    tag: Tag,
    /// Where the value begins.
    start: usize,
    length: u32,
    is_sequence: bool,
    /// Whether its representation is UN.
    is_unknown: bool,
    /// Bytes of a value.
    value_bytes: u32,
}

/// Bytes of a value of a representation.
fn value_bytes(vr: VR) -> u32 {
    use VR::{AT, FD, FL, OD, OF, OL, OV, OW, SL, SS, SV, UL, US, UV};
    if matches!(vr, FD | OD | OV | SV | UV) {
        8
    } else if matches!(vr, AT | FL | OF | OL | SL | UL) {
        4
    } else if matches!(vr, OW | SS | US) {
        2
    } else {
        1
    }
}

impl Walk<'_> {
    /// Where a data set ends: with its delimiter, or at `end`. None if a length goes beyond.
    fn data_set(&self, mut at: usize, end: usize, depth: usize) -> Option<usize> {
        while at < end {
            if self.is_sent && depth == MAX_DEPTH && self.bytes[at..end].iter().all(|byte| *byte == 0) {
                return Some(end);
            }
            let head = self.head(at, end)?;
            if head.tag == ITEM_END || head.tag == SEQUENCE_END {
                return Some(head.start);
            }
            at = self.value(&head, end, depth.checked_sub(1)?)?;
        }
        Some(at)
    }

    /// Where a value ends.
    fn value(&self, head: &Head, end: usize, depth: usize) -> Option<usize> {
        if head.length == UNDEFINED && head.is_unknown && self.is_sent {
            // Its inside is in implicit VR little endian (PS3.5, 6.2.2).
            let encoding = Encoding { explicit: false, big_endian: false };
            return Walk { encoding, ..*self }.items(head.start, end, true, depth);
        }
        if head.length == UNDEFINED {
            return self.items(head.start, end, head.is_sequence, depth);
        }
        let stop = head.start.checked_add(head.length as usize).filter(|stop| *stop <= end)?;
        // Of what is last, pixels mostly, nothing follows that could be read wrongly.
        if !head.length.is_multiple_of(head.value_bytes) && stop != self.bytes.len() {
            return None;
        }
        if head.is_sequence {
            self.items(head.start, stop, true, depth)?;
        }
        Some(stop)
    }

    /// Where the items of a sequence end, or the fragments of pixels.
    fn items(&self, mut at: usize, end: usize, hold_data_sets: bool, depth: usize) -> Option<usize> {
        while at < end {
            let head = self.head(at, end)?;
            match head.tag {
                SEQUENCE_END => return Some(head.start),
                ITEM if head.length == UNDEFINED => at = self.data_set(head.start, end, depth)?,
                ITEM => {
                    let stop = head.start.checked_add(head.length as usize).filter(|stop| *stop <= end)?;
                    if hold_data_sets {
                        self.data_set(head.start, stop, depth)?;
                    }
                    at = stop;
                }
                _ => return None,
            }
        }
        Some(at)
    }

    fn head(&self, at: usize, end: usize) -> Option<Head> {
        let part = self.bytes.get(at..end)?;
        let tag = Tag(self.short(part.get(..2)?), self.short(part.get(2..4)?));
        if !self.encoding.explicit || tag.group() == ITEM.group() {
            let length = self.long(part.get(4..8)?);
            let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
            // Of a sequence that is not known, only its delimiter tells the end.
            let is_sequence = length == UNDEFINED || vr == VR::SQ;
            let value_bytes = value_bytes(vr);
            return Some(Head { tag, start: at + 8, length, is_sequence, is_unknown: false, value_bytes });
        }
        let representation = part.get(4..6)?;
        let vr = VR::from_binary([representation[0], representation[1]]);
        let is_long = vr.is_none_or(|vr| {
            use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
            matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
        });
        if !is_long {
            let length = self.short(part.get(6..8)?);
            let value_bytes = vr.map_or(1, value_bytes);
            let length = length.into();
            return Some(Head { tag, start: at + 8, length, is_sequence: false, is_unknown: false, value_bytes });
        }
        let length = self.long(part.get(8..12)?);
        let value_bytes = vr.map_or(1, value_bytes);
        let (is_sequence, is_unknown) = (vr == Some(VR::SQ), vr == Some(VR::UN));
        Some(Head { tag, start: at + 12, length, is_sequence, is_unknown, value_bytes })
    }

    fn short(&self, bytes: &[u8]) -> u16 {
        let pair = [bytes[0], bytes[1]];
        if self.encoding.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }

    fn long(&self, bytes: &[u8]) -> u32 {
        let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if self.encoding.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPLICIT: Encoding = Encoding { explicit: false, big_endian: false };
    const EXPLICIT: Encoding = Encoding { explicit: true, big_endian: false };

    #[test]
    fn lengths_beyond_the_file_are_found() {
        let good = [8, 0, 5, 0, b'C', b'S', 2, 0, b'A', b' '];
        assert!(check(&good, EXPLICIT).is_ok());
        assert!(check(&good[..9], EXPLICIT).is_err());
        // A long element of 4 GB.
        assert!(check(&[8, 0, 5, 0, b'O', b'B', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 1], EXPLICIT).is_err());
        assert!(check(&[8, 0, 5, 0, 2, 0, 0, 0, b'A', b' '], IMPLICIT).is_ok());
        assert!(check(&[8, 0, 5, 0, 3, 0, 0, 0, b'A', b' '], IMPLICIT).is_err());
    }

    #[test]
    fn values_are_whole_but_for_the_last_element() {
        // Rows of one byte, and of two, before Columns; pixels of three bytes at the end.
        let rows = |bytes: &[u8]| {
            [&[0x28, 0, 0x10, 0, b'U', b'S', u8::try_from(bytes.len()).expect("short"), 0][..], bytes].concat()
        };
        let next = [0x28, 0, 0x11, 0, b'U', b'S', 2, 0, 4, 0];
        let pixels = [0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0, 3, 0, 0, 0, 1, 2, 3];
        assert!(check(&[&rows(&[4, 0])[..], &next].concat(), EXPLICIT).is_ok());
        assert!(check(&[&rows(&[4])[..], &next].concat(), EXPLICIT).is_err());
        assert!(check(&[&next[..], &pixels].concat(), EXPLICIT).is_ok());
        assert!(check(&[&pixels[..], &next].concat(), EXPLICIT).is_err());
        let implicit = [0x28, 0, 0x10, 0, 3, 0, 0, 0, 4, 0, 0, 0x28, 0, 0x11, 0, 2, 0, 0, 0, 4, 0];
        assert!(check(&implicit, IMPLICIT).is_err());
    }

    #[test]
    fn what_is_inside_a_sequence_counts_too() {
        // Referenced Series Sequence, an item of 10 bytes, an element in it of two, then of 200 bytes.
        let head = [8, 0, 0x15, 0x11, 18, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0, 10, 0, 0, 0];
        let with = |length: u8| [&head[..], &[8, 0, 5, 0, length, 0, 0, 0, b'A', b' ']].concat();
        assert!(check(&with(2), IMPLICIT).is_ok());
        assert!(check(&with(200), IMPLICIT).is_err());
    }
}
