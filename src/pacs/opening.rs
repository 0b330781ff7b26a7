//! The first bytes of a caller: whether they open an association, in the clear or by TLS.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::scp::{FIRST_SILENCE, broken};
use crate::domain::DoseError;

/// How long the rest of an opening may take after its first byte.
const OPENING: Duration = Duration::from_secs(5);
/// How often it is looked whether more of an opening has come.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of the header of a PDU and of a TLS record, and of the header of a handshake message in that. Source: DICOM
/// PS3.8, 9.3; RFC 8446, 4 and 5.1.
const PDU_HEADER: usize = 6;
const RECORD_HEADER: usize = 5;
const HANDSHAKE_HEADER: usize = 4;
/// First bytes of an A-ASSOCIATE-RQ, of a TLS record of a handshake, and of a ClientHello in that.
const ASSOCIATE_RQ: u8 = 0x01;
const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 0x01;
/// Most bytes of a TLS record in the clear.
const MAX_RECORD: usize = 1 << 14;

/// Waits until a caller has sent so much that dicom-ul can tell what it is: where one leaves or falls silent before, as
/// those do who look whether a port is open, its search for TLS has no end.
///
/// # Errors
/// If nothing comes that opens an association.
pub(super) fn wait_for_opening(stream: &TcpStream, is_tls: bool) -> Result<(), DoseError> {
    let io = |error: io::Error| broken(&format!("nothing came: {error}"));
    stream.set_read_timeout(Some(FIRST_SILENCE)).map_err(io)?;
    let mut bytes = vec![0; RECORD_HEADER + MAX_RECORD];
    let mut start = None;
    loop {
        let count = stream.peek(&mut bytes).map_err(io)?;
        if count == 0 {
            return Err(broken("the other side called and said nothing"));
        }
        if opens(&bytes[..count], is_tls).map_err(broken)? {
            return Ok(());
        }
        if start.get_or_insert_with(Instant::now).elapsed() > OPENING {
            return Err(broken("the other side fell silent"));
        }
        thread::sleep(LOOK);
    }
}

/// Whether the header of an A-ASSOCIATE-RQ has come, or a whole ClientHello.
fn opens(bytes: &[u8], is_tls: bool) -> Result<bool, &'static str> {
    let first = if is_tls { HANDSHAKE } else { ASSOCIATE_RQ };
    match bytes.first() {
        None => return Ok(false),
        Some(&HANDSHAKE) if !is_tls => return Err("the other side speaks TLS, and this source does not"),
        Some(&byte) if byte != first => return Err("the other side does not ask for an association"),
        Some(_) => {}
    }
    if !is_tls {
        return Ok(bytes.len() >= PDU_HEADER);
    }
    let Some([_, _, _, high, low, message, rest @ ..]) = bytes.get(..RECORD_HEADER + HANDSHAKE_HEADER) else {
        return Ok(false);
    };
    let record = usize::from(u16::from_be_bytes([*high, *low]));
    let hello = rest.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if *message != CLIENT_HELLO || record > MAX_RECORD || HANDSHAKE_HEADER + hello > record {
        return Err("the other side does not begin with a TLS ClientHello in one record");
    }
    Ok(bytes.len() >= RECORD_HEADER + record)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a handshake with a ClientHello of so many bytes.
    fn hello(length: u8) -> Vec<u8> {
        let mut bytes = vec![HANDSHAKE, 3, 1, 0, length + 4, CLIENT_HELLO, 0, 0, length];
        bytes.extend(vec![0; usize::from(length)]);
        bytes
    }

    #[test]
    fn an_opening_is_known_by_its_header() {
        let associate = [ASSOCIATE_RQ, 0, 0, 0, 0, 200, 0, 1];
        for count in 0..PDU_HEADER {
            assert_eq!(opens(&associate[..count], false), Ok(false), "{count}");
        }
        assert_eq!(opens(&associate, false), Ok(true));
        let hello = hello(40);
        for count in 0..hello.len() {
            assert_eq!(opens(&hello[..count], true), Ok(false), "{count}");
        }
        assert_eq!(opens(&hello, true), Ok(true));
    }

    #[test]
    fn what_opens_nothing_is_refused() {
        assert!(opens(b"GET / HTTP/1.1", false).is_err() && opens(b"GET / HTTP/1.1", true).is_err());
        assert!(opens(&hello(40), false).is_err_and(|words| words.contains("TLS")));
        assert!(opens(&[ASSOCIATE_RQ], true).is_err());
        // A ClientHello that goes on in another record, and a record of something else.
        let mut cut = hello(40);
        cut[8] += 1;
        assert!(opens(&cut, true).is_err());
        let mut other = hello(40);
        other[5] = 2;
        assert!(opens(&other, true).is_err());
    }
}
