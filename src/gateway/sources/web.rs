//! STOW-RS: requests that others send.

use std::io::{self, Read};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, mpsc};

use super::{MAX_BYTES, admits, until_stopped};
use crate::digest::sha256_hex;
use crate::formats::dicom::{CLASSES, SYNTAXES};
use crate::gateway::Gateway;
use crate::gateway::config::WebSource;
use crate::gateway::intake::{Origin, Outlines};
use crate::pacs::{Instance, Limits, Sent, ServeTls, StowError, receive_parts, stow_answer};
use crate::page::{self, Body, Reader};

/// Requests at one time.
const MAX_REQUESTS: usize = 16;
/// Bounds of a request.
const LIMITS: Limits = Limits { bytes: 16 << 30, files: 10_000 };
/// How long a caller may be silent within a request.
const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes that are read of a request that is refused.
const MAX_DISCARDED_BYTES: usize = 64 << 20;
/// Pieces of a request that wait to be written.
const PIECES: usize = 16;
/// What answers are written in.
const DICOM_JSON: &str = "application/dicom+json";
/// Statuses of instances. Source: DICOM PS3.4, table B.2-1; PS3.7, annex C; PS3.18, table 10.5.1-1.
const STORED: u16 = 0x0000;
const CLASS_NOT_TAKEN: u16 = 0x0122;
const NO_ROOM: u16 = 0xa700;
const OTHER_STUDY: u16 = 0xa900;
const SYNTAX_NOT_TAKEN: u16 = 0xc122;

/// A source with what it needs to answer.
struct Door {
    gateway: Arc<Gateway>,
    name: String,
    source: WebSource,
    places: Arc<Semaphore>,
}

impl Gateway {
    /// Serves those who call, until the gateway ends.
    pub(in crate::gateway) fn serve_web(self: &Arc<Self>, name: &str, source: &WebSource, listener: TcpListener) {
        let door = Arc::new(Door {
            gateway: self.clone(),
            name: name.to_owned(),
            source: source.clone(),
            places: Arc::new(Semaphore::new(MAX_REQUESTS)),
        });
        let tls = source.tls.clone();
        let answer = move |request, reader: Arc<Reader>| {
            let door = door.clone();
            async move { door.answer(request, &reader).await }
        };
        let served = until_stopped(self, async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok(page::serve(listener, move || tls.as_ref().map(ServeTls::acceptor), answer).await)
        });
        if let Err(error) = served {
            tracing::error!(source = name, %error, "nobody can send to this source any more");
        }
    }

    /// Takes the instances of a request into the spool; what became of each, and how many parts are none.
    ///
    /// * `study` – Study Instance UID that all must have
    fn take_parts(
        &self,
        origin: &Origin,
        study: Option<&str>,
        content_type: &str,
        body: impl Read,
    ) -> Result<(Vec<(String, Sent)>, usize), StowError> {
        let folder = tempfile::Builder::new().prefix("stow-").tempdir_in(self.at("receiving"));
        let folder = folder.map_err(StowError::NoRoom)?;
        let files = receive_parts(content_type, body, folder.path(), LIMITS, MAX_BYTES)?;
        let outlines = Outlines::of(folder.path());
        let (mut told, mut unread) = (Vec::new(), 0);
        for file in files {
            let Ok(outline) = outlines.of_file(file.path()) else {
                unread += 1;
                continue;
            };
            let is_class = CLASSES.iter().any(|(uid, _)| *uid == outline.class);
            let syntax = Instance::read(file.path()).map(|instance| instance.syntax).unwrap_or_default();
            let status = if study.is_some_and(|study| study != outline.study) {
                OTHER_STUDY
            } else if !is_class {
                CLASS_NOT_TAKEN
            } else if !SYNTAXES.iter().any(|(uid, _)| *uid == syntax) {
                SYNTAX_NOT_TAKEN
            } else {
                self.spool(file, origin).map_or(NO_ROOM, |()| STORED)
            };
            told.push((outline.class, Sent::new(outline.instance, status)));
        }
        Ok((told, unread))
    }
}

