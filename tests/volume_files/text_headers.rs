//! NRRD and MetaImage, good and broken.

use std::io::Write;

use dosegrid::formats::volume_file::{Placement, read_frames, read_volume, read_volume_as};
use flate2::{Compression, write::ZlibEncoder};

use super::{folder, refused, write};
use crate::support::nifti::gzip;

const NRRD: &str = "NRRD0004\n# a comment\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 3 1\n\
                    space directions: (2,0,0) (0,2.5,0) (0,0,4)\nkinds: domain domain domain\nendian: little\n\
                    encoding: raw\nspace origin: (10,-20,30)\n\n";
const META: &str = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n\
                    CompressedData = False\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 10 -20 30\n\
                    CenterOfRotation = 0 0 0\nElementSpacing = 2 2.5 4\nDimSize = 2 3 1\nElementType = MET_SHORT\n\
                    ElementDataFile = LOCAL\n";
const VALUES: [f64; 6] = [-7.0, 0.0, 1.0, 2.0, 100.0, 127.0];

fn shorts() -> Vec<u8> {
    VALUES.iter().flat_map(|&v| encoded(v, "short", false)).collect()
}

fn encoded(value: f64, kind: &str, big: bool) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the test chooses values that fit")]
    let mut bytes = match kind {
        "int8" => (value as i8).to_le_bytes().to_vec(),
        "uint8" => vec![value as u8],
        "short" => (value as i16).to_le_bytes().to_vec(),
        "ushort" => (value as u16).to_le_bytes().to_vec(),
        "int" => (value as i32).to_le_bytes().to_vec(),
        "uint" => (value as u32).to_le_bytes().to_vec(),
        "int64" => (value as i64).to_le_bytes().to_vec(),
        "uint64" => (value as u64).to_le_bytes().to_vec(),
        "float" => (value as f32).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    };
    if big {
        bytes.reverse();
    }
    bytes
}

fn join(header: &str, data: &[u8]) -> Vec<u8> {
    [header.as_bytes(), data].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}

#[test]
fn every_type_and_byte_order_is_read() {
    let folder = folder();
    let types = [
        ("int8", "MET_CHAR"),
        ("uint8", "MET_UCHAR"),
        ("short", "MET_SHORT"),
        ("ushort", "MET_USHORT"),
        ("int", "MET_INT"),
        ("uint", "MET_UINT"),
        ("int64", "MET_LONG_LONG"),
        ("uint64", "MET_ULONG_LONG"),
        ("float", "MET_FLOAT"),
        ("double", "MET_DOUBLE"),
    ];
    for (nrrd, meta) in types {
        for big in [false, true] {
            let values = VALUES.map(|v: f64| if nrrd.starts_with('u') { v.max(0.0) } else { v });
            let data: Vec<u8> = values.iter().flat_map(|&v| encoded(v, nrrd, big)).collect();
            let order = if big { "endian: big" } else { "endian: little" };
            let header = NRRD.replace("type: short", &format!("type: {nrrd}")).replace("endian: little", order);
            let read = read_volume_as::<f64>(&write(&folder, "a.nrrd", &join(&header, &data))).expect("a good file");
            assert_eq!(read.volume.as_slice(), values, "{nrrd} {big}");
            let order = if big { "OrderMSB = True" } else { "OrderMSB = False" };
            let header = META.replace("MET_SHORT", meta).replace("OrderMSB = False", order);
            let read = read_volume_as::<f64>(&write(&folder, "a.mha", &join(&header, &data))).expect("a good file");
            assert_eq!(read.volume.as_slice(), values, "{meta} {big}");
        }
    }
}

