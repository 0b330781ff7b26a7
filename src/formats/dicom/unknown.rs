//! Elements of unknown representation (UN), as programs pass on what they do not know: written anew with the
//! representation that the dictionary has for them. The parser keeps them as bytes, and refuses those without a length.
//!
//! Source: DICOM PS3.5, 6.2.2: what stands in them is in implicit VR little endian.

use std::borrow::Cow;
use std::cell::Cell;

use dicom_core::{Tag, VR};

use super::lengths::{
    self, Encoding, Head, ITEM, ITEM_END, MAX_DEPTH, SEQUENCE_END, UNDEFINED, WITHIN_UNKNOWN, Walk, known_as,
    value_bytes,
};
use crate::domain::Invalid;

/// Most bytes of a value whose length has two.
const MAX_SHORT: usize = 0xFFFE;

/// What is written anew.
const WRITTEN: Encoding = Encoding { explicit: true, big_endian: false };

/// A data set, checked, without elements of unknown representation that are known by their tags, and sequences of them;
/// and its encoding: little endian where it was written anew.
///
/// # Errors
/// If its lengths are not good, what stands in such an element makes no sense, or it is a number of several bytes in a
/// file in big endian: the standard has it in little endian, and programs that pass on what they do not know have it as
/// it came.
pub(super) fn named(bytes: Cow<[u8]>, encoding: Encoding) -> Result<(Cow<[u8]>, Encoding), Invalid> {
    if !lengths::check(&bytes, encoding)?.has_unknown {
        return Ok((bytes, encoding));
    }
    let (out, unknown, unclear) = (Vec::with_capacity(bytes.len()), Cell::new(false), None);
    let mut writer = Writer { bytes: &bytes, out, unknown, unclear };
    writer.data_set(encoding, 0, bytes.len(), MAX_DEPTH).ok_or_else(|| {
        Invalid::new("is a damaged DICOM file: an element of unknown representation (UN) makes no sense")
    })?;
    if let Some(tag) = writer.unclear {
        return Err(Invalid::new(format!(
            "has the number {tag} in an element of unknown representation (UN) in big endian: the order of its bytes is \
             not clear; convert the file to little endian where its representations are known"
        )));
    }
    let out = writer.out;
    lengths::check(&out, WRITTEN)?;
    Ok((Cow::Owned(out), WRITTEN))
}

struct Writer<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
    unknown: Cell<bool>,
    /// The first number whose bytes may be in either order.
    unclear: Option<Tag>,
}

