//! The parts of a multipart answer, as they come.

use std::io::{self, BufRead, Write};

/// Longest header of a part [bytes].
const MAX_HEADER_BYTES: usize = 1 << 14;

/// The boundary that a content type names.
pub(super) fn boundary_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (!value.is_empty() && value.len() <= 200).then_some(value)
}

/// The parts of a body.
pub(super) struct Parts<R> {
    body: R,
    /// The line that separates parts, with the line end before it.
    separator: Vec<u8>,
}

fn bad(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

impl<R: BufRead> Parts<R> {
    /// Passes over what stands before the first part.
    ///
    /// # Errors
    /// If there is no part, or the body fails.
    pub(super) fn new(body: R, boundary: &str) -> io::Result<Self> {
        let mut parts = Self { body, separator: format!("\r\n--{boundary}").into_bytes() };
        let mut line = Vec::new();
        loop {
            parts.line(&mut line)?;
            if line == parts.separator[2..] {
                return Ok(parts);
            }
            if line.is_empty() && parts.body.fill_buf()?.is_empty() {
                return Err(bad("it has no part"));
            }
        }
    }

    /// A line without its end; what is too long is an error.
    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        line.clear();
        let mut limited = io::Read::take(&mut self.body, MAX_HEADER_BYTES as u64);
        limited.read_until(b'\n', line)?;
        if line.len() >= MAX_HEADER_BYTES {
            return Err(bad("it has a line that is too long"));
        }
        while line.last().is_some_and(|end| matches!(end, b'\r' | b'\n')) {
            line.pop();
        }
        Ok(())
    }

    /// Writes the body of the next part; whether another follows.
    ///
    /// # Errors
    /// If the body ends within the part, or `into` fails.
    pub(super) fn next(&mut self, into: &mut impl Write) -> io::Result<bool> {
        let mut line = Vec::new();
        loop {
            self.line(&mut line)?;
            if line.is_empty() {
                break;
            }
        }
        self.until_separator(into)?;
        self.line(&mut line)?;
        Ok(line.trim_ascii() != b"--")
    }

    /// Writes all before the next separator. The first byte of a separator stands nowhere else in it.
    fn until_separator(&mut self, into: &mut impl Write) -> io::Result<()> {
        // Bytes of the separator that the last bytes may be.
        let mut matched = 0;
        loop {
            let buffer = self.body.fill_buf()?;
            if buffer.is_empty() {
                return Err(bad("it ends within a part"));
            }
            let (mut used, mut plain) = (0, 0);
            while used < buffer.len() {
                let byte = buffer[used];
                if byte == self.separator[matched] {
                    if matched == 0 {
                        into.write_all(&buffer[plain..used])?;
                    }
                    matched += 1;
                    used += 1;
                    plain = used;
                    if matched == self.separator.len() {
                        self.body.consume(used);
                        return Ok(());
                    }
                } else if matched > 0 {
                    // What looked like a separator was not; this byte may begin one.
                    into.write_all(&self.separator[..matched])?;
                    (matched, plain) = (0, used);
                } else {
                    used += 1;
                }
            }
            if matched == 0 {
                into.write_all(&buffer[plain..used])?;
            }
            self.body.consume(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &[u8], chunk: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut reader = Parts::new(io::BufReader::with_capacity(chunk, text), "xyz")?;
        let mut all = Vec::new();
        loop {
            let mut part = Vec::new();
            let has_more = reader.next(&mut part)?;
            all.push(part);
            if !has_more {
                return Ok(all);
            }
        }
    }

    #[test]
    fn parts_are_found_wherever_the_buffer_ends() {
        let body = b"before\r\n--xyz\r\nContent-Type: application/dicom\r\n\r\none\r\r\n--xy\r\n\r\n--xyz\r\n\r\ntwo\r\n--xyz--\r\n";
        for chunk in 1..70 {
            let found = parts(body, chunk).expect("parts");
            assert_eq!(found, [b"one\r\r\n--xy\r\n".to_vec(), b"two".to_vec()], "{chunk}");
        }
        assert_eq!(parts(b"--xyz\r\n\r\n\r\n--xyz--", 8).expect("an empty part"), [Vec::<u8>::new()]);
    }

    #[test]
    fn what_ends_too_early_is_an_error() {
        for body in [&b""[..], b"nothing", b"--xyz\r\n\r\nhalf", b"--xyz\r\n\r\nhalf\r\n--xy"] {
            assert!(parts(body, 16).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_boundary_is_read_from_its_content_type() {
        let found = boundary_of("multipart/related; type=\"application/dicom\"; boundary=\"a-b\"");
        assert_eq!(found.as_deref(), Some("a-b"));
        assert_eq!(boundary_of("Multipart/Related;boundary=q").as_deref(), Some("q"));
        for none in ["application/dicom", "multipart/related", "multipart/related; boundary="] {
            assert_eq!(boundary_of(none), None, "{none}");
        }
    }
}