#[test]
fn coordinates_become_those_of_nifti() {
    let folder = folder();
    let lps = [[-2.0, 0.0, 0.0, -10.0], [0.0, -2.5, 0.0, 20.0], [0.0, 0.0, 4.0, 30.0]];
    let meta = read_volume(&write(&folder, "a.mha", &join(META, &shorts()))).expect("a good file");
    assert_eq!((meta.header.grid.affine(), meta.header.placement), (&lps, Placement::TransformMatrix));
    for (space, signs) in [
        ("left-posterior-superior", [-1.0, -1.0, 1.0]),
        ("LPS", [-1.0, -1.0, 1.0]),
        ("right-anterior-superior", [1.0, 1.0, 1.0]),
        ("left-anterior-superior", [-1.0, 1.0, 1.0]),
    ] {
        let header = NRRD.replace("left-posterior-superior", space);
        let read = read_volume(&write(&folder, "a.nrrd", &join(&header, &shorts()))).expect("a good file");
        let [x, y, z] = signs;
        let expected = [[2.0 * x, 0.0, 0.0, 10.0 * x], [0.0, 2.5 * y, 0.0, -20.0 * y], [0.0, 0.0, 4.0 * z, 30.0]];
        assert_eq!(read.header.grid.affine(), &expected, "{space}");
        assert!(read.warnings.is_empty());
    }
    let header = NRRD.replace("left-posterior-superior", "scanner-xyz");
    let read = read_volume(&write(&folder, "a.nrrd", &join(&header, &shorts()))).expect("a good file");
    assert!(read.warnings[0].contains("left"), "{:?}", read.warnings);
    let header = NRRD
        .replace("encoding: raw", "encoding: raw\nspace units: \"um\" \"um\" \"um\"")
        .replace("(2,0,0)", "(2000,0,0)");
    let header = header.replace("(0,2.5,0)", "(0, 2500, 0)").replace("(0,0,4)", "(0,0,4000)");
    let read = read_volume(&write(&folder, "a.nrrd", &join(&header, &shorts()))).expect("a good file");
    assert_eq!(read.header.grid.spacing_mm(), [2.0, 2.5, 4.0]);
    // Without a place there is only the size of the voxels.
    let header: String =
        NRRD.lines().filter(|line| !line.starts_with("space")).map(|line| format!("{line}\n")).collect();
    let header = header.replace("endian", "spacings: 2 2.5 4\nendian");
    let read = read_volume(&write(&folder, "a.nrrd", &join(&header, &shorts()))).expect("a good file");
    assert_eq!((read.header.placement, read.header.grid.spacing_mm()), (Placement::VoxelSizes, [2.0, 2.5, 4.0]));
}

#[test]
fn packed_and_written_out_values_are_read() {
    let folder = folder();
    let text = b"-7 0 1\n2 100 127\n";
    for (header, data) in [
        (NRRD.replace("raw", "gzip"), gzip(&shorts())),
        (NRRD.replace("raw", "ascii"), text.to_vec()),
        (NRRD.replace("encoding: raw", "encoding: raw\nbyte skip: -1"), [&[9; 5][..], &shorts()].concat()),
        (NRRD.replace("encoding: raw", "encoding: raw\nbyte skip: 3"), [&[9; 3][..], &shorts()].concat()),
        (NRRD.replace('\n', "\r\n"), shorts()),
    ] {
        let read = read_volume_as::<f64>(&write(&folder, "a.nrrd", &join(&header, &data))).expect("a good file");
        assert_eq!(read.volume.as_slice(), VALUES, "{header}");
    }
    for (header, data) in [
        (META.replace("CompressedData = False", "CompressedData = True"), zlib(&shorts())),
        (META.replace("BinaryData = True", "BinaryData = False"), text.to_vec()),
    ] {
        let read = read_volume_as::<f64>(&write(&folder, "a.mha", &join(&header, &data))).expect("a good file");
        assert_eq!(read.volume.as_slice(), VALUES, "{header}");
    }
}

