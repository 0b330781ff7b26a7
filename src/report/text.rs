//! Text, in a font that comes with the program.

use std::sync::Once;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::cannot_draw;
use super::canvas::{Area, OVERSAMPLING};
use super::palette::Colour;
use crate::domain::DoseError;

/// Name under which the font is registered. In SVG this name stands for a font of the reader.
const FONT: &str = "sans-serif";
/// Opacity of the plate behind text on a picture.
const PLATE_OPACITY: f64 = 0.55;

/// How a piece of text looks, in pixels of the finished picture.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) size: f64,
    pub(super) colour: Colour,
    pub(super) horizontal: HPos,
    pub(super) vertical: VPos,
}

impl Look {
    /// Text to the right of its position, centred in height.
    pub(super) fn new(size: f64, colour: Colour) -> Self {
        Self { size, colour, horizontal: HPos::Left, vertical: VPos::Center }
    }

    /// The same, centred on its position.
    pub(super) fn centred(self) -> Self {
        Self { horizontal: HPos::Center, ..self }
    }

    /// As the drawing library wants it.
    ///
    /// * `scale` – drawn pixels for one of the finished picture
    pub(super) fn style(self, scale: u32) -> TextStyle<'static> {
        TextStyle {
            font: font(self.size * f64::from(scale)),
            color: self.colour.rgb().to_backend_color(),
            pos: Pos::new(self.horizontal, self.vertical),
        }
    }
}

/// The font that comes with the program.
///
/// * `size` – in drawn pixels
pub(super) fn font(size: f64) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(registered.is_ok(), "the embedded font is a font");
    });
    (FONT, size).into_font()
}

/// Writes at a position in pixels of the finished picture.
pub(super) fn write(area: &Area, text: &str, [x, y]: [f64; 2], look: Look) -> Result<(), DoseError> {
    area.draw_text(text, &look.style(OVERSAMPLING), (drawn(x), drawn(y))).map_err(cannot_draw)
}

/// Writes on a dark plate, to be read on any ground.
pub(super) fn write_on_image(area: &Area, text: &str, at: [f64; 2], look: Look) -> Result<(), DoseError> {
    let (width, height) = area.estimate_text_size(text, &look.style(OVERSAMPLING)).map_err(cannot_draw)?;
    let [x, y] = at.map(drawn);
    let half = [width.div_ceil(2), height / 2].map(|size| i32::try_from(size).expect("text is small") + drawn(4.0));
    let corners = [(x - half[0], y - half[1]), (x + half[0], y + half[1])];
    area.draw(&Rectangle::new(corners, BLACK.mix(PLATE_OPACITY).filled())).map_err(cannot_draw)?;
    write(area, text, at, look)
}

/// Drawn pixel of a position in the finished picture.
pub(super) fn drawn(position: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a picture has a few thousand pixels")]
    {
        (position * f64::from(OVERSAMPLING)).round() as i32
    }
}
