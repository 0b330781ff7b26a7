//! HTML pages. Each is a template in `templates/` that extends `page.html`, and needs no other file.

use askama::Template;

use super::{cannot_draw, palette};
use crate::domain::DoseError;

/// The text of a page.
///
/// # Errors
/// If a part of it cannot be written as text.
pub fn render(page: &impl Template) -> Result<String, DoseError> {
    page.render().map_err(cannot_draw)
}

/// The style sheet of every page, with the colours of the palette.
pub fn style() -> String {
    let colours = [
        ("ink", palette::INK),
        ("rule", palette::RULE),
        ("pass", palette::PASS),
        ("fail", palette::FAIL),
        ("fail-ground", palette::FAIL_GROUND),
    ];
    let colours: String = colours.iter().map(|(name, colour)| format!(" --{name}: {};", colour.css())).collect();
    format!(":root {{{colours} }}\n{}", include_str!("page.css").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_of_the_style_sheet_is_in_the_palette() {
        let style = style();
        let names = style.split("var(--").skip(1).filter_map(|rest| rest.split_once(')'));
        for (name, _) in names {
            assert!(style.contains(&format!(" --{name}: #")), "{name}");
        }
        assert!(!include_str!("page.css").contains('#'), "a colour that is not of the palette");
    }
}
