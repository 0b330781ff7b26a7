//! How a library is stored: a header in TOML, a line `---`, then numbers, all compressed with gzip.

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::axis::{Axis, CHARGED, PHOTON, SET_FREE};
use super::header::{FORMAT, FORMAT_WITHOUT_BONE};
use super::{ChargedKernel, ChargedKernels, KernelLibrary, LibraryHeader, PhotonKernel, PhotonKernels};
use crate::domain::Invalid;

const SEPARATOR: &str = "\n---\n";
/// Largest size of a library [bytes].
const MAX_BYTES: u64 = 16 << 20;

impl KernelLibrary {
    /// The library as a file; the same library gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = toml::to_string(&self.header).expect("a header is plain data");
        let mut text = format!("{}{SEPARATOR}", header.trim_end()).into_bytes();
        let mut put = |value: f32| text.extend(value.to_le_bytes());
        for kernel in self.electrons.kernels().iter().chain(self.positrons.kernels()) {
            [kernel.energy_mev, kernel.csda_range, kernel.charged_part]
                .into_iter()
                .for_each(|value| put(single(value)));
            kernel.charged.iter().chain(&kernel.set_free).chain(&kernel.set_free_in_bone).for_each(|value| put(*value));
        }
        for kernel in self.photons.kernels() {
            [kernel.energy_mev, kernel.mean_free_path].into_iter().for_each(|value| put(single(value)));
            kernel.parts.iter().chain(&kernel.parts_in_bone).for_each(|value| put(*value));
        }
        let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        encoder.write_all(&text).and_then(|()| encoder.finish()).expect("memory can be written to")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is not a library, has another format, or does not hold as many numbers as it says.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut text = Vec::new();
        let invalid = |error: &dyn std::fmt::Display| Invalid::new(format!("is not a library of kernels: {error}"));
        GzDecoder::new(bytes).take(MAX_BYTES).read_to_end(&mut text).map_err(|error| invalid(&error))?;
        let end = text.windows(SEPARATOR.len()).position(|window| window == SEPARATOR.as_bytes());
        let end = end.ok_or_else(|| invalid(&"no header"))?;
        let header = std::str::from_utf8(&text[..end]).map_err(|error| invalid(&error))?;
        let header: LibraryHeader = toml::from_str(header).map_err(|error| invalid(&error))?;
        if ![FORMAT, FORMAT_WITHOUT_BONE].contains(&header.format) {
            return Err(invalid(&format!("format {}, not {FORMAT}", header.format)));
        }
        let with_bone = header.format == FORMAT;
        let mut numbers = Numbers { rest: &text[end + SEPARATOR.len()..], with_bone };
        let [electrons, positrons, photons] = header.kernels;
        let library = Self {
            electrons: ChargedKernels::new((0..electrons).map(|_| numbers.charged()).collect::<Result<_, _>>()?),
            positrons: ChargedKernels::new((0..positrons).map(|_| numbers.charged()).collect::<Result<_, _>>()?),
            photons: PhotonKernels::new((0..photons).map(|_| numbers.photon()).collect::<Result<_, _>>()?),
            header,
        };
        if numbers.rest.is_empty() { Ok(library) } else { Err(invalid(&"more numbers than kernels")) }
    }
}

/// Numbers not read yet.
struct Numbers<'a> {
    rest: &'a [u8],
    /// Whether there are columns for bone.
    with_bone: bool,
}

impl Numbers<'_> {
    fn next(&mut self) -> Result<f32, Invalid> {
        let (first, rest) =
            self.rest.split_first_chunk().ok_or_else(|| Invalid::new("is a library of kernels that ends too soon"))?;
        self.rest = rest;
        let value = f32::from_le_bytes(*first);
        if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(Invalid::new(format!("{value} in a kernel"))) }
    }

    fn bins(&mut self, axis: Axis) -> Result<Vec<f32>, Invalid> {
        (0..axis.bins()).map(|_| self.next()).collect()
    }

    fn bone(&mut self, axis: Axis) -> Result<Vec<f32>, Invalid> {
        if self.with_bone { self.bins(axis) } else { Ok(Vec::new()) }
    }

    fn charged(&mut self) -> Result<ChargedKernel, Invalid> {
        let [energy_mev, csda_range, charged_part] = [self.next()?, self.next()?, self.next()?].map(f64::from);
        let (charged, set_free) = (self.bins(CHARGED)?, self.bins(SET_FREE)?);
        let set_free_in_bone = self.bone(SET_FREE)?;
        Ok(ChargedKernel { energy_mev, csda_range, charged_part, charged, set_free, set_free_in_bone })
    }

    fn photon(&mut self) -> Result<PhotonKernel, Invalid> {
        let [energy_mev, mean_free_path] = [self.next()?, self.next()?].map(f64::from);
        let (parts, parts_in_bone) = (self.bins(PHOTON)?, self.bone(PHOTON)?);
        Ok(PhotonKernel { energy_mev, mean_free_path, parts, parts_in_bone })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the file holds single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
