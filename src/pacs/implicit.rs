//! Data sets by implicit VR, which every application entity takes: from explicit VRs, little-endian, value by value as
//! they are. Source: DICOM PS3.5, 7.1, 7.5 and 10.1.

/// Lengths that are told by a delimiter.
const UNDEFINED: [u8; 4] = [0xff; 4];
/// Tags of an item, of its end and of the end of a sequence, as they are written.
const ITEM: [u8; 4] = [0xfe, 0xff, 0x00, 0xe0];
const ITEM_END: [u8; 4] = [0xfe, 0xff, 0x0d, 0xe0];
const SEQUENCE_END: [u8; 4] = [0xfe, 0xff, 0xdd, 0xe0];
/// VRs whose length has four bytes. Source: DICOM PS3.5, table 7.1-1.
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
/// Deepest sequence within sequences.
const MAX_DEPTH: usize = 64;

/// A data set with explicit VRs by implicit VR, without lengths of groups; none if it has compressed pixels, or cannot
/// be understood.
pub(super) fn implicit(explicit: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest { bytes: explicit, out: Vec::with_capacity(explicit.len()) };
    rest.data_set(explicit.len(), false, MAX_DEPTH)?;
    Some(rest.out)
}

/// What is still to be read, and what was written.
struct Rest<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn four(&mut self) -> Option<[u8; 4]> {
        self.take(4)?.try_into().ok()
    }

    /// How much there has to be left at the end of something so long.
    fn left_after(&self, length: [u8; 4]) -> Option<usize> {
        self.bytes.len().checked_sub(usize::try_from(u32::from_le_bytes(length)).ok()?)
    }

    /// A data set of so many bytes; an open one ends with its delimiter.
    fn data_set(&mut self, length: usize, is_open: bool, depth: usize) -> Option<()> {
        let left = self.bytes.len().checked_sub(length)?;
        while self.bytes.len() > left {
            let tag = self.four()?;
            if tag == ITEM_END {
                self.take(4)?;
                return is_open.then_some(());
            }
            let vr = self.take(2)?;
            let length = if LONG.iter().any(|long| *long == vr) {
                self.take(2)?;
                self.four()?
            } else {
                let short = self.take(2)?;
                [short[0], short[1], 0, 0]
            };
            if vr == b"SQ" {
                self.out.extend([tag, UNDEFINED].concat());
                self.items(length, left, depth.checked_sub(1)?)?;
                self.out.extend([SEQUENCE_END, [0; 4]].concat());
            } else if length == UNDEFINED {
                return None;
            } else {
                let value = self.take(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
                // The length of a group would be another.
                if tag[2..] != [0, 0] {
                    self.out.extend([tag, length].concat());
                    self.out.extend(value);
                }
            }
        }
        (!is_open && self.bytes.len() == left).then_some(())
    }

    /// The items of a sequence, which ends before so many bytes are left.
    fn items(&mut self, length: [u8; 4], outside: usize, depth: usize) -> Option<()> {
        let is_open = length == UNDEFINED;
        let left = if is_open { outside } else { self.left_after(length)? };
        while self.bytes.len() > left {
            let (tag, length) = (self.four()?, self.four()?);
            if tag == SEQUENCE_END {
                return is_open.then_some(());
            }
            if tag != ITEM {
                return None;
            }
            self.out.extend([ITEM, UNDEFINED].concat());
            if length == UNDEFINED {
                self.data_set(self.bytes.len().checked_sub(left)?, true, depth)?;
            } else {
                self.data_set(usize::try_from(u32::from_le_bytes(length)).ok()?, false, depth)?;
            }
            self.out.extend([ITEM_END, [0; 4]].concat());
        }
        (!is_open && self.bytes.len() == left).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::tags;
    use dicom_object::InMemDicomObject;
    use dicom_transfer_syntax_registry::entries::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

    use super::*;

    /// A data set with sequences in one another, texts that are not decoded, and pixels.
    fn object() -> InMemDicomObject {
        let item = |inner: Vec<InMemDicomObject>| {
            let name = DataElement::new(tags::CODE_MEANING, VR::LO, PrimitiveValue::from("Becquerels/milliliter"));
            let sequence = DataSetSequence::from(inner);
            let within = DataElement::new(tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, sequence);
            InMemDicomObject::from_element_iter([name, within])
        };
        let sequence = DataSetSequence::from(vec![item(vec![item(vec![]), item(vec![])]), item(vec![])]);
        InMemDicomObject::from_element_iter([
            DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::from("DOE^JANE")),
            DataElement::new(tags::CONTENT_SEQUENCE, VR::SQ, sequence),
            DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(2u16)),
            DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16([1, 2, 3, 65535].into_iter().collect())),
        ])
    }

    fn explicit() -> Vec<u8> {
        let mut bytes = Vec::new();
        object().write_dataset_with_ts(&mut bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased()).expect("it is written");
        bytes
    }

    #[test]
    fn a_data_set_is_the_same_by_implicit_vr() {
        let bytes = implicit(&explicit()).expect("a data set");
        let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
        let read = InMemDicomObject::read_dataset_with_ts(bytes.as_slice(), &syntax).expect("a data set");
        for tag in [tags::PATIENT_NAME, tags::ROWS, tags::PIXEL_DATA] {
            let bytes =
                |one: &InMemDicomObject| one.element(tag).expect("it is there").to_bytes().expect("bytes").to_vec();
            assert_eq!(bytes(&read), bytes(&object()), "{tag}");
        }
        let texts = |one: &InMemDicomObject| {
            let outer = one.element(tags::CONTENT_SEQUENCE).expect("it is there").items().expect("items").to_vec();
            let meaning = |item: &InMemDicomObject| {
                item.element(tags::CODE_MEANING).expect("text").to_str().unwrap().into_owned()
            };
            let inner = |item: &InMemDicomObject| {
                item.element(tags::CONCEPT_NAME_CODE_SEQUENCE).expect("it is there").items().map_or(0, <[_]>::len)
            };
            outer.iter().map(|item| (meaning(item), inner(item))).collect::<Vec<_>>()
        };
        assert_eq!(texts(&read), texts(&object()));
        assert_eq!(texts(&read).iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn lengths_of_groups_are_left_out_and_values_are_copied() {
        let group = [0x08, 0, 0, 0, b'U', b'L', 4, 0, 99, 0, 0, 0];
        let text = [0x10, 0, 0x10, 0, b'P', b'N', 4, 0, 0x1b, 0x24, 0x42, 0xff];
        let expected = [0x10, 0, 0x10, 0, 4, 0, 0, 0, 0x1b, 0x24, 0x42, 0xff];
        assert_eq!(implicit(&[group, text].concat()).expect("a data set"), expected);
    }

    #[test]
    fn what_is_compressed_or_broken_is_left() {
        let pixels = [0xe0, 0x7f, 0x10, 0, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(implicit(&pixels), None);
        let whole = explicit();
        let ends: Vec<usize> = (0..whole.len()).filter(|&end| implicit(&whole[..end]).is_some()).collect();
        // Between the elements of the outermost level alone.
        assert_eq!(ends.len(), 4, "{ends:?}");
    }
}
