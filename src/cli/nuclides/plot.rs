//! The spectrum of a nuclide as a picture, or as a page with the same picture in it.

use std::fmt::{Display, Write as _};
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use super::detail::{self, Detail};
use super::spectrum::{Curve, Spectrum, Sticks};
use crate::demo::picture::canvas::{Canvas, OVERSAMPLING};
use crate::demo::picture::text::font;
use crate::domain::{DoseError, Invalid, Nuclide};
use crate::formats::atomic::write_bytes;
use crate::validate::plot::escaped;

/// Width and height in pixels of the finished picture.
const SIZE: [u32; 2] = [1000, 760];
/// Colours of the series. Source: M. Okabe and K. Ito, *Color universal design* (2008).
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];
/// Decades of intensity that are shown.
const DECADES: i32 = 7;

/// What to write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Png,
    Html,
}

impl Format {
    /// By the extension.
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
        Format::Png => png(nuclide)?,
        Format::Html => html(nuclide)?.into_bytes(),
    };
    let failed = |error| DoseError::invalid("plot", format!("{} cannot be written: {error}", path.display()));
    write_bytes(path, &bytes).map_err(failed)
}

fn png(nuclide: &Nuclide) -> Result<Vec<u8>, DoseError> {
    let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
    draw(&canvas.area(), nuclide, OVERSAMPLING)?;
    canvas.into_png()
}

/// A page that needs nothing else.
fn html(nuclide: &'static Nuclide) -> Result<String, DoseError> {
    let mut svg = String::new();
    draw(&SVGBackend::with_string(&mut svg, (SIZE[0], SIZE[1])).into_drawing_area(), nuclide, 1)?;
    let name = escaped(&nuclide.name);
    let mut page = String::new();
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}: emissions</title>\n\
         <style>body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 1040px; margin: 2rem auto; }} svg {{ max-width: 100%; height: auto; }}</style>\
         </head><body>\n<h1>{name}</h1>\n{svg}\n<pre>{}</pre>\n</body></html>\n",
        escaped(&Detail::new(nuclide).text())
    )
    .expect("a string takes all text");
    Ok(page)
}

fn cannot_draw(error: impl Display) -> DoseError {
    DoseError::Io(format!("the spectrum cannot be drawn: {error}"))
}

/// * `scale` – drawn pixels along each axis for one of the finished picture
fn draw<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, nuclide: &Nuclide, scale: u32) -> Result<(), DoseError> {
    area.fill(&WHITE).map_err(cannot_draw)?;
    let area = area.margin(14 * scale, 0, 0, 0);
    let title = format!("{}: emissions per decay, half-life {}", nuclide.name, detail::duration(nuclide.half_life_s));
    let area = area.titled(&title, font(f64::from(24 * scale))).map_err(cannot_draw)?;
    let Spectrum { curves, sticks } = Spectrum::of(nuclide);
    let (_, height) = area.dim_in_pixel();
    match (curves.is_empty(), sticks.is_empty()) {
        (true, true) => Ok(()),
        (false, true) => continua(&area, &curves, scale),
        (true, false) => lines(&area, &sticks, scale),
        (false, false) => {
            let (upper, lower) = area.split_vertically(height / 2);
            continua(&upper, &curves, scale)?;
            lines(&lower, &sticks, scale)
        }
    }
}

/// A chart with room for its labels.
fn builder<'a, 'b, DB: DrawingBackend>(area: &'a DrawingArea<DB, Shift>, scale: u32) -> ChartBuilder<'a, 'b, DB> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(10 * scale).x_label_area_size(44 * scale).y_label_area_size(70 * scale);
    builder
}

/// Beta spectra, dN/dE over the energy.
fn continua<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, curves: &[Curve], scale: u32) -> Result<(), DoseError> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let [right, top] =
        [points().map(|point| point.0).fold(0.0, f64::max), points().map(|point| point.1).fold(0.0, f64::max)];
    let mut chart = builder(area, scale).build_cartesian_2d(0.0..right * 1.03, 0.0..top * 1.06).map_err(cannot_draw)?;
    let mut mesh = chart.configure_mesh();
    let text = font(f64::from(14 * scale));
    mesh.x_desc("Kinetic energy (MeV)").y_desc("dN/dE (1/MeV per decay)").light_line_style(TRANSPARENT);
    mesh.label_style(text.clone()).axis_desc_style(text.clone()).draw().map_err(cannot_draw)?;
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2 * scale));
        chart.draw_series(line).map_err(cannot_draw)?.label(curve.name).legend(swatch(colour, scale));
    }
    legend(&mut chart, scale)
}

/// Lines as sticks, both axes logarithmic.
fn lines<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, sticks: &[Sticks], scale: u32) -> Result<(), DoseError> {
    let all = || sticks.iter().flat_map(|sticks| &sticks.lines);
    let least = |a: f64, b: f64| a.min(b);
    // Room for the legend on the right.
    let [left, right] = [
        all().map(|line| line.energy_mev).fold(f64::INFINITY, least) / 1.3,
        all().map(|line| line.energy_mev).fold(0.0, f64::max) * 12.0,
    ];
    let top = all().map(|line| line.intensity).fold(0.0, f64::max) * 2.0;
    let weakest = all().map(|line| line.intensity).fold(f64::INFINITY, least) / 2.0;
    let bottom = weakest.max(top * 10f64.powi(-DECADES));
    let mut chart = builder(area, scale)
        .build_cartesian_2d((left..right).log_scale(), (bottom..top).log_scale())
        .map_err(cannot_draw)?;
    let mut mesh = chart.configure_mesh();
    let text = font(f64::from(14 * scale));
    mesh.x_desc("Energy (MeV)").y_desc("Intensity (per decay)").light_line_style(TRANSPARENT);
    mesh.x_label_formatter(&|mev| format!("{mev:.0e}")).y_label_formatter(&|intensity| format!("{intensity:.0e}"));
    mesh.label_style(text.clone()).axis_desc_style(text).draw().map_err(cannot_draw)?;
    for (sticks, colour) in sticks.iter().zip(COLOURS) {
        let seen = sticks.lines.iter().filter(|line| line.intensity > bottom);
        let stick = seen.map(|line| {
            let ends = [(line.energy_mev, bottom), (line.energy_mev, line.intensity)];
            PathElement::new(ends, colour.stroke_width(scale + scale / 2))
        });
        chart.draw_series(stick).map_err(cannot_draw)?.label(sticks.name).legend(swatch(colour, scale));
    }
    legend(&mut chart, scale)
}

/// What stands for a series in the legend.
fn swatch(colour: RGBColor, scale: u32) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    let length = (20 * scale).cast_signed();
    move |(x, y)| PathElement::new([(x, y), (x + length, y)], colour.stroke_width(2 * scale))
}

/// Names of the series, in the upper right.
fn legend<'a, DB: DrawingBackend + 'a, X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>>(
    chart: &mut ChartContext<'a, DB, Cartesian2d<X, Y>>,
    scale: u32,
) -> Result<(), DoseError> {
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperRight).legend_area_size(28 * scale).margin(6 * scale);
    labels.background_style(WHITE.mix(0.85)).border_style(TRANSPARENT).label_font(font(f64::from(14 * scale)));
    labels.draw().map_err(cannot_draw)
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
            let png = png(named(name).expect("known")).expect("a picture");
            let decoder = png::Decoder::new(std::io::Cursor::new(png));
            let info = decoder.read_info().expect("a PNG");
            assert_eq!((info.info().width, info.info().height), (SIZE[0], SIZE[1]));
        }
    }
}
