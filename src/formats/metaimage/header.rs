//! From the tags of a header to what they mean, every tag checked.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Invalid, VoxelGrid};
use crate::formats::volume_file::{FileHeader, Found, Origin, Placement, Values, name_of};
use crate::formats::voxels::stream::{Packing, Stream, open_file};
use crate::formats::voxels::text::{FROM_LPS, data_file, grid_of, head_of, lengths, numbers};
use crate::formats::voxels::{ByteOrder, Encoding, Layout, MAX_VOXELS, Scaling, VoxelType};

/// Whether a file begins with a tag, as `ObjectType = Image`.
pub(in crate::formats) fn is_header(head: &[u8]) -> bool {
    let letters = head.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = head[letters..].iter().find(|byte| **byte != b' ');
    letters >= 4 && rest == Some(&b'=')
}

/// Reads a header, and finds the values.
///
/// # Errors
/// What is wrong, with the name of the tag.
pub(in crate::formats) fn find(_head: &[u8], _stream: &mut Stream, path: &Path) -> Result<Found, Invalid> {
    let bytes = head_of(path)?;
    if !is_header(&bytes) {
        return Err(Invalid::new("is a MetaImage file that is packed as a whole; unpack it first"));
    }
    let tags = Tags::parse(&bytes)?;
    let Shape { shape, frames, dimensions } = shape(&tags)?;
    let grid = Arc::new(grid(&tags, shape, dimensions)?);
    let element = element(tags.need("ElementType")?)?;
    let big = tags.flag(&["BinaryDataByteOrderMSB", "ElementByteOrderMSB"], false)?;
    let byte_order = if big { ByteOrder::Big } else { ByteOrder::Little };
    let binary = tags.flag(&["BinaryData"], true)?;
    let encoding = if binary { Encoding::Binary } else { Encoding::Text };
    let scaling = scaling(&tags)?;
    let layout = Layout { grid: grid.clone(), frames, interleaved: false, element, byte_order, encoding, scaling };
    let values = values(&tags, path, layout.bytes())?;
    let (placement, origin) = (Placement::TransformMatrix, Origin::default());
    let header = FileHeader { format: "MetaImage", grid, element, byte_order, scaling, placement, origin, dicom: None };
    Ok(Found { header, layout, warnings: Vec::new(), segments: Vec::new(), values })
}

/// A header, line by line.
struct Tags {
    tags: BTreeMap<String, String>,
    /// Bytes up to the end of the last tag.
    bytes: u64,
}

impl Tags {
    /// * `bytes` – the start of the file; the tag of the values is the last one
    fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut tags = Self { tags: BTreeMap::new(), bytes: 0 };
        for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            tags.bytes += line.len() as u64;
            let line = String::from_utf8_lossy(line);
            if line.trim().is_empty() {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(Invalid::new(format!("line {} of the header is no tag of MetaImage", number + 1)));
            };
            let name = name.trim();
            tags.tags.insert(name.to_owned(), value.trim().to_owned());
            if name == "ElementDataFile" {
                return Ok(tags);
            }
        }
        Err(Invalid::new("its header has no tag ElementDataFile"))
    }

    fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.tags.get(*name)).map(String::as_str)
    }

    fn need(&self, name: &str) -> Result<&str, Invalid> {
        self.get(&[name]).ok_or_else(|| Invalid::new(format!("its header has no tag {name}")))
    }

    fn flag(&self, names: &[&str], default: bool) -> Result<bool, Invalid> {
        match self.get(names).map(str::to_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "1" | "t" | "yes") => Ok(true),
            Some("false" | "0" | "f" | "no") => Ok(false),
            Some(_) => Err(Invalid::new(format!("{} must be True or False", names[0]))),
        }
    }
}

struct Shape {
    shape: [u64; 3],
    frames: usize,
    dimensions: usize,
}

fn shape(tags: &Tags) -> Result<Shape, Invalid> {
    if tags.get(&["ObjectType"]).is_some_and(|kind| kind != "Image") {
        return Err(Invalid::new("ObjectType: is no image"));
    }
    let dimensions: usize = tags.need("NDims")?.parse().unwrap_or(0);
    if !(2..=4).contains(&dimensions) {
        return Err(Invalid::new("NDims must be 2 to 4"));
    }
    if tags.get(&["ElementNumberOfChannels"]).is_some_and(|channels| channels != "1") {
        return Err(Invalid::new("ElementNumberOfChannels: its voxels are vectors or colours; one number is needed"));
    }
    let sizes = lengths("DimSize", tags.need("DimSize")?, dimensions)?;
    let mut all = [1u64; 4];
    all[..dimensions].copy_from_slice(&sizes);
    if sizes.contains(&0) {
        return Err(Invalid::new("DimSize: every axis needs at least one voxel"));
    }
    let values = all.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
    if values.is_none_or(|values| values > MAX_VOXELS) {
        return Err(Invalid::new(format!("promises {sizes:?} voxels; at most {MAX_VOXELS} are read")));
    }
    let [nx, ny, nz, frames] = all;
    Ok(Shape { shape: [nx, ny, nz], frames: usize::try_from(frames).expect("at most 2^30"), dimensions })
}

