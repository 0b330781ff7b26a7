//! Packed frames: RLE, JPEG, JPEG 2000, by the decoders of `dicom-transfer-syntax-registry`.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_encoding::adapters::{DynPixelDataReader, PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::{Codec, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::code_stream::{Family, Said, check_rle};
use super::parse::syntax_in_words;
use super::pixels::Layout;
use crate::domain::Invalid;

/// A single frame, as the decoders want it.
struct OneFrame<'a> {
    layout: &'a Layout,
    fragments: Vec<&'a [u8]>,
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        &self.layout.syntax
    }

    fn rows(&self) -> Option<u16> {
        u16::try_from(self.layout.rows).ok()
    }

    fn cols(&self) -> Option<u16> {
        u16::try_from(self.layout.columns).ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(1)
    }

    fn bits_allocated(&self) -> Option<u16> {
        u16::try_from(self.layout.bits_allocated).ok()
    }

    fn bits_stored(&self) -> Option<u16> {
        self.bits_allocated()
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some(&self.layout.photometric)
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        u32::try_from(self.fragments.len()).ok()
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        self.fragments.get(fragment).map(|bytes| Cow::Borrowed(*bytes))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let fragments = self.fragments.iter().map(|bytes| bytes.to_vec()).collect();
        Some(RawPixelData { fragments, offset_table: Default::default() })
    }
}

/// What unpacks the frames of a transfer syntax.
///
/// # Errors
/// If it is not read.
pub(super) fn decoder(layout: &Layout) -> Result<&'static DynPixelDataReader, Invalid> {
    let syntax = TransferSyntaxRegistry.get(&layout.syntax);
    match syntax.map(|syntax| syntax.codec()) {
        Some(Codec::EncapsulatedPixelData(Some(reader), _)) => Ok(reader),
        _ => Err(Invalid::new(format!(
            "is in the transfer syntax {}, which is not read; convert it to an uncompressed one (dcmdjpls, gdcmconv)",
            syntax_in_words(&layout.syntax)
        ))),
    }
}

/// Whether the code stream of every frame has the size that the header gives it. What is not read is not looked at.
///
/// # Errors
/// Which frame has not, and what it has.
pub(super) fn check(layout: &Layout, fragments: &[Vec<u8>], offsets: &[u32]) -> Result<(), Invalid> {
    let Some(family) = Family::of(&layout.syntax).filter(|_| decoder(layout).is_ok() && layout.bits_allocated >= 8)
    else {
        return Ok(());
    };
    for frame in 0..layout.frames {
        let own = fragments_of(fragments, offsets, layout.frames, frame)?;
        check_frame(layout, family, &own)
            .map_err(|Invalid(reason)| Invalid::new(format!("frame {} {reason}", frame + 1)))?;
    }
    Ok(())
}

fn check_frame(layout: &Layout, family: Family, fragments: &[&[u8]]) -> Result<(), Invalid> {
    if family == Family::Rle {
        let [stream] = fragments else { return Err(Invalid::new("is in several fragments, which RLE is not")) };
        let bytes = layout.bits_allocated as usize / 8;
        return check_rle(stream, layout.frame_pixels(), layout.columns, bytes);
    }
    let name = family.name();
    let said = said(family, fragments)
        .ok_or_else(|| Invalid::new(format!("cannot be unpacked: it is no {name} code stream that tells its size")))?;
    if said.columns != layout.columns || (said.rows != layout.rows && said.rows != 0) {
        return Err(Invalid::new(format!(
            "has {} columns and {} rows by its {name} code stream, and {} and {} by Columns and Rows",
            said.columns, said.rows, layout.columns, layout.rows
        )));
    }
    if said.components != 1 || !(1..=layout.bits_allocated).contains(&said.bits) {
        return Err(Invalid::new(format!(
            "has {} components of {} bits by its {name} code stream, and one of {} Bits Allocated by the header",
            said.components, said.bits, layout.bits_allocated
        )));
    }
    Ok(())
}

/// What the code stream of a frame says of itself.
fn said(family: Family, fragments: &[&[u8]]) -> Option<Said> {
    match fragments {
        [one] => Said::of(family, one),
        several => Said::of(family, &several.concat()),
    }
}

/// The bytes of a frame, unpacked, least significant first.
///
/// * `frame` – from 0
///
/// # Errors
/// If the transfer syntax is not read, or the frame is damaged.
pub(super) fn frame(layout: &Layout, fragments: &[Vec<u8>], offsets: &[u32], frame: usize) -> Result<Vec<u8>, Invalid> {
    let reader = decoder(layout)?;
    let one = OneFrame { layout, fragments: fragments_of(fragments, offsets, layout.frames, frame)? };
    let words = syntax_in_words(&layout.syntax);
    let damaged = || Invalid::new(format!("frame {} cannot be unpacked ({words})", frame + 1));
    let mut bytes = Vec::new();
    // A damaged frame makes some decoders panic.
    let decoded = catch_unwind(AssertUnwindSafe(|| reader.decode_frame(&one, 0, &mut bytes)));
    match decoded {
        Ok(Ok(())) => {
            if let Some(said) = Family::of(&layout.syntax).and_then(|family| said(family, &one.fragments)) {
                said.check_sign((layout.bits_stored, layout.signed), layout.bits_allocated, &bytes)
                    .map_err(|Invalid(reason)| Invalid::new(format!("frame {} {reason}", frame + 1)))?;
            }
            Ok(bytes)
        }
        Ok(Err(_)) | Err(_) => Err(damaged()),
    }
}

/// The fragments of a frame: one each, or as the offsets say.
fn fragments_of<'a>(
    fragments: &'a [Vec<u8>],
    offsets: &[u32],
    frames: usize,
    frame: usize,
) -> Result<Vec<&'a [u8]>, Invalid> {
    if frames == 1 {
        return Ok(fragments.iter().map(Vec::as_slice).collect());
    }
    if fragments.len() == frames {
        return Ok(vec![&fragments[frame]]);
    }
    let bad = || Invalid::new("has frames of several fragments, and no table says which belong together");
    let (start, end) = match offsets {
        table if table.len() == frames => (table[frame], table.get(frame + 1).copied().unwrap_or(u32::MAX)),
        _ => return Err(bad()),
    };
    let mut at = 0u64;
    let mut found = Vec::new();
    for fragment in fragments {
        if (u64::from(start)..u64::from(end)).contains(&at) {
            found.push(fragment.as_slice());
        }
        // Tag and length stand before each fragment.
        at += fragment.len() as u64 + 8;
    }
    if found.is_empty() { Err(bad()) } else { Ok(found) }
}
