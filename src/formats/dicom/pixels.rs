//! Stored values: how they are laid out, and frame by frame. What the header promises is compared with the bytes that
//! are there before anything is allocated.

use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};
use super::encapsulated;
use crate::domain::Invalid;
use crate::formats::volume_file::MAX_VOXELS;

/// Pixels as they are in the file.
pub(super) enum Stored {
    /// As they are, least significant byte first.
    Native {
        bytes: Vec<u8>,
        /// Whether the two words of 32 bits come with the more significant first.
        words_swapped: bool,
    },
    /// Each frame packed by itself.
    Encapsulated { fragments: Vec<Vec<u8>>, offsets: Vec<u32> },
}

impl Stored {
    /// * `big_endian` – whether the file is
    pub(super) fn native(values: PrimitiveValue, big_endian: bool) -> Result<Self, Invalid> {
        let bytes = if let PrimitiveValue::U8(bytes) = values {
            bytes.into_vec()
        } else if let PrimitiveValue::U16(words) = values {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        } else if let PrimitiveValue::U32(words) = values {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        } else if values == PrimitiveValue::Empty {
            Vec::new()
        } else {
            return Err(Invalid::new("has pixels of a type that is not read; integers are"));
        };
        Ok(Self::Native { bytes, words_swapped: big_endian })
    }

    /// Bytes that are there.
    fn bytes(&self) -> usize {
        match self {
            Self::Native { bytes, .. } => bytes.len(),
            Self::Encapsulated { fragments, .. } => fragments.iter().map(Vec::len).sum(),
        }
    }
}

/// How the stored values of an image are laid out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) frames: usize,
    /// 1, 8, 16 or 32.
    pub(super) bits_allocated: u32,
    pub(super) bits_stored: u32,
    high_bit: u32,
    pub(super) signed: bool,
    /// UID of the transfer syntax.
    pub(super) syntax: String,
    /// Whether each frame is packed by itself.
    is_packed: bool,
    pub(super) photometric: String,
}

impl Layout {
    /// The layout of an image, compared with the bytes that are there.
    ///
    /// # Errors
    /// What makes no sense, is not read, or is not there.
    pub(super) fn of(object: &Object, stored: Option<&Stored>, syntax: &str) -> Result<Self, Invalid> {
        let stored = stored.ok_or_else(|| {
            if [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA].iter().any(|tag| object.get(*tag).is_some()) {
                Invalid::new("has pixels in floating point, which are not read; integers are")
            } else {
                Invalid::new("has no pixels")
            }
        })?;
        let needed = |tag, name: &str| {
            let found = object.count(tag).filter(|count| *count > 0);
            found.ok_or_else(|| Invalid::new(format!("has no {name}")))
        };
        let (rows, columns) = (needed(tags::ROWS, "Rows")?, needed(tags::COLUMNS, "Columns")?);
        let frames = match object.text(tags::NUMBER_OF_FRAMES) {
            None => 1,
            Some(_) => needed(tags::NUMBER_OF_FRAMES, "Number of Frames above 0")?,
        };
        let samples = object.count(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        if samples != 1 {
            return Err(Invalid::new(format!("has {samples} samples a pixel: it is a colour picture, not a volume")));
        }
        let bits = |tag| object.count(tag).and_then(|count| u32::try_from(count).ok());
        let bits_allocated = bits(tags::BITS_ALLOCATED).ok_or_else(|| Invalid::new("has no Bits Allocated"))?;
        if ![1, 8, 16, 32].contains(&bits_allocated) {
            return Err(Invalid::new(format!("has Bits Allocated {bits_allocated}; 1, 8, 16 and 32 are read")));
        }
        let bits_stored = bits(tags::BITS_STORED).unwrap_or(bits_allocated);
        let high_bit = bits(tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1));
        if bits_stored == 0 || bits_stored > bits_allocated || high_bit >= bits_allocated || high_bit + 1 < bits_stored
        {
            return Err(Invalid::new(format!(
                "has Bits Stored {bits_stored} and High Bit {high_bit} in Bits Allocated {bits_allocated}"
            )));
        }
        let signed = match object.count(tags::PIXEL_REPRESENTATION) {
            Some(sign @ (0 | 1)) => sign == 1,
            // A bit has no sign.
            None if bits_allocated == 1 => false,
            _ => return Err(Invalid::new("has no Pixel Representation of 0 or 1: whether its values have a sign")),
        };
        let photometric = object.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".into());
        let layout = Self {
            rows,
            columns,
            frames,
            bits_allocated,
            bits_stored,
            high_bit,
            signed,
            syntax: syntax.to_owned(),
            is_packed: matches!(stored, Stored::Encapsulated { .. }),
            photometric,
        };
        layout.compare(stored)?;
        Ok(layout)
    }

    /// Pixels of a frame.
    pub(super) fn frame_pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether packed frames are in a transfer syntax that is read.
    ///
    /// # Errors
    /// If they are not.
    pub(super) fn check_unpacked(&self) -> Result<(), Invalid> {
        if self.is_packed { encapsulated::decoder(self).map(drop) } else { Ok(()) }
    }

