//! What packed frames say of their own size. A decoder believes its code stream, not the header of the file: rows and
//! columns that are exchanged have as many pixels.
//!
//! Source: DICOM PS3.5, annex G (RLE); ISO/IEC 10918-1, B.2.2 (JPEG frame header); ISO/IEC 15444-1, A.5.1 (SIZ).

use dicom_dictionary_std::uids;

use crate::domain::Invalid;

/// Bytes of the longest run of RLE.
const LONGEST_RUN: usize = 128;
/// Bytes of the table that an RLE frame begins with.
const RLE_HEAD_BYTES: usize = 64;

/// How frames are packed, as far as they tell their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Rle,
    Jpeg,
    Jpeg2000,
}

impl Family {
    /// * `syntax` – UID of the transfer syntax
    pub(super) fn of(syntax: &str) -> Option<Self> {
        match syntax {
            uids::RLE_LOSSLESS => Some(Self::Rle),
            _ => match syntax.strip_prefix("1.2.840.10008.1.2.4.")?.parse::<u8>().ok()? {
                // The processes of JPEG, of which many are retired.
                50..=70 => Some(Self::Jpeg),
                90..=93 => Some(Self::Jpeg2000),
                _ => None,
            },
        }
    }

    /// Its name, for a reader.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rle => "RLE",
            Self::Jpeg => "JPEG",
            Self::Jpeg2000 => "JPEG 2000",
        }
    }
}

/// What a code stream says of its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) columns: usize,
    /// 0 where a JPEG tells its lines only at its end.
    pub(super) rows: usize,
    pub(super) components: usize,
    /// Bits of a value.
    pub(super) bits: u32,
    pub(super) signed: bool,
}

impl Said {
    /// Of the code stream of a frame; none where there is no header in it.
    pub(super) fn of(family: Family, stream: &[u8]) -> Option<Self> {
        match family {
            Family::Rle => None,
            Family::Jpeg => jpeg(stream),
            Family::Jpeg2000 => jpeg_2000(stream),
        }
    }

    /// Whether the sign of unpacked values is clear. A code stream of fewer bits than the header, signed where the
    /// header is not or the other way about, leaves open what its highest bit means.
    ///
    /// * `header` – Bits Stored, and whether Pixel Representation has a sign
    /// * `bits_allocated` – of a value
    /// * `values` – unpacked, least significant byte first
    ///
    /// # Errors
    /// If a value has this bit.
    pub(super) fn check_sign(&self, header: (u32, bool), bits_allocated: u32, values: &[u8]) -> Result<(), Invalid> {
        let (bits_stored, signed) = header;
        if self.signed == signed || self.bits >= bits_stored || self.bits == 0 {
            return Ok(());
        }
        let (byte, bit) = ((self.bits as usize - 1) / 8, (self.bits - 1) % 8);
        let is_set = |value: &[u8]| value.get(byte).is_some_and(|byte| byte >> bit & 1 == 1);
        if values.chunks_exact(bits_allocated as usize / 8).any(is_set) {
            let words = |signed| if signed { "signed" } else { "unsigned" };
            return Err(Invalid::new(format!(
                "holds values whose sign is not clear: {} {} bits by its code stream, {} {} bits by Bits Stored and \
                 Pixel Representation",
                self.bits,
                words(self.signed),
                bits_stored,
                words(signed)
            )));
        }
        Ok(())
    }
}

/// A number of two bytes, the more significant first.
fn two(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes(*pair)))
}