impl Door {
    async fn answer(&self, request: Request<Incoming>, reader: &Reader) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        let answer = self.taken(&head, &mut body, reader).await;
        // Who has sent all of it reads the answer.
        discard(&mut body).await;
        answer
    }

    async fn taken(&self, head: &http::request::Parts, body: &mut Incoming, reader: &Reader) -> Response<Body> {
        if !admits(&self.source.addresses, reader.address.ip()) {
            tracing::warn!(source = self.name, peer = %reader.address.ip(), "refused: not one of its addresses");
            return refused(StatusCode::FORBIDDEN, "this address may not send");
        }
        if !self.has_token(&head.headers) {
            let mut response = refused(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        let study = match study_of(head.uri.path()) {
            None => return refused(StatusCode::NOT_FOUND, "there are /studies and /studies/{UID}"),
            Some(_) if head.method != Method::POST => {
                return refused(StatusCode::METHOD_NOT_ALLOWED, "instances are stored by POST, and nothing else");
            }
            Some(study) => study.map(str::to_owned),
        };
        let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if text(header::ACCEPT).is_some_and(|accept| !takes_json(accept)) {
            return refused(StatusCode::NOT_ACCEPTABLE, "the answer is application/dicom+json");
        }
        if body.size_hint().lower() > LIMITS.bytes {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "it is larger than the limits of this server");
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, "too many requests at one time");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        };
        let kind = text(header::CONTENT_TYPE).unwrap_or_default().to_owned();
        let origin = Origin { source: self.name.clone(), calling: String::new() };
        let (pieces, come) = mpsc::channel(PIECES);
        let gateway = self.gateway.clone();
        let taking = tokio::task::spawn_blocking(move || {
            let _place = place;
            gateway.take_parts(&origin, study.as_deref(), &kind, Pieces { come, now: Bytes::new() })
        });
        forward(body, pieces).await;
        match taking.await {
            Ok(Ok((told, unread))) => {
                let (status, answer) = stow_answer(&told, unread);
                response(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), DICOM_JSON, answer.to_string())
            }
            Ok(Err(error)) => {
                self.gateway.metrics.source_failed(&self.name);
                tracing::warn!(source = self.name, %error, "a request was not taken");
                let (code, words) = answer_of(&error);
                refused(code, &words)
            }
            Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "it failed"),
        }
    }

    /// Whether a request has the token, if one is needed. Digests are compared: how soon they differ says nothing.
    fn has_token(&self, headers: &http::HeaderMap) -> bool {
        let Some(wanted) = &self.source.token else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        given.is_some_and(|given| sha256_hex(given.trim()) == sha256_hex(&wanted.0))
    }
}

/// The study that a path names: of `/studies` none, and all else is no path of this source.
fn study_of(path: &str) -> Option<Option<&str>> {
    match path.strip_prefix("/studies")?.strip_prefix('/') {
        None | Some("") if path.trim_end_matches('/') == "/studies" => Some(None),
        Some(uid) if uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => Some(Some(uid)),
        _ => None,
    }
}

/// Whether a header `Accept` takes the answer.
fn takes_json(accept: &str) -> bool {
    let mut kinds = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let is_taken = |kind: String| [DICOM_JSON, "application/json", "application/*", "*/*", ""].contains(&kind.as_str());
    kinds.any(is_taken)
}

/// What a caller is told: nothing of the folders of this machine.
fn answer_of(error: &StowError) -> (StatusCode, String) {
    match error {
        StowError::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()),
        StowError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        StowError::Broken(_) => (StatusCode::BAD_REQUEST, error.to_string()),
        StowError::NoRoom(_) => (StatusCode::SERVICE_UNAVAILABLE, "there is no room; send it again".to_owned()),
    }
}

fn refused(code: StatusCode, words: &str) -> Response<Body> {
    response(code, "text/plain; charset=utf-8", format!("{words}\n"))
}

fn response(code: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Some(text.into())));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Hands on the pieces of a body, until it ends, is silent for too long, or nobody takes them.
async fn forward(body: &mut Incoming, pieces: mpsc::Sender<io::Result<Bytes>>) {
    while let Some(piece) = next(body).await {
        let is_end = piece.is_err();
        if pieces.send(piece).await.is_err() || is_end {
            return;
        }
    }
}

/// Reads on, within bounds.
async fn discard(body: &mut Incoming) {
    let mut left = MAX_DISCARDED_BYTES;
    while let Some(Ok(piece)) = next(body).await {
        match left.checked_sub(piece.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// The next piece of a body; none at its end.
async fn next(body: &mut Incoming) -> Option<io::Result<Bytes>> {
    let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
    match tokio::time::timeout(SILENCE, frame).await {
        Err(_) => Some(Err(io::ErrorKind::TimedOut.into())),
        // Trailers say nothing here.
        Ok(frame) => Some(frame?.map(|frame| frame.into_data().unwrap_or_default()).map_err(io::Error::other)),
    }
}

/// A body, as it comes.
struct Pieces {
    come: mpsc::Receiver<io::Result<Bytes>>,
    now: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.come.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.now = piece?,
            }
        }
        let count = into.len().min(self.now.len());
        into[..count].copy_from_slice(&self.now.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_that_of_all_studies_or_of_one() {
        assert_eq!(study_of("/studies"), Some(None));
        assert_eq!(study_of("/studies/"), Some(None));
        assert_eq!(study_of("/studies/1.2.3"), Some(Some("1.2.3")));
        for none in ["/", "/study", "/studiesx", "/studies/1.2/series", "/studies/a", "/dicom-web/studies"] {
            assert_eq!(study_of(none), None, "{none}");
        }
    }

    #[test]
    fn whoever_takes_no_json_is_told_so() {
        for good in ["application/dicom+json", "text/html, */*;q=0.1", "Application/DICOM+json; q=1"] {
            assert!(takes_json(good), "{good}");
        }
        assert!(!takes_json("application/dicom+xml"));
    }
}
