//! Pages over HTTP/1.1: a listener for a few readers, answers with the headers that keep a browser to this server, and
//! the files of the pages.

mod answer;
mod body;
mod files;
mod listen;
mod result;

pub use answer::{
    Fault, fault, is_own, json, names_this_machine, not_found, not_this_page, pieces, range, whole, wrong_host,
    wrong_method,
};
pub use body::{Body, Piece};
pub use files::file;
pub use listen::{Reader, serve};
pub use result::{ShownMask, ShownResult, ShownVolume};
