//! Text, in a font that comes with the program.

use std::sync::Once;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::canvas::{Area, OVERSAMPLING};
use super::{SIZE, cannot_draw};
use crate::domain::DoseError;

/// Name under which the font is registered.
const FONT: &str = "dosegrid";
/// Nearly black.
pub(super) const INK: [u8; 3] = [30, 34, 40];
/// For what matters less.
pub(super) const FAINT: [u8; 3] = [96, 102, 112];

/// How a piece of text looks, in pixels of the finished picture.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) size: f64,
    pub(super) colour: [u8; 3],
    pub(super) horizontal: HPos,
    pub(super) vertical: VPos,
}

impl Look {
    /// Text to the right of its position, centred in height.
    pub(super) fn new(size: f64, [r, g, b]: [u8; 3]) -> Self {
        Self { size, colour: [r, g, b], horizontal: HPos::Left, vertical: VPos::Center }
    }

    /// The same, centred on its position.
    pub(super) fn centred(self) -> Self {
        Self { horizontal: HPos::Center, ..self }
    }

    /// As the drawing library wants it.
    pub(super) fn style(self) -> TextStyle<'static> {
        let [r, g, b] = self.colour;
        TextStyle {
            font: font(self.size * f64::from(OVERSAMPLING)),
            color: RGBColor(r, g, b).to_backend_color(),
            pos: Pos::new(self.horizontal, self.vertical),
        }
    }
}

/// The font that comes with the program.
///
/// * `size` – in drawn pixels
pub(crate) fn font(size: f64) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(registered.is_ok(), "the embedded font is a font");
    });
    (FONT, size).into_font()
}

/// Writes at a position in pixels of the finished picture.
pub(super) fn write(area: &Area, text: &str, [x, y]: [f64; 2], look: Look) -> Result<(), DoseError> {
    area.draw_text(text, &look.style(), (drawn(x), drawn(y))).map_err(cannot_draw)
}

/// Writes on a dark plate, to be read on any ground.
pub(super) fn write_on_image(area: &Area, text: &str, at: [f64; 2], look: Look) -> Result<(), DoseError> {
    let (width, height) = area.estimate_text_size(text, &look.style()).map_err(cannot_draw)?;
    let [x, y] = at.map(drawn);
    let half = [width.div_ceil(2), height / 2].map(|size| i32::try_from(size).expect("text is small") + drawn(4.0));
    let plate = Rectangle::new([(x - half[0], y - half[1]), (x + half[0], y + half[1])], BLACK.mix(0.55).filled());
    area.draw(&plate).map_err(cannot_draw)?;
    write(area, text, at, look)
}

/// Title and the line below it.
pub(super) fn heading(area: &Area, title: &str, subtitle: &str) -> Result<(), DoseError> {
    write(area, title, [48.0, 38.0], Look::new(31.0, INK))?;
    write(area, subtitle, [48.0, 74.0], Look::new(19.0, FAINT))
}

/// The line at the foot.
pub(super) fn caption(area: &Area, text: &str) -> Result<(), DoseError> {
    write(area, text, [48.0, f64::from(SIZE[1]) - 34.0], Look::new(16.0, FAINT))
}

/// Drawn pixel of a position in the finished picture.
pub(super) fn drawn(position: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a picture has a few thousand pixels")]
    {
        (position * f64::from(OVERSAMPLING)).round() as i32
    }
}