    /// Whether there are as many bytes as the header promises.
    fn compare(&self, stored: &Stored) -> Result<(), Invalid> {
        let pixels = (self.rows as u64).checked_mul(self.columns as u64);
        let pixels = pixels.and_then(|pixels| pixels.checked_mul(self.frames as u64));
        let pixels = pixels.filter(|pixels| *pixels <= MAX_VOXELS).ok_or_else(|| {
            Invalid::new(format!("has {} × {} pixels in {} frames, too many", self.columns, self.rows, self.frames))
        })?;
        match stored {
            Stored::Native { bytes, .. } => {
                let expected = (pixels * u64::from(self.bits_allocated)).div_ceil(8);
                if (bytes.len() as u64) < expected {
                    return Err(Invalid::new(format!(
                        "is cut short: {} × {} pixels in {} frames of {} bits are {expected} bytes, there are {}",
                        self.columns,
                        self.rows,
                        self.frames,
                        self.bits_allocated,
                        bytes.len()
                    )));
                }
            }
            Stored::Encapsulated { fragments, offsets } => {
                if fragments.len() < self.frames || stored.bytes() == 0 {
                    return Err(Invalid::new(format!(
                        "is cut short: {} frames in {} fragments",
                        self.frames,
                        fragments.len()
                    )));
                }
                encapsulated::check(self, fragments, offsets)?;
            }
        }
        Ok(())
    }

    /// The stored value of a pixel, without what stands in the bits beside it.
    pub(super) fn value(&self, raw: u32) -> i64 {
        let shifted = i64::from(raw) >> (self.high_bit + 1 - self.bits_stored);
        let value = shifted & ((1i64 << self.bits_stored) - 1);
        let is_negative = self.signed && value >> (self.bits_stored - 1) == 1;
        if is_negative { value - (1i64 << self.bits_stored) } else { value }
    }

    /// A number of all allocated bits as a stored value: a padding value may be written signed or not.
    pub(super) fn reinterpret(&self, number: i64) -> i64 {
        let bits = self.bits_allocated;
        let raw = number & ((1i64 << bits) - 1);
        if self.signed && raw >> (bits - 1) == 1 { raw - (1i64 << bits) } else { raw }
    }

    /// The smallest and the largest stored value that there can be.
    pub(super) fn range(&self) -> (i64, i64) {
        let values = 1i64 << self.bits_stored;
        if self.signed { (-values / 2, values / 2 - 1) } else { (0, values - 1) }
    }

    /// The pixels of a frame, all allocated bits, x fastest.
    ///
    /// * `frame` – from 0
    pub(super) fn frame(&self, stored: &Stored, frame: usize) -> Result<Vec<u32>, Invalid> {
        let missing = || Invalid::new(format!("is cut short: frame {} is not there", frame + 1));
        let pixels = self.frame_pixels();
        match stored {
            Stored::Native { bytes, words_swapped } => {
                let start = frame.checked_mul(pixels).ok_or_else(missing)?;
                if self.bits_allocated == 1 {
                    let bit = |at: usize| Some(u32::from(bytes.get(at / 8)? >> (at % 8) & 1));
                    return (start..start + pixels).map(bit).collect::<Option<_>>().ok_or_else(missing);
                }
                let size = self.bits_allocated as usize / 8;
                let part = bytes.get(start * size..(start + pixels) * size).ok_or_else(missing)?;
                Ok(words(part, size, *words_swapped))
            }
            Stored::Encapsulated { fragments, offsets } => {
                let size = self.bits_allocated as usize / 8;
                let bytes = encapsulated::frame(self, fragments, offsets, frame)?;
                if bytes.len() != pixels * size {
                    let syntax = super::parse::syntax_in_words(&self.syntax);
                    return Err(Invalid::new(format!(
                        "frame {} holds {} bytes where {} are needed ({syntax})",
                        frame + 1,
                        bytes.len(),
                        pixels * size
                    )));
                }
                Ok(words(&bytes, size, false))
            }
        }
    }
}

/// Numbers of 1, 2 or 4 bytes, least significant first.
fn words(bytes: &[u8], size: usize, swapped: bool) -> Vec<u32> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    let turn = |number: u32| if swapped && size == 4 { number.rotate_left(16) } else { number };
    bytes.chunks_exact(size).map(|bytes| turn(number(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bits_allocated: u32, bits_stored: u32, signed: bool) -> Layout {
        Layout {
            rows: 1,
            columns: 3,
            frames: 3,
            bits_allocated,
            bits_stored,
            high_bit: bits_stored - 1,
            signed,
            syntax: String::new(),
            is_packed: false,
            photometric: String::new(),
        }
    }

    #[test]
    fn bits_beside_the_value_do_not_count() {
        let twelve = layout(16, 12, true);
        assert_eq!(twelve.value(0xF7FF), 2047);
        assert_eq!(twelve.value(0x5800), -2048);
        assert_eq!(layout(16, 12, false).value(0xF800), 2048);
        assert_eq!(layout(32, 32, false).value(u32::MAX), i64::from(u32::MAX));
        assert_eq!(layout(32, 32, true).value(u32::MAX), -1);
    }

    #[test]
    fn a_padding_value_may_be_written_signed_or_not() {
        assert_eq!(layout(16, 16, false).reinterpret(-2000), 63536);
        assert_eq!(layout(16, 16, true).reinterpret(63536), -2000);
    }

    #[test]
    fn frames_of_bits_need_not_end_on_a_byte() {
        let stored = Stored::Native { bytes: vec![0b0110_1101, 0b1], words_swapped: false };
        let bits = layout(1, 1, false);
        let frames: Vec<_> = (0..3).map(|frame| bits.frame(&stored, frame).expect("9 bits")).collect();
        assert_eq!(frames, [[1, 0, 1], [1, 0, 1], [1, 0, 1]]);
        assert!(bits.frame(&stored, 5).is_err());
    }

    #[test]
    fn words_are_little_endian_but_those_of_big_endian_files() {
        assert_eq!(words(&[1, 2, 3, 4], 2, true), [0x0201, 0x0403]);
        assert_eq!(words(&[1, 2, 3, 4], 4, false), [0x0403_0201]);
        assert_eq!(words(&[1, 2, 3, 4], 4, true), [0x0201_0403]);
    }
}
