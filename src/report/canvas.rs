//! A picture in memory: drawn at twice the size, then averaged down, so that every edge is smooth.

use plotters::prelude::{BitMapBackend, IntoDrawingArea};
use plotters::{coord::Shift, drawing::DrawingArea};

use super::palette::Colour;
use crate::domain::DoseError;

/// Drawn pixels along each axis for one of the finished picture.
pub(super) const OVERSAMPLING: u32 = 2;

/// Steps between the values of a colour in the finished picture: finer than the eye tells apart, and they almost halve
/// the file.
const COLOUR_STEP: u32 = 4;

/// An RGB picture, first row on top, at [`OVERSAMPLING`] times its final size.
pub(super) struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// Where lines and text are drawn.
pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

impl Canvas {
    /// A white canvas of this final size.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width * OVERSAMPLING, height * OVERSAMPLING);
        Self { width, height, rgb: vec![255; width as usize * height as usize * 3] }
    }

    /// Sets one drawn pixel; ignores those outside.
    pub(super) fn set(&mut self, x: u32, y: u32, colour: Colour) {
        if x < self.width && y < self.height {
            let at = (y as usize * self.width as usize + x as usize) * 3;
            self.rgb[at..at + 3].copy_from_slice(&colour.0);
        }
    }

    /// For lines and text, in drawn pixels.
    pub(super) fn area(&mut self) -> Area<'_> {
        BitMapBackend::with_buffer(&mut self.rgb, (self.width, self.height)).into_drawing_area()
    }

    /// The finished picture as the bytes of a PNG.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub(super) fn into_png(self) -> Result<Vec<u8>, DoseError> {
        let (width, height) = (self.width / OVERSAMPLING, self.height / OVERSAMPLING);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Best);
        encoder.set_filter(png::FilterType::NoFilter);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.averaged()))
            .map_err(|error| DoseError::Io(format!("the picture cannot be encoded: {error}")))?;
        Ok(bytes)
    }

    /// The finished picture as red, green and blue of each pixel.
    pub(super) fn into_rgb(self) -> Vec<u8> {
        self.averaged()
    }

    /// The mean of the drawn pixels for each pixel of the finished picture.
    fn averaged(&self) -> Vec<u8> {
        let n = OVERSAMPLING as usize;
        let (width, row) = (self.width as usize / n, self.width as usize * 3);
        let pixels = (0..self.height as usize / n).flat_map(|y| (0..width).map(move |x| (x, y)));
        pixels
            .flat_map(|(x, y)| {
                [0, 1, 2].map(|channel| {
                    let drawn = (0..n * n).map(|i| self.rgb[(y * n + i / n) * row + (x * n + i % n) * 3 + channel]);
                    let mean = drawn.map(u32::from).sum::<u32>() / OVERSAMPLING.pow(2);
                    let rounded = (mean + COLOUR_STEP / 2) / COLOUR_STEP * COLOUR_STEP;
                    u8::try_from(rounded).unwrap_or(u8::MAX)
                })
            })
            .collect()
    }
}
