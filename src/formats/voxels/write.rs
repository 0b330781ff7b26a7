//! Writing values, little-endian.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;

use super::VoxelType;
use crate::domain::Volume;
use crate::formats::atomic::{write_bytes, write_file};
use crate::formats::volume_file::name_of;

/// How hard values are compressed. Fractions hardly are: the least that compressors do makes files as small as all
/// that they can, in a fifth of the time. Labels and CT numbers do become smaller.
pub(in crate::formats) fn compression<T: Stored>() -> Compression {
    match T::ELEMENT {
        VoxelType::Float32 | VoxelType::Float64 => Compression::fast(),
        VoxelType::Int8
        | VoxelType::Uint8
        | VoxelType::Int16
        | VoxelType::Uint16
        | VoxelType::Int32
        | VoxelType::Uint32
        | VoxelType::Int64
        | VoxelType::Uint64 => Compression::default(),
    }
}

/// Values encoded at once.
const CHUNK_VALUES: usize = 1 << 16;

/// A type of value that volumes are written with.
pub trait Stored: Copy {
    /// Its name in a header.
    const ELEMENT: VoxelType;

    /// Appends its bytes, least significant first.
    fn put(self, bytes: &mut Vec<u8>);
}

macro_rules! stored {
    ($($number:ty => $element:ident),*) => {$(
        impl Stored for $number {
            const ELEMENT: VoxelType = VoxelType::$element;

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

stored!(u8 => Uint8, i16 => Int16, u16 => Uint16, i32 => Int32, f32 => Float32, f64 => Float64);

/// Writes the values in a `.raw` file beside `path`, then the header. A header that is there is emptied before the
/// values behind it change: if this ends in between, no reader takes the one for the other's.
///
/// * `header` – its text, from the name of the file of the values
///
/// # Errors
/// What the file system says.
pub(in crate::formats) fn write_pair<T: Stored>(
    path: &Path,
    volume: &Volume<T>,
    header: impl FnOnce(&str) -> String,
) -> io::Result<()> {
    let data = path.with_extension("raw");
    write_file(&data, |file| {
        write_values(file, volume)?;
        file.flush()?;
        if path.is_file() { write_bytes(path, b"") } else { Ok(()) }
    })?;
    write_file(path, |file| file.write_all(header(&name_of(&data)).as_bytes()))
}

/// Writes all values, x fastest.
///
/// # Errors
/// What the output says.
pub(in crate::formats) fn write_values<T: Stored>(output: &mut dyn Write, volume: &Volume<T>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK_VALUES * size_of::<T>());
    for chunk in volume.as_slice().chunks(CHUNK_VALUES) {
        bytes.clear();
        chunk.iter().for_each(|value| value.put(&mut bytes));
        output.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;
    use crate::formats::volume_file::{Origin, read_volume, write_volume};

    #[test]
    fn new_values_do_not_lie_under_an_old_header() {
        let folder = tempfile::tempdir().expect("a folder");
        let volume = |spacing_mm: f32| {
            let grid = VoxelGrid::new([3, 2, 1], [spacing_mm.into(); 3]).expect("a good grid");
            Volume::from_vec(Arc::new(grid), vec![spacing_mm; 6]).expect("a value a voxel")
        };
        for name in ["dose.nhdr", "dose.mhd"] {
            let path = folder.path().join(name);
            write_volume(&path, &volume(4.0), "old", &Origin::default()).expect("a writable folder");
            read_volume(&path).expect("both are there");
            let ended = catch_unwind(AssertUnwindSafe(|| write_pair(&path, &volume(2.0), |_| panic!("ended here"))));
            assert!(ended.is_err() && read_volume(&path).is_err(), "{name}");
            write_volume(&path, &volume(2.0), "new", &Origin::default()).expect("a writable folder");
            assert_eq!(read_volume(&path).expect("both are there").volume.as_slice(), [2.0; 6]);
        }
    }
}