#[test]
fn values_may_stand_in_a_file_of_their_own() {
    let folder = folder();
    write(&folder, "a.raw", &shorts());
    write(&folder, "a.zraw", &zlib(&shorts()));
    write(&folder, "a.raw.gz", &gzip(&shorts()));
    write(&folder, "long.raw", &[&[1; 10][..], &shorts()].concat());
    let nrrd = |file: &str| NRRD.replace("endian", &format!("data file: {file}\nendian"));
    let meta = |file: &str| META.replace("LOCAL", file);
    for (name, header) in [
        ("a.nhdr", nrrd("a.raw")),
        ("b.nhdr", nrrd("a.raw.gz").replace("raw\nspace", "gzip\nspace")),
        ("c.nhdr", nrrd("long.raw").replace("endian", "byte skip: -1\nendian")),
        ("a.mhd", meta("a.raw")),
        ("b.mhd", meta("a.zraw").replace("CompressedData = False", "CompressedData = True")),
        ("c.mhd", meta("long.raw").replace("ElementData", "HeaderSize = 10\nElementData")),
        ("d.mhd", meta("long.raw").replace("ElementData", "HeaderSize = -1\nElementData")),
    ] {
        let read = read_volume_as::<f64>(&write(&folder, name, header.as_bytes())).expect("a good pair");
        assert_eq!(read.volume.as_slice(), VALUES, "{name}");
    }
    for (name, header) in [("x.nhdr", nrrd("absent.raw")), ("x.mhd", meta("absent.raw"))] {
        let reason = refused(&write(&folder, name, header.as_bytes()));
        assert!(reason.contains("`absent.raw`") && reason.contains("cannot be opened"), "{reason}");
    }
    for header in [nrrd("slice%03d.raw 1 3 1"), nrrd("LIST"), meta("slice%03d.raw 1 3 1"), meta("LIST")] {
        assert!(refused(&write(&folder, "x.mhd", header.as_bytes())).contains("several files"));
    }
}