impl Writer<'_> {
    fn walk(&self, encoding: Encoding) -> Walk<'_> {
        Walk { bytes: self.bytes, encoding, is_sent: false, unknown: &self.unknown }
    }

    /// Writes a data set; where it ends. None if it makes no sense.
    fn data_set(&mut self, encoding: Encoding, mut at: usize, end: usize, depth: usize) -> Option<usize> {
        while at < end {
            let head = self.walk(encoding).head(at, end)?;
            if head.tag == ITEM_END || head.tag == SEQUENCE_END {
                return Some(head.start);
            }
            let depth = depth.checked_sub(1)?;
            let stop = self.walk(encoding).value(&head, end, depth).ok()?;
            let is_named = encoding.explicit && !head.is_unknown;
            let known = known_as(head.tag);
            if head.is_sequence || !is_named && (head.length == UNDEFINED || known == VR::SQ) {
                let within = if is_named { encoding } else { self.encoding_within(&head, encoding, stop, depth)? };
                self.sequence(head.tag, within, head.start, stop, depth)?;
            } else if is_named && !encoding.big_endian {
                self.out.extend(&self.bytes[at..stop]);
            } else if is_named {
                // Pixels that are packed are in little endian.
                let vr = head.vr.filter(|_| head.length != UNDEFINED)?;
                self.value(head.tag, vr, &turned(&self.bytes[head.start..stop], vr));
            } else {
                let value = &self.bytes[head.start..stop];
                if encoding.big_endian && *turned(value, known) != *value {
                    self.unclear.get_or_insert(head.tag);
                }
                self.value(head.tag, known, value);
            }
            at = stop;
        }
        Some(at)
    }

    /// How the items of a sequence of unknown representation are written: as they should be, or as some programs do.
    fn encoding_within(&self, head: &Head, around: Encoding, stop: usize, depth: usize) -> Option<Encoding> {
        let is_delimited = head.length == UNDEFINED;
        let is_so = |encoding: &Encoding| {
            self.walk(*encoding).items(head.start, stop, true, is_delimited, depth).is_ok_and(|end| end == stop)
        };
        [WITHIN_UNKNOWN, WRITTEN, around].into_iter().find(is_so)
    }

    /// Writes a sequence, without lengths.
    fn sequence(&mut self, tag: Tag, within: Encoding, mut at: usize, end: usize, depth: usize) -> Option<()> {
        self.tag(tag);
        self.out.extend(b"SQ\0\0");
        self.out.extend(UNDEFINED.to_le_bytes());
        while at < end {
            let head = self.walk(within).head(at, end)?;
            if head.tag == SEQUENCE_END {
                break;
            }
            let stop = if head.length == UNDEFINED { end } else { head.start.checked_add(head.length as usize)? };
            self.tag(ITEM);
            self.out.extend(UNDEFINED.to_le_bytes());
            let ended = self.data_set(within, head.start, stop, depth)?;
            at = if head.length == UNDEFINED { ended } else { stop };
            self.tag(ITEM_END);
            self.out.extend([0; 4]);
        }
        self.tag(SEQUENCE_END);
        self.out.extend([0; 4]);
        Some(())
    }

    /// Writes a value of a representation; one that cannot have it stays unknown.
    fn value(&mut self, tag: Tag, known: VR, value: &[u8]) {
        use VR::{OB, OD, OF, OL, OV, OW, SV, UC, UN, UR, UT, UV};
        let is_whole = (value.len() as u64).is_multiple_of(value_bytes(known).into());
        let is_long = |vr| matches!(vr, OB | OD | OF | OL | OV | OW | SV | UC | UN | UR | UT | UV);
        let vr = if is_whole && (is_long(known) || value.len() <= MAX_SHORT) { known } else { UN };
        self.tag(tag);
        self.out.extend(vr.to_bytes());
        if is_long(vr) {
            self.out.extend([0; 2]);
            self.out.extend(u32::try_from(value.len()).expect("as it was read").to_le_bytes());
        } else {
            self.out.extend(u16::try_from(value.len()).expect("short").to_le_bytes());
        }
        self.out.extend(value);
    }

    /// The tag, in little endian.
    fn tag(&mut self, Tag(group, element): Tag) {
        self.out.extend(group.to_le_bytes());
        self.out.extend(element.to_le_bytes());
    }
}

