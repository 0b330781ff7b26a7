//! From the fields of a header to what they mean, every field checked.

use std::path::Path;
use std::sync::Arc;

use super::fields::{Fields, quoted, vector, vectors};
use crate::domain::{Invalid, VoxelGrid};
use crate::formats::volume_file::{FileHeader, Found, LengthUnit, Origin, Placement, Segment, Values, name_of};
use crate::formats::voxels::stream::{Packing, Stream, open_file};
use crate::formats::voxels::text::{FROM_LPS, data_file, grid_of, head_of, lengths};
use crate::formats::voxels::{ByteOrder, Encoding, Layout, MAX_VOXELS, VoxelType};

/// Reads a header, and finds the values.
///
/// # Errors
/// What is wrong, with the name of the field.
pub(in crate::formats) fn find(_head: &[u8], _stream: &mut Stream, path: &Path) -> Result<Found, Invalid> {
    let bytes = head_of(path)?;
    if !bytes.starts_with(b"NRRD000") {
        return Err(Invalid::new("is a NRRD file that is packed as a whole; unpack it first"));
    }
    let fields = Fields::parse(&bytes)?;
    let axes = Axes::of(&fields)?;
    let mut warnings = Vec::new();
    let (grid, placement) = axes.grid(&fields, &mut warnings)?;
    let grid = Arc::new(grid);
    let element = element(fields.need("type")?)?;
    let byte_order = byte_order(&fields, element)?;
    let (encoding, packing) = encoding(fields.need("encoding")?)?;
    let layout = Layout {
        grid: grid.clone(),
        frames: axes.frames,
        interleaved: axes.interleaved,
        element,
        byte_order,
        encoding,
        scaling: None,
    };
    let values = values(&fields, path, packing, layout.bytes())?;
    let unplaced = Origin { qform_code: 0, sform_code: 0, ..Origin::default() };
    let origin = if placement == Placement::VoxelSizes { unplaced } else { Origin::default() };
    let header =
        FileHeader { format: "NRRD", grid, element, byte_order, scaling: None, placement, origin, dicom: None };
    Ok(Found { header, layout, warnings, segments: segments(&fields), values })
}

/// What the axes of a file are.
struct Axes {
    shape: [u64; 3],
    frames: usize,
    /// Whether the axis of the frames comes first.
    interleaved: bool,
    /// All axes.
    dimension: usize,
    /// Number of the first axis in space.
    first: usize,
    /// Axes in space; at least 2.
    in_space: usize,
}

impl Axes {
    fn of(fields: &Fields) -> Result<Self, Invalid> {
        let dimension: usize = fields.need("dimension")?.parse().unwrap_or(0);
        if !(2..=4).contains(&dimension) {
            return Err(Invalid::new("dimension must be 2 to 4: one volume is needed, not a series of vectors"));
        }
        let sizes = lengths("sizes", fields.need("sizes")?, dimension)?;
        let kinds: Vec<&str> = fields.get("kinds").unwrap_or_default().split_ascii_whitespace().collect();
        let directions = fields.get("space directions").map(vectors).transpose()?.unwrap_or_default();
        let is_outside = |axis: usize| {
            directions.get(axis).is_some_and(Option::is_none)
                || kinds.get(axis).is_some_and(|kind| !matches!(*kind, "domain" | "space" | "???" | "none"))
        };
        let outside: Vec<usize> = (0..dimension).filter(|&axis| is_outside(axis)).collect();
        let frame_axis = match outside.as_slice() {
            [] if dimension == 4 => Some(3),
            [] => None,
            [axis] if *axis == 0 || axis + 1 == dimension => Some(*axis),
            _ => return Err(Invalid::new("kinds: at most one axis, the first or the last, may not be in space")),
        };
        let frames = frame_axis.map_or(1, |axis| sizes[axis]);
        let list = frame_axis
            .and_then(|axis| kinds.get(axis))
            .is_none_or(|kind| matches!(*kind, "list" | "time" | "none" | "???" | "domain"));
        if frames != 1 && !list {
            return Err(Invalid::new("kinds: its voxels are vectors or colours; one number a voxel is needed"));
        }
        let (first, in_space) = (usize::from(frame_axis == Some(0)), dimension - usize::from(frame_axis.is_some()));
        if in_space < 2 {
            return Err(Invalid::new("has fewer than two axes in space"));
        }
        let mut shape = [1; 3];
        shape[..in_space].copy_from_slice(&sizes[first..first + in_space]);
        check_values(&sizes)?;
        let frames = usize::try_from(frames).expect("at most 2^30");
        Ok(Self { shape, frames, interleaved: first == 1, dimension, first, in_space })
    }