#[test]
fn stacks_are_read_whichever_axis_holds_the_volumes() {
    let folder = folder();
    let both: Vec<u8> = VALUES.iter().chain(&VALUES).flat_map(|&v| encoded(v, "short", false)).collect();
    let woven: Vec<u8> = VALUES.iter().flat_map(|&v| [v, v + 1.0]).flat_map(|v| encoded(v, "short", false)).collect();
    let last = NRRD.replace("dimension: 3", "dimension: 4").replace("sizes: 2 3 1", "sizes: 2 3 1 2");
    let last = last.replace("(0,0,4)", "(0,0,4) none").replace("domain\nendian", "domain list\nendian");
    let first = NRRD.replace("dimension: 3", "dimension: 4").replace("sizes: 2 3 1", "sizes: 2 2 3 1");
    let first = first.replace("directions: ", "directions: none ").replace("kinds: ", "kinds: list ");
    let meta = META.replace("NDims = 3", "NDims = 4").replace("= 2 3 1", "= 2 3 1 2").replace("2 2.5 4", "2 2.5 4 1");
    let meta = meta.replace("10 -20 30", "10 -20 30 0").replace("1 0 0 0 1 0 0 0 1", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1");
    for (name, header, data, second) in
        [("a.nrrd", last, &both, 0.0), ("b.nrrd", first, &woven, 1.0), ("a.mha", meta, &both, 0.0)]
    {
        let path = write(&folder, name, &join(&header, data));
        assert!(refused(&path).contains("holds 2 volumes"));
        let frames = read_frames::<f64>(&path).expect("a stack").frames;
        assert_eq!(frames[0].as_slice(), VALUES, "{name}");
        assert_eq!(frames[1].as_slice(), VALUES.map(|v| v + second), "{name}");
        assert_eq!(frames[0].grid().spacing_mm(), [2.0, 2.5, 4.0]);
    }
}

#[test]
fn broken_headers_of_nrrd_are_refused_with_their_field() {
    let folder = folder();
    let with = |from: &str, to: &str| join(&NRRD.replace(from, to), &shorts());
    for (bytes, word) in [
        (with("type: short", "type: block"), "type"),
        (with("type: short\n", ""), "`type`"),
        (with("sizes: 2 3 1", "sizes: 2 3"), "sizes"),
        (with("sizes: 2 3 1", "sizes: 2 0 1"), "sizes"),
        (with("sizes: 2 3 1", "sizes: 65535 65535 65535"), "at most"),
        (with("sizes: 2 3 1", "sizes: 2000 300 100"), "shorter than its header"),
        (with("sizes: 2 3 1", "sizes: 2 2 1"), "longer than its header"),
        (with("dimension: 3", "dimension: 7"), "dimension"),
        (with("endian: little\n", ""), "`endian`"),
        (with("encoding: raw", "encoding: hex"), "encoding"),
        (with("(0,0,4)", "(0,0)"), "vector"),
        (with("(0,0,4)", "(0,0,0)"), "space directions"),
        (with("(0,0,4)", "(0,3,4)"), "sheared"),
        (with("(10,-20,30)", "(10,-20,nan)"), "finite"),
        (with("kinds: domain", "what is this"), "line 8"),
        (with("left-posterior-superior", "left-posterior-superior-time"), "time"),
        (with("encoding: raw", "encoding: raw\nspace units: \"furlong\" \"mm\" \"mm\""), "space units"),
        (with("encoding: raw", "encoding: raw\nencoding: gzip"), "comes twice"),
        (join(&NRRD.replace("raw", "gzip"), &shorts()), "cannot be read"),
        (join(&NRRD.replace("raw", "ascii"), b"1 2 3 4 5"), "shorter"),
        (join(&NRRD.replace("raw", "ascii"), b"1 2 3 four 5 6"), "value 3 is no number"),
        (join(&NRRD.replace("raw", "ascii"), b"1 2 3 4 5 6 7"), "longer"),
        (gzip(&join(NRRD, &shorts())), "packed as a whole"),
    ] {
        let reason = refused(&write(&folder, "a.nrrd", &bytes));
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[test]
fn broken_headers_of_metaimage_are_refused_with_their_tag() {
    let folder = folder();
    let with = |from: &str, to: &str| join(&META.replace(from, to), &shorts());
    for (bytes, word) in [
        (with("MET_SHORT", "MET_STRING"), "ElementType"),
        (with("ElementType = MET_SHORT\n", ""), "ElementType"),
        (with("DimSize = 2 3 1", "DimSize = 2 3"), "DimSize"),
        (with("DimSize = 2 3 1", "DimSize = 2 0 1"), "DimSize"),
        (with("DimSize = 2 3 1", "DimSize = 99999 99999 99999"), "at most"),
        (with("DimSize = 2 3 1", "DimSize = 2 300 1"), "shorter than its header"),
        (with("DimSize = 2 3 1", "DimSize = 2 2 1"), "longer than its header"),
        (with("NDims = 3", "NDims = 5"), "NDims"),
        (with("ElementSpacing = 2 2.5 4", "ElementSpacing = 2 -2.5 4"), "ElementSpacing"),
        (with("TransformMatrix = 1 0 0", "TransformMatrix = 1 1 0"), "TransformMatrix"),
        (with("TransformMatrix = 1 0 0 ", "TransformMatrix = 1 0 "), "TransformMatrix"),
        (with("NDims", "ElementNumberOfChannels = 3\nNDims"), "ElementNumberOfChannels"),
        (with("NDims", "ElementToIntensityFunctionSlope = 2\nNDims"), "ElementToIntensityFunction"),
        (with("NDims", "DistanceUnits = furlong\nNDims"), "DistanceUnits"),
        (with("BinaryData = True", "BinaryData = perhaps"), "BinaryData"),
        (with("ObjectType = Image", "ObjectType = Tube"), "ObjectType"),
        (with("CompressedData = False", "CompressedData = True"), "cannot be read"),
        (META.replace("ElementDataFile = LOCAL\n", "").into_bytes(), "ElementDataFile"),
    ] {
        let reason = refused(&write(&folder, "a.mha", &bytes));
        assert!(reason.contains(word), "{word}: {reason}");
    }
}
