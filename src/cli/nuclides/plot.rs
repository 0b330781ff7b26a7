//! The spectrum of a nuclide as a picture, or as a page with the picture in it.

use std::path::Path;

use askama::Template;

use super::detail::{self, Detail};
use super::spectrum::{Curve, Spectrum, Sticks};
use crate::domain::nuclide::EmissionLine;
use crate::domain::{DoseError, Invalid, Nuclide};
use crate::formats::atomic::write_bytes;
use crate::report::page::render;
use crate::report::{Axis, Figure, Mark, Series, Sheet};

/// Width and height in pixels of the finished picture.
const SIZE: [u32; 2] = [1000, 760];
/// Decades of intensity that are shown.
const DECADES: i32 = 7;

/// File format of a plot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Png,
    Html,
}

impl Format {
    /// The format that an extension stands for.
    ///
    /// # Errors
    /// If it is neither `png` nor `html`.
    pub(super) fn of(path: &Path) -> Result<Self, Invalid> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(Self::Png),
            Some("html") => Ok(Self::Html),
            _ => Err(Invalid::new(format!("must end in .png or .html, got {}", path.display()))),
        }
    }
}

/// Draws the spectrum to a file.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(nuclide: &'static Nuclide, path: &Path, format: Format) -> Result<(), DoseError> {
    let bytes = match format {
        Format::Png => sheet(nuclide).png()?,
        Format::Html => html(nuclide)?.into_bytes(),
    };
    let failed = |error| DoseError::invalid("plot", format!("{} cannot be written: {error}", path.display()));
    write_bytes(path, &bytes).map_err(failed)
}

/// A page that needs no other file.
#[derive(Template)]
#[template(path = "nuclide.html")]
struct Page<'a> {
    name: &'a str,
    /// SVG.
    figure: String,
    detail: String,
}

fn html(nuclide: &'static Nuclide) -> Result<String, DoseError> {
    render(&Page { name: &nuclide.name, figure: sheet(nuclide).svg()?, detail: Detail::new(nuclide).text() })
}

/// Beta spectra above, lines below.
fn sheet(nuclide: &Nuclide) -> Sheet {
    let title = format!("{}: emissions per decay, half-life {}", nuclide.name, detail::duration(nuclide.half_life_s));
    let Spectrum { curves, sticks } = Spectrum::of(nuclide);
    let figures = [continua(curves), lines(&sticks)];
    Sheet { title, figures: figures.into_iter().flatten().collect(), size: SIZE }
}

/// Beta spectra, dN/dE over the energy.
fn continua(curves: Vec<Curve>) -> Option<Figure> {
    let largest = |of: fn(&[f64; 2]) -> f64| curves.iter().flat_map(|curve| &curve.points).map(of).fold(0.0, f64::max);
    let [right, top] = [largest(|[mev, _]| *mev), largest(|[_, density]| *density)];
    let axes = [
        Axis::linear("Kinetic energy (MeV)").within([0.0, right * 1.03]),
        Axis::linear("dN/dE (1/MeV per decay)").within([0.0, top * 1.06]),
    ];
    let mut figure = Figure::new("", axes);
    figure.series = curves.into_iter().map(|curve| Series::line(curve.name, curve.points)).collect();
    (!figure.series.is_empty()).then_some(figure)
}

/// Lines as sticks, both axes logarithmic.
fn lines(sticks: &[Sticks]) -> Option<Figure> {
    let all = || sticks.iter().flat_map(|sticks| &sticks.lines);
    let ends = |of: fn(&EmissionLine) -> f64| {
        let values = all().map(of);
        values.fold([f64::INFINITY, 0.0], |[low, high]: [f64; 2], value| [low.min(value), high.max(value)])
    };
    let ([softest, hardest], [weakest, strongest]) = (ends(|line| line.energy_mev), ends(|line| line.intensity));
    let top = strongest * 2.0;
    let axes = [
        // Room for the legend on the right.
        Axis::logarithmic("Energy (MeV)").within([softest / 1.3, hardest * 12.0]),
        Axis::logarithmic("Intensity (per decay)").within([(weakest / 2.0).max(top * 10f64.powi(-DECADES)), top]),
    ];
    let mut figure = Figure::new("", axes);
    let series = |sticks: &Sticks| {
        Series::exact(sticks.name, Mark::Sticks, sticks.lines.iter().map(|line| [line.energy_mev, line.intensity]))
    };
    figure.series = sticks.iter().map(series).collect();
    (!sticks.is_empty()).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::nuclide::named;

    #[test]
    fn the_extension_says_the_format() {
        assert!(matches!(Format::of(Path::new("a.PNG")), Ok(Format::Png)));
        assert!(matches!(Format::of(Path::new("a.b.html")), Ok(Format::Html)));
        for path in ["a", "a.pdf", ".png", "png", "a.png.gz"] {
            assert!(Format::of(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn both_formats_show_every_series_with_its_axes() {
        let lutetium = named("Lu-177").expect("known");
        let page = html(lutetium).expect("a page");
        for text in
            ["Lu-177: emissions per decay", "dN/dE (1/MeV per decay)", "Energy (MeV)", "gamma rays", "beta particles"]
        {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("NaN"));
        for name in ["Lu-177", "At-211", "P-32", "Po-212"] {
            let png = sheet(named(name).expect("known")).png().expect("a picture");
            let decoder = png::Decoder::new(std::io::Cursor::new(png));
            let info = decoder.read_info().expect("a PNG");
            assert_eq!((info.info().width, info.info().height), (SIZE[0], SIZE[1]));
        }
    }
}