/// A number of four bytes, the more significant first.
fn four(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn jpeg_2000(stream: &[u8]) -> Option<Said> {
    // The start of the code stream, in boxes of a file or without them, and the marker that always follows.
    let start = stream.windows(4).position(|bytes| bytes == [0xFF, 0x4F, 0xFF, 0x51])?;
    let size = &stream[start + 4..];
    // Length, capabilities; then the ends of the grid and where the image begins on it.
    let extent = |axis: usize| usize::try_from(four(size, 4 + axis)?.checked_sub(four(size, 12 + axis)?)?).ok();
    let depth = *size.get(38)?;
    Some(Said {
        columns: extent(0)?,
        rows: extent(4)?,
        components: two(size, 36)?,
        bits: u32::from(depth & 0x7F) + 1,
        signed: depth & 0x80 != 0,
    })
}

fn jpeg(stream: &[u8]) -> Option<Said> {
    let mut at = 2;
    if !stream.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    loop {
        let [0xFF, marker] = *stream.get(at..)?.first_chunk::<2>()? else { return None };
        match marker {
            // Filling.
            0xFF => at += 1,
            // Marks without a length.
            0x01 | 0xD0..=0xD8 => at += 2,
            // The scan begins, or the image ends, without a frame header.
            0xD9 | 0xDA => return None,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let frame = stream.get(at + 4..)?;
                return Some(Said {
                    bits: u32::from(*frame.first()?),
                    rows: two(frame, 1)?,
                    columns: two(frame, 3)?,
                    components: usize::from(*frame.get(5)?),
                    signed: false,
                });
            }
            _ => at += 2 + two(stream, at + 2)?.max(2),
        }
    }
}

/// Whether an RLE frame holds as many bytes as its pixels need, in each of its segments.
///
/// * `pixels` – of the frame
/// * `columns` – of a row: less than a row of zeros behind them is padding
/// * `bytes` – of a pixel, of which each has a segment
///
/// # Errors
/// What it holds instead.
pub(super) fn check_rle(stream: &[u8], pixels: usize, columns: usize, bytes: usize) -> Result<(), Invalid> {
    let bad = || Invalid::new("has no table of its RLE segments");
    let number = |at: usize| -> Result<usize, Invalid> {
        let four = stream.get(4 * at..).and_then(|rest| rest.first_chunk::<4>()).ok_or_else(bad)?;
        usize::try_from(u32::from_le_bytes(*four)).map_err(|_| bad())
    };
    let segments = number(0)?;
    if segments != bytes {
        return Err(Invalid::new(format!("has {segments} RLE segments, where pixels of {bytes} bytes have {bytes}")));
    }
    let rows = pixels / columns.max(1);
    let (mut crosses_columns, mut crosses_rows, mut is_full) = (false, false, true);
    for segment in 0..segments {
        let start = number(segment + 1)?;
        let end = if segment + 1 < segments { number(segment + 2)? } else { stream.len() };
        let part = stream.get(start..end).filter(|_| start >= RLE_HEAD_BYTES).ok_or_else(bad)?;
        let Unpacked { length, beyond_is_zero, ends } = unpacked(part, pixels);
        if length < pixels || length - pixels >= columns || !beyond_is_zero {
            return Err(Invalid::new(format!("holds {length} pixels by its RLE, and Rows × Columns are {pixels}")));
        }
        let crosses = |width: usize| (width..pixels).step_by(width.max(1)).any(|end| ends.binary_search(&end).is_err());
        crosses_columns |= crosses(columns);
        crosses_rows |= crosses(rows);
        is_full &= ends.iter().all(|end| end % LONGEST_RUN == 0);
    }
    // No run goes beyond its row (PS3.5, G.3.1). Some writers let them, anywhere and not at the ends of other rows; a
    // frame of one value has the longest runs alone, and says nothing.
    if crosses_columns && !crosses_rows && !is_full {
        return Err(Invalid::new(format!(
            "has rows of {rows} pixels by its RLE, and Columns is {columns}: Rows and Columns are exchanged"
        )));
    }
    Ok(())
}

/// What a segment becomes.
struct Unpacked {
    /// Its bytes.
    length: usize,
    /// Whether those beyond the pixels are 0.
    beyond_is_zero: bool,
    /// Where its runs end within the pixels, rising.
    ends: Vec<usize>,
}