/// A value with its numbers in the other order of bytes.
fn turned(value: &[u8], vr: VR) -> Cow<'_, [u8]> {
    // A tag is two numbers.
    let size = if vr == VR::AT { 2 } else { value_bytes(vr) as usize };
    if size == 1 {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chunks(size).flat_map(|number| number.iter().rev()).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIG: Encoding = Encoding { explicit: true, big_endian: true };

    fn named_of(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
        named(Cow::Borrowed(bytes), WRITTEN).map(|(bytes, _)| bytes.into_owned())
    }

    /// An element of unknown representation.
    fn unknown(tag: [u8; 4], length: u32, value: &[u8]) -> Vec<u8> {
        [&tag[..], b"UN\0\0", &length.to_le_bytes(), value].concat()
    }

    #[test]
    fn values_and_sequences_have_their_names_again() {
        let rows = unknown([0x28, 0, 0x10, 0], 2, &[4, 0]);
        assert_eq!(named_of(&rows).expect("known"), [0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 4, 0]);
        // A private element stays as it is, and so does one that cannot be what it should.
        for other in [unknown([0x29, 0, 0x10, 0x10], 2, &[4, 0]), unknown([0x28, 0, 0x10, 0], 1, &[4])] {
            assert_eq!(named_of(&other).expect("opaque"), other);
        }
        // Referenced Series Sequence with an item of one element, with lengths and without.
        let modality = [8, 0, 0x60, 0, 2, 0, 0, 0, b'C', b'T'];
        let item = [&[0xFE, 0xFF, 0, 0xE0, 10, 0, 0, 0][..], &modality].concat();
        let end = |of: u8| [0xFE, 0xFF, of, 0xE0, 0, 0, 0, 0];
        let open = [&[0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF][..], &modality, &end(0x0D)].concat();
        let right = [
            &[8, 0, 0x15, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]
                [..],
            &[8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T'],
            &end(0x0D),
            &end(0xDD),
        ]
        .concat();
        let explicit_item =
            [&[0xFE, 0xFF, 0, 0xE0, 10, 0, 0, 0][..], &[8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T']].concat();
        for (length, inside) in [
            (UNDEFINED, [&item[..], &end(0xDD)].concat()),
            (UNDEFINED, [&open[..], &end(0xDD)].concat()),
            (18, item.clone()),
            (18, explicit_item),
        ] {
            assert_eq!(named_of(&unknown([8, 0, 0x15, 0x11], length, &inside)).expect("known"), right, "{inside:?}");
        }
        // Cut, or of nothing that is an item.
        assert!(named_of(&unknown([8, 0, 0x15, 0x11], UNDEFINED, &item)).is_err());
        assert!(named_of(&unknown([8, 0, 0x15, 0x11], 10, &modality)).is_err());
    }

    #[test]
    fn what_is_unknown_in_big_endian_is_read_where_its_bytes_have_one_order() {
        // Columns as they should be; Modality, and a sequence without a length, as unknown.
        let columns = [0, 0x28, 0, 0x11, b'U', b'S', 0, 2, 1, 4];
        let modality = [0, 8, 0, 0x60, b'U', b'N', 0, 0, 0, 0, 0, 2, b'C', b'T'];
        let item = [&[0xFE, 0xFF, 0, 0xE0, 10, 0, 0, 0][..], &[0x28, 0, 0x10, 0, 2, 0, 0, 0, 4, 1]].concat();
        let sequence = [
            &[0, 8, 0x11, 0x15, b'U', b'N', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF][..],
            &item,
            &[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0],
        ]
        .concat();
        let (found, encoding) = named(Cow::Owned([&modality[..], &sequence, &columns].concat()), BIG).expect("clear");
        let right = [
            &[8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T'][..],
            &[8, 0, 0x15, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 4, 1],
            &[0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0],
            &[0x28, 0, 0x11, 0, b'U', b'S', 2, 0, 4, 1],
        ];
        assert_eq!((&*found, encoding.big_endian), (&right.concat()[..], false));
        // Items in big endian, as a program has them that passes on a sequence with its length.
        let item = [&[0xFF, 0xFE, 0xE0, 0, 0, 0, 0, 10][..], &[0, 0x28, 0, 0x10, b'U', b'S', 0, 2, 1, 4]].concat();
        let sequence = [&[0, 8, 0x11, 0x15, b'U', b'N', 0, 0, 0, 0, 0, 18][..], &item].concat();
        let (found, _) = named(Cow::Owned([&sequence[..], &columns].concat()), BIG).expect("clear");
        assert_eq!(&*found, &right[1..].concat()[..]);
        // A number may be 4 or 1024; 0 is 0.
        let rows = |bytes: [u8; 2]| [&[0, 0x28, 0, 0x10, b'U', b'N', 0, 0, 0, 0, 0, 2][..], &bytes].concat();
        assert!(named(Cow::Owned(rows([0, 0])), BIG).is_ok());
        let Err(Invalid(reason)) = named(Cow::Owned(rows([0, 4])), BIG) else { panic!("either order") };
        assert!(reason.contains("the number (0028,0010)") && reason.contains("big endian"), "{reason}");
    }
}
