//! A tally of a Monte Carlo run. The digest at its end is made right, so that what stands before it is read.

#![no_main]

use std::io::Cursor;

use dosegrid::formats::tally;
use sha2::{Digest, Sha256};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = tally::decode(Cursor::new(data));
    let whole = [b"dosegrid tally 1\n", data].concat();
    let digest = Sha256::digest(&whole);
    let _ = tally::decode(Cursor::new([&whole[..], &digest[..]].concat()));
});
