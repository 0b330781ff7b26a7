//! Packed frames whose code stream and header say two things.

use std::fs;

use dicom_dictionary_std::tags;
use dosegrid::domain::Invalid;
use dosegrid::formats::dicom::{Place, Wanted, read_image, read_inventory};

use super::kinds::folder;
use super::objects::{Made, ct};

const RLE: &str = "1.2.840.10008.1.2.5\0";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// What a CT of one slice reads as, or why it is refused; an inventory says the same of its header.
fn read(slice: Made, syntax: &str, fragments: Vec<Vec<u8>>) -> Result<Vec<f32>, String> {
    let folder = folder();
    let slice = slice.numbers(tags::SLICE_THICKNESS, &[5.0]);
    fs::write(folder.path().join("a"), slice.packed(syntax, fragments)).expect("a writable folder");
    read_image(Place::of(&folder.path().join("a")), Wanted::Ct)
        .map(|image| image.volume.into_vec())
        .map_err(|Invalid(reason)| reason)
        .inspect_err(|reason| {
            let listed = read_inventory(Place::of(folder.path()), None).expect("a DICOM file");
            let of_header = !reason.contains("cannot be unpacked (");
            assert_eq!(listed.series[0].refused.is_some(), of_header, "{reason}: {:?}", listed.series[0].refused);
        })
}

/// 16 values of 16 bits from 1024 on, packed by RLE as they are.
fn rle() -> Vec<u8> {
    let segment = |bytes: [u8; 16]| [&[15], &bytes[..], &[0]].concat();
    let upper = segment([4; 16]);
    let lower = segment([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let mut frame = vec![2, 0, 0, 0, 64, 0, 0, 0, 64 + 18, 0, 0, 0];
    frame.resize(64, 0);
    [frame, upper, lower].concat()
}

/// The header of a JPEG 2000 code stream.
fn jpeg_2000(columns: u32, rows: u32, components: u8, bits: u8) -> Vec<u8> {
    let mut stream = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
    for number in [columns, rows, 0, 0, columns, rows, 0, 0] {
        stream.extend(number.to_be_bytes());
    }
    stream.extend([0, components, bits - 1, 1, 1, 0]);
    stream
}

/// The header of a lossless JPEG.
fn jpeg(columns: u8, rows: u8, components: u8, bits: u8) -> Vec<u8> {
    vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, bits, 0, rows, 0, columns, components, 1, 0x11, 0, 0xFF, 0xD9, 0]
}

fn sized(rows: u16, columns: u16) -> Made {
    ct(0.0, 0.0).short(tags::ROWS, rows).short(tags::COLUMNS, columns)
}

#[test]
fn jpeg_ls_is_refused_by_name() {
    for syntax in ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"] {
        let reason = read(sized(4, 4), syntax, vec![vec![0xFF, 0xD8, 0xFF, 0xD9]]).expect_err("it is not unpacked");
        assert!(reason.contains("JPEG-LS"), "{reason}");
    }
}

#[test]
fn rle_frames_hold_all_pixels_and_no_more() {
    let expected: Vec<f32> = (0..16u8).map(f32::from).collect();
    assert_eq!(read(sized(4, 4), RLE, vec![rle()]).expect("a CT"), expected);
    for (rows, columns) in [(3, 4), (5, 4), (4, 3), (2, 4)] {
        let reason = read(sized(rows, columns), RLE, vec![rle()]).expect_err("another size");
        assert!(reason.contains("frame 1 holds 16 pixels by its RLE"), "{reason}");
    }
    let bytes = sized(4, 4).short(tags::BITS_ALLOCATED, 8).short(tags::BITS_STORED, 8).short(tags::HIGH_BIT, 7);
    assert!(read(bytes, RLE, vec![rle()]).expect_err("two bytes a pixel").contains("2 RLE segments"));
    let halves = rle().chunks(50).map(<[u8]>::to_vec).collect();
    assert!(read(sized(4, 4), RLE, halves).expect_err("two fragments").contains("several fragments"));
}

#[test]
fn code_streams_have_the_size_of_the_header() {
    // Whoever exchanges rows and columns has as many pixels.
    for (syntax, name, stream) in
        [(JPEG_2000, "JPEG 2000", jpeg_2000(6, 4, 1, 16)), (JPEG_LOSSLESS, "JPEG", jpeg(6, 4, 1, 16))]
    {
        for (rows, columns) in [(6, 4), (4, 5), (3, 8), (12, 2)] {
            let reason = read(sized(rows, columns), syntax, vec![stream.clone()]).expect_err("another size");
            let said = format!("frame 1 has 6 columns and 4 rows by its {name} code stream, and {columns} and {rows}");
            assert!(reason.contains(&said), "{reason}");
        }
        // There is no more than a header in them.
        let reason = read(sized(4, 6), syntax, vec![stream]).expect_err("no pixels");
        assert!(reason.contains("cannot be unpacked"), "{reason}");
    }
}

#[test]
fn code_streams_have_one_component_that_fits() {
    for (syntax, stream) in [
        (JPEG_2000, jpeg_2000(4, 4, 1, 17)),
        (JPEG_2000, jpeg_2000(4, 4, 3, 16)),
        (JPEG_LOSSLESS, jpeg(4, 4, 3, 16)),
        (JPEG_LOSSLESS, jpeg(4, 4, 1, 17)),
    ] {
        let reason = read(sized(4, 4), syntax, vec![stream]).expect_err("other values");
        assert!(reason.contains("components of"), "{reason}");
    }
    let reason = read(sized(4, 4), JPEG_2000, vec![vec![0; 64]]).expect_err("no code stream");
    assert!(reason.contains("no JPEG 2000 code stream"), "{reason}");
}