    /// The grid, and which field placed it.
    fn grid(&self, fields: &Fields, warnings: &mut Vec<String>) -> Result<(VoxelGrid, Placement), Invalid> {
        let Some(directions) = fields.get("space directions") else {
            return Ok((VoxelGrid::new(self.shape, self.spacings(fields)?)?, Placement::VoxelSizes));
        };
        let directions: Vec<[f64; 3]> = vectors(directions)?.into_iter().flatten().collect();
        let [Some(x), Some(y), Some(z)] = [0, 1, 2].map(|axis| directions.get(axis).copied()) else {
            return Err(Invalid::new("space directions must have three vectors of three numbers"));
        };
        if self.in_space != 3 || directions.len() != 3 {
            return Err(Invalid::new("space directions must have a vector for each of three axes"));
        }
        let mm = mm_per_unit(fields)?;
        let origin = fields.get("space origin").map(vector).transpose()?.flatten().unwrap_or_default();
        let scaled = |v: [f64; 3]| v.map(|length| length * mm);
        let signs = signs(fields, warnings)?;
        let grid = grid_of(self.shape, [x, y, z].map(scaled), scaled(origin), signs)
            .map_err(|Invalid(reason)| Invalid(format!("space directions: {reason}")))?;
        Ok((grid, Placement::SpaceDirections))
    }

    /// Voxel edges where the file does not say where it lies; those that are not given are 1 mm.
    fn spacings(&self, fields: &Fields) -> Result<[f64; 3], Invalid> {
        let mut spacing = [1.0; 3];
        if let Some(text) = fields.get("spacings") {
            let words: Vec<&str> = text.split_ascii_whitespace().collect();
            if words.len() != self.dimension {
                return Err(Invalid::new(format!("spacings needs {} numbers", self.dimension)));
            }
            for (edge, word) in spacing.iter_mut().zip(&words[self.first..self.first + self.in_space]) {
                *edge = word.parse().map_err(|_| Invalid::new("spacings: one is no number"))?;
            }
        }
        Ok(spacing)
    }
}

fn check_values(sizes: &[u64]) -> Result<(), Invalid> {
    if sizes.contains(&0) {
        return Err(Invalid::new("sizes: every axis needs at least one voxel"));
    }
    let values = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
    match values.filter(|&values| values <= MAX_VOXELS) {
        Some(_) => Ok(()),
        None => Err(Invalid::new(format!("promises {sizes:?} voxels; at most {MAX_VOXELS} are read"))),
    }
}

/// From the coordinates of the file to those of NIfTI.
fn signs(fields: &Fields, warnings: &mut Vec<String>) -> Result<[f64; 3], Invalid> {
    match fields.get("space").unwrap_or_default().to_lowercase().as_str() {
        "left-posterior-superior" | "lps" => Ok(FROM_LPS),
        "right-anterior-superior" | "ras" => Ok([1.0; 3]),
        "left-anterior-superior" | "las" => Ok([-1.0, 1.0, 1.0]),
        time if time.ends_with("-time") || time.ends_with('t') => {
            Err(Invalid::new("space: an axis of time within the space is not read; take one volume out"))
        }
        _ => {
            warnings.push("space: the file does not say which side is left; left-posterior-superior is taken".into());
            Ok(FROM_LPS)
        }
    }
}

fn mm_per_unit(fields: &Fields) -> Result<f64, Invalid> {
    let units = quoted(fields.get("space units").unwrap_or_default());
    let mut factors = units.iter().map(|unit| match *unit {
        "" | "mm" | "millimeter" | "millimetre" => Ok(1.0),
        "m" | "meter" | "metre" => Ok(LengthUnit::Metre.mm()),
        "cm" => Ok(10.0),
        "um" | "µm" | "micron" | "micrometer" => Ok(LengthUnit::Micrometre.mm()),
        _ => Err(Invalid::new("space units: only m, cm, mm and um are read")),
    });
    let first = factors.next().unwrap_or(Ok(1.0))?;
    if factors.all(|factor| factor == Ok(first)) { Ok(first) } else { Err(Invalid::new("space units must be alike")) }
}