/// Axes past the number of dimensions are 1 mm wide, at right angles to the others.
fn grid(tags: &Tags, shape: [u64; 3], dimensions: usize) -> Result<VoxelGrid, Invalid> {
    let mm = mm_per_unit(tags)?;
    let given = |names: &[&str], count| tags.get(names).map(|text| numbers(names[0], text, count)).transpose();
    let in_space = dimensions.min(3);
    let mut spacing = [1.0; 3];
    if let Some(edges) = given(&["ElementSpacing", "ElementSize"], dimensions)? {
        spacing[..in_space].copy_from_slice(&edges[..in_space]);
    }
    let mut origin = [0.0; 3];
    if let Some(offset) = given(&["Offset", "Position", "Origin"], dimensions)? {
        origin[..in_space].copy_from_slice(&offset[..in_space]);
    }
    // The numbers of an axis stand together: each axis' direction, one after the other.
    let mut directions = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    if let Some(matrix) = given(&["TransformMatrix", "Rotation", "Orientation"], dimensions * dimensions)? {
        for (axis, direction) in directions.iter_mut().enumerate().take(in_space) {
            direction[..in_space].copy_from_slice(&matrix[axis * dimensions..axis * dimensions + in_space]);
        }
    }
    let columns = [0, 1, 2].map(|axis| directions[axis].map(|part| part * spacing[axis] * mm));
    if spacing.iter().any(|edge| edge.is_nan() || *edge <= 0.0) {
        return Err(Invalid::new("ElementSpacing: every spacing must be a length above 0"));
    }
    grid_of(shape, columns, origin.map(|v| v * mm), FROM_LPS)
        .map_err(|Invalid(reason)| Invalid(format!("ElementSpacing, TransformMatrix: {reason}")))
}

fn mm_per_unit(tags: &Tags) -> Result<f64, Invalid> {
    match tags.get(&["DistanceUnits"]).unwrap_or("mm") {
        "mm" | "?" | "" => Ok(1.0),
        "cm" => Ok(10.0),
        "um" => Ok(1e-3),
        _ => Err(Invalid::new("DistanceUnits: only um, mm and cm are read")),
    }
}

fn element(name: &str) -> Result<VoxelType, Invalid> {
    Ok(match name {
        "MET_CHAR" => VoxelType::Int8,
        "MET_UCHAR" | "MET_ASCII_CHAR" => VoxelType::Uint8,
        "MET_SHORT" => VoxelType::Int16,
        "MET_USHORT" => VoxelType::Uint16,
        // MetaIO stores a long in four bytes.
        "MET_INT" | "MET_LONG" => VoxelType::Int32,
        "MET_UINT" | "MET_ULONG" => VoxelType::Uint32,
        "MET_LONG_LONG" => VoxelType::Int64,
        "MET_ULONG_LONG" => VoxelType::Uint64,
        "MET_FLOAT" => VoxelType::Float32,
        "MET_DOUBLE" => VoxelType::Float64,
        _ => return Err(Invalid::new("ElementType is no integer and no real number of MetaImage")),
    })
}

/// `ElementToIntensityFunction` is refused unless it changes nothing: readers do not agree on whether it is applied.
fn scaling(tags: &Tags) -> Result<Option<Scaling>, Invalid> {
    let value = |name: &str, none: f64| tags.get(&[name]).map_or(Some(none), |text| text.parse().ok());
    let slope = value("ElementToIntensityFunctionSlope", 1.0);
    let offset = value("ElementToIntensityFunctionOffset", 0.0);
    if (slope, offset) == (Some(1.0), Some(0.0)) {
        Ok(None)
    } else {
        Err(Invalid::new(
            "ElementToIntensityFunctionSlope, Offset: not every reader applies them; store the values themselves",
        ))
    }
}

/// Where the values are.
fn values(tags: &Tags, path: &Path, bytes: u64) -> Result<Values, Invalid> {
    let name = tags.need("ElementDataFile")?;
    if name.starts_with("LIST") || name.contains('%') {
        return Err(Invalid::new("ElementDataFile: values in several files are not read; join them in one .mha"));
    }
    let local = name.eq_ignore_ascii_case("local");
    let (path, own): (PathBuf, u64) = if local { (path.to_owned(), tags.bytes) } else { (data_file(path, name)?, 0) };
    let of_file = |Invalid(reason)| Invalid(format!("its values in `{}`: {reason}", name_of(&path)));
    let (mut file, length) = open_file(&path).map_err(of_file)?;
    if tags.flag(&["CompressedData"], false)? {
        let mut magic = [0; 2];
        let is_gzip = !local && file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        let packing = if is_gzip { Packing::Gzip } else { Packing::Zlib };
        return Ok(Values::File { path, skip: own, packing: Some(packing), before: 0 });
    }
    let header: i64 = tags.get(&["HeaderSize"]).unwrap_or("0").parse().unwrap_or(-2);
    let skip = match u64::try_from(header) {
        Ok(bytes) => own + bytes,
        Err(_) if header == -1 => length.saturating_sub(bytes),
        Err(_) => return Err(Invalid::new("HeaderSize must be a whole number of bytes, or -1")),
    };
    Ok(Values::File { path, skip, packing: Some(Packing::None), before: 0 })
}
