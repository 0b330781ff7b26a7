//! What is said beside results, on stderr.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Says a line on stderr. Nobody has to listen: where the reader has closed the pipe, the work goes on.
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::cli::stderr::line(format_args!($($words)*))
    };
}

/// Writes a line in one piece, so that those of several threads do not mix.
pub(super) fn line(words: Arguments<'_>) {
    let line = format!("{words}\n");
    // There is nobody left to tell that it failed.
    let _ = io::stderr().write_all(line.as_bytes());
}
