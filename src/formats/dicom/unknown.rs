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

/// A data set, checked, without elements of unknown representation that are known by their tags, and sequences of them.
///
/// # Errors
/// If its lengths are not good, or what stands in such an element makes no sense.
pub(super) fn named(bytes: Cow<[u8]>, encoding: Encoding) -> Result<Cow<[u8]>, Invalid> {
    if !lengths::check(&bytes, encoding)?.has_unknown {
        return Ok(bytes);
    }
    if encoding.big_endian {
        return Err(Invalid::new("has an element of unknown representation (UN) in big endian, which is not read"));
    }
    let mut writer = Writer { bytes: &bytes, out: Vec::with_capacity(bytes.len()), unknown: Cell::new(false) };
    writer.data_set(encoding, 0, bytes.len(), MAX_DEPTH).ok_or_else(|| {
        Invalid::new("is a damaged DICOM file: an element of unknown representation (UN) makes no sense")
    })?;
    let out = writer.out;
    lengths::check(&out, encoding)?;
    Ok(Cow::Owned(out))
}

struct Writer<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
    unknown: Cell<bool>,
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
                let within = if is_named { encoding } else { self.encoding_within(&head, stop, depth)? };
                self.sequence(head.tag, within, head.start, stop, depth)?;
            } else if is_named {
                self.out.extend(&self.bytes[at..stop]);
            } else {
                self.value(head.tag, known, &self.bytes[head.start..stop]);
            }
            at = stop;
        }
        Some(at)
    }

    /// How the items of a sequence of unknown representation are written: as they should be, or as some programs do.
    fn encoding_within(&self, head: &Head, stop: usize, depth: usize) -> Option<Encoding> {
        let is_delimited = head.length == UNDEFINED;
        let is_so = |encoding: &Encoding| {
            self.walk(*encoding).items(head.start, stop, true, is_delimited, depth).is_ok_and(|end| end == stop)
        };
        let explicit = Encoding { explicit: true, big_endian: false };
        [WITHIN_UNKNOWN, explicit].into_iter().find(is_so)
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

    fn tag(&mut self, Tag(group, element): Tag) {
        self.out.extend(group.to_le_bytes());
        self.out.extend(element.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: Encoding = Encoding { explicit: true, big_endian: false };

    fn named_of(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
        named(Cow::Borrowed(bytes), EXPLICIT).map(Cow::into_owned)
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
        let big = Encoding { explicit: true, big_endian: true };
        let rows = [0, 0x28, 0, 0x10, b'U', b'N', 0, 0, 0, 0, 0, 2, 0, 4];
        assert!(named(Cow::Borrowed(&rows), big).is_err());
    }
}
