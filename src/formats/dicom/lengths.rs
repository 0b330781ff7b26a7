//! Whether every element of a data set ends within the file, and holds whole values: the parser reserves what a length
//! promises, 4 GB for a file of 3 kB, and goes on in the middle of an element whose last value is cut short.

use std::cell::Cell;
use std::collections::BTreeSet;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::domain::Invalid;

/// Most sequences inside one another.
pub(super) const MAX_DEPTH: usize = 64;
/// A length that is not written: a delimiter ends what it belongs to.
pub(super) const UNDEFINED: u32 = u32::MAX;
pub(super) const ITEM: Tag = Tag(0xFFFE, 0xE000);
pub(super) const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
pub(super) const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
/// How what stands within an element of unknown representation is written (PS3.5, 6.2.2).
pub(super) const WITHIN_UNKNOWN: Encoding = Encoding { explicit: false, big_endian: false };

/// How elements are written.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    /// Whether each names its value representation.
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

/// What is known of a data set whose lengths are good.
pub(super) struct Checked {
    /// Its elements, without those within sequences.
    pub(super) tags: BTreeSet<Tag>,
    /// Whether an element, within a sequence or not, has the representation UN and is known by its tag or structure.
    pub(super) has_unknown: bool,
}

/// Checks all lengths of a data set, and that no element is there twice.
///
/// # Errors
/// If an element is longer than what holds it, or is there twice.
pub(super) fn check(bytes: &[u8], encoding: Encoding) -> Result<Checked, Invalid> {
    walk(bytes, encoding, false)
}

/// As [`check`], of a data set that is passed on and not read: of what stands behind it zeros may be there, of what no
/// parser is needed for, sequences without a representation, and elements twice.
///
/// # Errors
/// As [`check`].
pub(super) fn check_sent(bytes: &[u8], encoding: Encoding) -> Result<Checked, Invalid> {
    walk(bytes, encoding, true)
}

fn walk(bytes: &[u8], encoding: Encoding, is_sent: bool) -> Result<Checked, Invalid> {
    let unknown = Cell::new(false);
    let walk = Walk { bytes, encoding, is_sent, unknown: &unknown };
    let mut tags = BTreeSet::new();
    match walk.data_set(0, bytes.len(), MAX_DEPTH, &mut tags, false) {
        Ok(_) => Ok(Checked { tags, has_unknown: unknown.get() }),
        Err(Fault::Cut) => Err(Invalid::new(
            "is a damaged DICOM file: it is cut short, or an element is longer than the file or ends within a value",
        )),
        Err(Fault::Twice(tag)) => Err(Invalid::new(format!(
            "is a damaged DICOM file: its element {tag} is there twice, which the standard forbids"
        ))),
    }
}

/// What is wrong with a data set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It ends before it should, or an element goes beyond what holds it.
    Cut,
    /// An element is there twice.
    Twice(Tag),
}

#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoding: Encoding,
    /// Whether it is passed on and not read.
    pub(super) is_sent: bool,
    /// Is told of elements of the representation UN.
    pub(super) unknown: &'a Cell<bool>,
}

/// The start of an element.
pub(super) struct Head {
    pub(super) tag: Tag,
    /// Where the value begins.
    pub(super) start: usize,
    pub(super) length: u32,
    pub(super) is_sequence: bool,
    /// Its representation, as it is written or as the dictionary knows it; none if it is no known one.
    pub(super) vr: Option<VR>,
    /// Whether its representation is UN.
    pub(super) is_unknown: bool,
    /// Bytes of a value.
    value_bytes: u32,
}