fn unpacked(segment: &[u8], pixels: usize) -> Unpacked {
    let (mut at, mut length, mut is_zero, mut ends) = (0, 0usize, true, Vec::new());
    while let Some(head) = segment.get(at) {
        let rest = &segment[at + 1..];
        let (read, written) = match usize::from(*head) {
            // Bytes as they are; a last one may have nothing behind it, which makes lengths even.
            head @ 0..=127 => (rest.len().min(head + 1), rest.len().min(head + 1)),
            // No meaning.
            128 => (0, 0),
            // A byte that is repeated.
            head => (rest.len().min(1), if rest.is_empty() { 0 } else { 257 - head }),
        };
        let beyond = (length + written).saturating_sub(pixels).min(read);
        is_zero &= rest[read - beyond..read].iter().all(|byte| *byte == 0);
        length += written;
        at += 1 + read;
        if length < pixels {
            ends.push(length);
        }
    }
    Unpacked { length, beyond_is_zero: is_zero, ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_streams_tell_their_size() {
        let mut size = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        for number in [45u32, 36, 5, 0, 40, 36, 0, 0] {
            size.extend(number.to_be_bytes());
        }
        size.extend([0, 1, 0x80 | 12, 1, 1]);
        let said = Said { columns: 40, rows: 36, components: 1, bits: 13, signed: true };
        assert_eq!(Said::of(Family::Jpeg2000, &size), Some(said));
        size.splice(0..0, *b"a box before it");
        assert_eq!(Said::of(Family::Jpeg2000, &size), Some(said));
        assert_eq!(Said::of(Family::Jpeg2000, &size[..40]), None);
        let frame = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC3, 0, 11, 16, 0, 36, 0, 40, 1, 1, 0x11, 0];
        let said = Said { columns: 40, rows: 36, components: 1, bits: 16, signed: false };
        assert_eq!(Said::of(Family::Jpeg, &frame), Some(said));
        assert_eq!(Said::of(Family::Jpeg, &frame[..16]), None);
        assert_eq!(Said::of(Family::Jpeg, &[0xFF, 0xD8, 0xFF, 0xDA, 0, 2]), None);
    }

    #[test]
    fn a_sign_is_clear_where_code_stream_and_header_have_it_or_no_value_needs_it() {
        let said = |bits, signed| Said { columns: 1, rows: 1, components: 1, bits, signed };
        let (low, high) = (500u16.to_le_bytes(), 7192u16.to_le_bytes());
        // 13 bits without a sign, in a header of 16 bits with one: 7192 may be -1000.
        assert_eq!(said(13, false).check_sign((16, true), 16, &low), Ok(()));
        assert!(said(13, false).check_sign((16, true), 16, &high).is_err());
        assert!(said(13, true).check_sign((16, false), 16, &(-1000i16).to_le_bytes()).is_err());
        // As many bits: the header says what they mean.
        assert_eq!(said(13, false).check_sign((13, true), 16, &high), Ok(()));
        assert_eq!(said(13, true).check_sign((16, true), 16, &high), Ok(()));
        assert_eq!(said(16, false).check_sign((12, true), 16, &high), Ok(()));
    }

    #[test]
    fn rle_holds_as_many_pixels_as_there_are() {
        let frame = |segment: &[u8]| {
            let mut bytes = vec![1, 0, 0, 0, 64, 0, 0, 0];
            bytes.resize(RLE_HEAD_BYTES, 0);
            bytes.extend(segment);
            check_rle(&bytes, 6, 3, 1)
        };
        // Four times 7, and 8 and 9.
        assert_eq!(frame(&[253, 7, 1, 8, 9]), Ok(()));
        assert_eq!(frame(&[253, 7, 128, 1, 8, 9, 0]), Ok(()), "a byte that makes the length even");
        assert_eq!(frame(&[253, 7, 1, 8, 9, 0, 0]), Ok(()), "zeros behind the pixels");
        for bad in [&[253, 7, 0, 8][..], &[253, 7, 1, 8], &[253, 7, 4, 8, 9, 8, 9, 8], &[253, 7, 2, 8, 9, 1], &[250, 7]]
        {
            assert!(frame(bad).is_err(), "{bad:?}");
        }
        assert!(frame(&[253, 7, 1, 8, 9, 255, 0, 255, 0]).is_err(), "a row of zeros more");
        assert_eq!(frame(&[254, 7, 254, 8]), Ok(()), "a run a row");
        let exchanged = frame(&[255, 7, 255, 8, 255, 9]).expect_err("three rows of two").to_string();
        assert!(exchanged.contains("has rows of 2 pixels by its RLE, and Columns is 3"), "{exchanged}");
        assert_eq!(frame(&[252, 7, 0, 8]), Ok(()), "a run beyond its row says nothing of rows");
        assert!(check_rle(&[2, 0, 0, 0], 6, 3, 1).is_err());
        assert!(check_rle(&[1, 0, 0, 0, 200, 0, 0, 0], 6, 3, 1).is_err());
    }
}
