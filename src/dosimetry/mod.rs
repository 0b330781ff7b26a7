//! dosimetry
