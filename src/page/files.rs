//! The files of the pages, which stand in the program.

use http::Response;

use super::{Body, whole};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";

/// Paths, media types and texts.
const FILES: [(&str, &str, &str); 11] = [
    ("/", PAGE, include_str!("../../clients/page/index.html")),
    ("/page.css", STYLE, include_str!("../../clients/page/page.css")),
    ("/icon.svg", "image/svg+xml", include_str!("../../clients/page/icon.svg")),
    ("/ask.mjs", SCRIPT, include_str!("../../clients/page/ask.mjs")),
    ("/show.mjs", SCRIPT, include_str!("../../clients/page/show.mjs")),
    ("/status.mjs", SCRIPT, include_str!("../../clients/page/status.mjs")),
    ("/view", PAGE, include_str!("../../clients/page/view.html")),
    ("/view.mjs", SCRIPT, include_str!("../../clients/page/view.mjs")),
    ("/planes.mjs", SCRIPT, include_str!("../../clients/page/planes.mjs")),
    ("/tables.mjs", SCRIPT, include_str!("../../clients/page/tables.mjs")),
    ("/volume.mjs", SCRIPT, include_str!("../../clients/page/volume.mjs")),
];

/// The file of a path; none for a path that is none.
pub fn file(path: &str) -> Option<Response<Body>> {
    FILES.into_iter().find(|(known, ..)| *known == path).map(|(_, kind, text)| whole(kind, text))
}
