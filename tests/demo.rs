//! Tests of this name, to be written.