/// Bytes of a value of a representation.
pub(super) fn value_bytes(vr: VR) -> u32 {
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

/// The representation of an element by the dictionary; UN where that does not know it.
pub(super) fn known_as(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

impl Walk<'_> {
    /// Where a data set ends: with its delimiter, or at `end`.
    ///
    /// * `tags` – is told of its elements
    /// * `is_delimited` – whether a delimiter has to end it
    fn data_set(
        &self,
        mut at: usize,
        end: usize,
        depth: usize,
        tags: &mut BTreeSet<Tag>,
        is_delimited: bool,
    ) -> Result<usize, Fault> {
        while at < end {
            if self.is_sent && depth == MAX_DEPTH && self.bytes[at..end].iter().all(|byte| *byte == 0) {
                return Ok(end);
            }
            let head = self.head(at, end).ok_or(Fault::Cut)?;
            if head.tag == ITEM_END || head.tag == SEQUENCE_END {
                return Ok(head.start);
            }
            if !tags.insert(head.tag) && !self.is_sent {
                return Err(Fault::Twice(head.tag));
            }
            at = self.value(&head, end, depth.checked_sub(1).ok_or(Fault::Cut)?)?;
        }
        if is_delimited { Err(Fault::Cut) } else { Ok(at) }
    }

    /// Where a value ends.
    pub(super) fn value(&self, head: &Head, end: usize, depth: usize) -> Result<usize, Fault> {
        if head.is_unknown && (head.length == UNDEFINED || known_as(head.tag) != VR::UN) {
            self.unknown.set(true);
        }
        if head.length == UNDEFINED && head.is_unknown {
            return Walk { encoding: WITHIN_UNKNOWN, ..*self }.items(head.start, end, true, true, depth);
        }
        if head.length == UNDEFINED {
            return self.items(head.start, end, head.is_sequence, true, depth);
        }
        let stop = head.start.checked_add(head.length as usize).filter(|stop| *stop <= end).ok_or(Fault::Cut)?;
        // Of what is last, pixels mostly, nothing follows that could be read wrongly.
        if !head.length.is_multiple_of(head.value_bytes) && stop != self.bytes.len() {
            return Err(Fault::Cut);
        }
        if head.is_sequence {
            self.items(head.start, stop, true, false, depth)?;
        }
        Ok(stop)
    }

    /// Where the items of a sequence end, or the fragments of pixels.
    ///
    /// * `is_delimited` – whether a delimiter has to end them
    pub(super) fn items(
        &self,
        mut at: usize,
        end: usize,
        hold_data_sets: bool,
        is_delimited: bool,
        depth: usize,
    ) -> Result<usize, Fault> {
        while at < end {
            let head = self.head(at, end).ok_or(Fault::Cut)?;
            match head.tag {
                SEQUENCE_END => return Ok(head.start),
                ITEM if head.length == UNDEFINED => {
                    at = self.data_set(head.start, end, depth, &mut BTreeSet::new(), true)?;
                }
                ITEM => {
                    let stop = head.start.checked_add(head.length as usize).filter(|stop| *stop <= end);
                    let stop = stop.ok_or(Fault::Cut)?;
                    if hold_data_sets {
                        self.data_set(head.start, stop, depth, &mut BTreeSet::new(), false)?;
                    }
                    at = stop;
                }
                _ => return Err(Fault::Cut),
            }
        }
        if is_delimited { Err(Fault::Cut) } else { Ok(at) }
    }

    pub(super) fn head(&self, at: usize, end: usize) -> Option<Head> {
        let part = self.bytes.get(at..end)?;
        let tag = Tag(self.short(part.get(..2)?), self.short(part.get(2..4)?));
        if !self.encoding.explicit || tag.group() == ITEM.group() {
            let length = self.long(part.get(4..8)?);
            let vr = known_as(tag);
            // Of a sequence that is not known, only its delimiter tells the end.
            let is_sequence = length == UNDEFINED || vr == VR::SQ;
            let value_bytes = value_bytes(vr);
            let vr = Some(vr);
            return Some(Head { tag, start: at + 8, length, is_sequence, vr, is_unknown: false, value_bytes });
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
            return Some(Head { tag, start: at + 8, length, is_sequence: false, vr, is_unknown: false, value_bytes });
        }
        let length = self.long(part.get(8..12)?);
        let value_bytes = vr.map_or(1, value_bytes);
        let (is_sequence, is_unknown) = (vr == Some(VR::SQ), vr == Some(VR::UN));
        Some(Head { tag, start: at + 12, length, is_sequence, vr, is_unknown, value_bytes })
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
    fn what_has_no_length_ends_with_its_delimiter() {
        // Pixels of two fragments, and a sequence of one item.
        let fragment = [0xFE, 0xFF, 0, 0xE0, 2, 0, 0, 0, 7, 7];
        let end = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
        let pixels =
            [&[0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF][..], &fragment, &fragment].concat();
        let item = [
            &[8, 0, 0x15, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]
                [..],
            &[8, 0, 5, 0, b'C', b'S', 2, 0, b'A', b' '],
        ]
        .concat();
        let whole_item = [&item[..], &[0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]].concat();
        for cut in [&pixels, &item, &whole_item, &pixels[..pixels.len() - 10].to_vec()] {
            assert!(check(cut, EXPLICIT).is_err() && check_sent(cut, EXPLICIT).is_err(), "{cut:?}");
        }
        for whole in [pixels, whole_item] {
            let whole = [&whole[..], &end].concat();
            assert!(check(&whole, EXPLICIT).is_ok() && check_sent(&whole, EXPLICIT).is_ok(), "{whole:?}");
        }
    }

    #[test]
    fn no_element_is_there_twice() {
        let one = [8, 0, 5, 0, b'C', b'S', 2, 0, b'A', b' '];
        let other = [8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T'];
        assert!(check(&[one, other].concat(), EXPLICIT).is_ok());
        for apart in [vec![one, one], vec![one, other, one]] {
            let fault = check(&apart.concat(), EXPLICIT).map(drop).expect_err("twice").to_string();
            assert!(fault.contains("(0008,0005) is there twice"), "{fault}");
            assert!(check_sent(&apart.concat(), EXPLICIT).is_ok());
        }
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
