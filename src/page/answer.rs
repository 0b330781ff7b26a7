//! Answers, each with the headers that keep a browser to this server.

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use tokio::sync::mpsc;

use super::body::{Body, Piece};

/// What a page may do: run its own scripts and styles, and ask its own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Headers of every answer.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // What a browser shows of a patient does not stay on its disk.
    ("cache-control", "no-store"),
];
/// The header that every question for data has. A page of another origin cannot send it.
const OWN_HEADER: &str = "x-dosegrid";

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Stable reason, as in errors of calls.
    pub reason: String,
    /// The same in words.
    pub message: String,
    /// Field and what is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

fn answer(code: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer whose body is known.
///
/// * `kind` – media type
pub fn whole(kind: &'static str, bytes: impl Into<Bytes>) -> Response<Body> {
    answer(StatusCode::OK, kind, Body::Whole(Some(bytes.into())))
}

/// An answer as JSON.
pub fn json(value: &impl Serialize) -> Response<Body> {
    coded(StatusCode::OK, value)
}

fn coded(code: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => answer(code, "application/json", Body::Whole(Some(bytes.into()))),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// An answer without a body.
fn empty(code: StatusCode) -> Response<Body> {
    answer(code, "text/plain; charset=utf-8", Body::Whole(None))
}

/// Why there is no other answer, as JSON.
pub fn fault(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let fault = Fault { reason: reason.to_owned(), message: message.to_owned(), fields: Vec::new() };
    fault.answer(code)
}

impl Fault {
    /// The answer that says so.
    pub fn answer(&self, code: StatusCode) -> Response<Body> {
        coded(code, self)
    }
}

/// Bytes as they come, of the whole or of a part.
///
/// * `part` – first byte and end; none: all
/// * `size` – bytes of the whole
pub fn pieces(pieces: mpsc::Receiver<Piece>, part: Option<(u64, u64)>, size: u64) -> Response<Body> {
    let (code, length) = part.map_or((StatusCode::OK, size), |(from, to)| (StatusCode::PARTIAL_CONTENT, to - from));
    let mut response = answer(code, "application/octet-stream", Body::Pieces(pieces, length));
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some((from, to)) = part
        && let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{}/{size}", to - 1))
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The part that a reader asks for, first byte and end; none: all of it.
///
/// # Errors
/// If it has no byte, or is not one range.
pub fn range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>, StatusCode> {
    let Some(value) = headers.get(header::RANGE) else { return Ok(None) };
    let parse = || -> Option<(u64, u64)> {
        let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        match (first.is_empty(), last.is_empty()) {
            // The last so many bytes.
            (true, false) => Some((size.saturating_sub(last.parse().ok()?), size)),
            (false, true) => Some((first.parse().ok()?, size)),
            _ => Some((first.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(size))),
        }
    };
    let part = parse().filter(|(from, to)| from < to);
    part.map(Some).ok_or(StatusCode::RANGE_NOT_SATISFIABLE)
}

/// Whether a question for data comes from a page of this server: another page can neither send its header nor hide
/// where it is from.
pub fn is_own(headers: &HeaderMap) -> bool {
    let from = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    headers.contains_key(OWN_HEADER) && from.is_none_or(|from| [&b"same-origin"[..], b"none"].contains(&from))
}

/// Whether a question names this machine as the one that it was sent to. Where nobody needs an identity, a name that
/// another site has pointed at this machine must not open the page.
pub fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// There is nothing at this path.
pub fn not_found() -> Response<Body> {
    fault(StatusCode::NOT_FOUND, "UNKNOWN_PAGE", "there is no such page")
}

/// There is something at this path, and it is not asked for in this way.
pub fn wrong_method() -> Response<Body> {
    fault(StatusCode::METHOD_NOT_ALLOWED, "UNKNOWN_METHOD", "this is not done so")
}

/// The question was sent to a name that is not of this machine.
pub fn wrong_host() -> Response<Body> {
    let words = "callers on this machine alone are served: open the page as localhost";
    fault(StatusCode::MISDIRECTED_REQUEST, "WRONG_HOST", words)
}

/// The question for data does not come from a page of this server.
pub fn not_this_page() -> Response<Body> {
    let words = "data are for the page of this server alone: send the header x-dosegrid";
    fault(StatusCode::FORBIDDEN, "NOT_THIS_PAGE", words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().expect("a header"))])
    }

    #[test]
    fn a_range_is_a_part_or_refused() {
        let of = |text: &str| range(&with("range", text), 100);
        assert_eq!(range(&HeaderMap::new(), 100), Ok(None));
        assert_eq!(of("bytes=0-0"), Ok(Some((0, 1))));
        assert_eq!(of("bytes=90-"), Ok(Some((90, 100))));
        assert_eq!(of("bytes=-7"), Ok(Some((93, 100))));
        assert_eq!(of("bytes=50-1000"), Ok(Some((50, 100))));
        for bad in ["bytes=100-", "bytes=7-3", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-", "bytes=-0"] {
            assert_eq!(of(bad), Err(StatusCode::RANGE_NOT_SATISFIABLE), "{bad}");
        }
    }

    #[test]
    fn only_a_page_of_this_server_has_the_header_and_the_origin() {
        let mut headers = with("x-dosegrid", "1");
        assert!(is_own(&headers) && !is_own(&HeaderMap::new()));
        for (site, is_good) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)] {
            headers.insert("sec-fetch-site", site.parse().expect("a header"));
            assert_eq!(is_own(&headers), is_good, "{site}");
        }
    }

    #[test]
    fn a_name_that_was_pointed_here_does_not_open_the_page() {
        let named = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a header"));
            names_this_machine(&headers)
        };
        for good in ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "127.1.2.3", "[::1]:8080"] {
            assert!(named(good), "{good}");
        }
        for bad in ["attacker.example:8080", "localhost.attacker.example", "10.0.0.1", "[::2]:8080", "", "a b"] {
            assert!(!named(bad), "{bad}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
