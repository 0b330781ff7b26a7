//! The parts of a request of STOW-RS, as they come from a network: in pieces of any size.

#![no_main]

use std::fs;
use std::io::{self, Read};

use dosegrid::pacs::{Limits, receive_parts};

const KIND: &str = "multipart/related; type=\"application/dicom\"; boundary=b";
const LIMITS: Limits = Limits { bytes: 1 << 16, files: 16 };

/// A body that comes in pieces.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.most.min(into.len()).min(self.rest.len());
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

/// The parts; none if they are refused.
fn parts(kind: &str, body: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let files = receive_parts(kind, Pieces { rest: body, most }, &std::env::temp_dir(), LIMITS, LIMITS.bytes).ok()?;
    let parts: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file.path()).expect("it was written")).collect();
    assert!(parts.iter().map(Vec::len).sum::<usize>() <= body.len());
    Some(parts)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [how, body @ ..] = data else { return };
    // Where a body is cut on its way does not matter.
    let whole = parts(KIND, body, usize::MAX);
    assert_eq!(whole, parts(KIND, body, usize::from(how % 8) + 1));
    // Any content type.
    if let Some(end) = body.iter().position(|byte| *byte == b'\n')
        && let Ok(kind) = std::str::from_utf8(&body[..end])
    {
        let _ = parts(kind, &body[end + 1..], usize::MAX);
    }
    // What is sent comes.
    let sent: Vec<&[u8]> = body.split(|byte| byte == how).collect();
    let is_apart = |part: &&[u8]| !part.windows(5).any(|bytes| bytes == b"\r\n--b");
    if sent.len() <= LIMITS.files && body.len() < 1 << 16 && sent.iter().all(is_apart) {
        let mut written = b"--b".to_vec();
        for part in &sent {
            written.extend_from_slice(b"\r\nContent-Type: application/dicom\r\n\r\n");
            written.extend_from_slice(part);
            written.extend_from_slice(b"\r\n--b");
        }
        written.extend_from_slice(b"--\r\n");
        let came = parts(KIND, &written, usize::from(how % 8) + 1).expect("whole parts");
        assert_eq!(came, sent);
    }
});