fn element(name: &str) -> Result<VoxelType, Invalid> {
    Ok(match name.to_lowercase().as_str() {
        "signed char" | "int8" | "int8_t" | "char" => VoxelType::Int8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => VoxelType::Uint8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => VoxelType::Int16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => VoxelType::Uint16,
        "int" | "signed int" | "int32" | "int32_t" => VoxelType::Int32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => VoxelType::Uint32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => VoxelType::Int64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => VoxelType::Uint64,
        "float" => VoxelType::Float32,
        "double" => VoxelType::Float64,
        _ => return Err(Invalid::new("type is no integer and no real number of NRRD")),
    })
}

fn byte_order(fields: &Fields, element: VoxelType) -> Result<ByteOrder, Invalid> {
    match fields.get("endian") {
        Some("little") => Ok(ByteOrder::Little),
        Some("big") => Ok(ByteOrder::Big),
        None if element.bytes() == 1 || encoding(fields.need("encoding")?)?.0 == Encoding::Text => {
            Ok(ByteOrder::Little)
        }
        None => Err(Invalid::new("its header has no field `endian`")),
        Some(_) => Err(Invalid::new("endian must be little or big")),
    }
}

fn encoding(name: &str) -> Result<(Encoding, Packing), Invalid> {
    match name.to_lowercase().as_str() {
        "raw" => Ok((Encoding::Binary, Packing::None)),
        "gzip" | "gz" => Ok((Encoding::Binary, Packing::Gzip)),
        "bzip2" | "bz2" => Ok((Encoding::Binary, Packing::Bzip2)),
        "text" | "txt" | "ascii" => Ok((Encoding::Text, Packing::None)),
        _ => Err(Invalid::new("encoding must be raw, gzip, bzip2 or ascii; save the file with one of them")),
    }
}

/// Where the values are.
fn values(fields: &Fields, path: &Path, packing: Packing, bytes: u64) -> Result<Values, Invalid> {
    if fields.get("line skip").or(fields.get("lineskip")).is_some_and(|skip| skip != "0") {
        return Err(Invalid::new("line skip is not read"));
    }
    let (path, skip) = match fields.get("data file").or(fields.get("datafile")) {
        None => (path.to_owned(), fields.bytes),
        Some(name) if name.starts_with("LIST") || name.contains('%') => {
            return Err(Invalid::new("data file: values in several files are not read; join them in one .nrrd"));
        }
        Some(name) => (data_file(path, name)?, 0),
    };
    let before: i64 = fields.get("byte skip").or(fields.get("byteskip")).unwrap_or("0").parse().unwrap_or(-2);
    match u64::try_from(before) {
        Ok(before) => Ok(Values::File { path, skip, packing: Some(packing), before }),
        // The values are the last bytes of the file.
        Err(_) if before == -1 && packing == Packing::None => {
            let (_, length) =
                open_file(&path).map_err(|Invalid(reason)| Invalid(format!("`{}` {reason}", name_of(&path))))?;
            let skip = length.saturating_sub(bytes);
            Ok(Values::File { path, skip, packing: Some(packing), before: 0 })
        }
        Err(_) => Err(Invalid::new("byte skip must be a whole number of bytes")),
    }
}

/// The segments that 3D Slicer names in pairs of keys and values.
fn segments(fields: &Fields) -> Vec<Segment> {
    let text = |number: usize, key: &str| fields.pairs.get(&format!("Segment{number}_{key}"));
    let of = |number: usize| {
        let name = text(number, "Name")?.clone();
        let value = text(number, "LabelValue").and_then(|value| value.parse().ok()).unwrap_or(1);
        let layer = text(number, "Layer").and_then(|layer| layer.parse().ok()).unwrap_or(0);
        Some(Segment { name, layer, value })
    };
    (0..).map_while(of).collect()
}
