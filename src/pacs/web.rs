//! DICOMweb: questions to a server, and STOW-RS.

use std::fmt;
use std::io::{Cursor, Read};
use std::time::Duration;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::{Instance, Sent, status_words};
use crate::digest::Digest;
use crate::domain::{DoseError, Invalid};

/// How long a connection may take, and the wait for an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(300);
/// How long the other side may take nothing of what is sent. Each read has a limit of its own too, as a limit of the
/// answer is over with its head: without them, one that falls silent within a body is waited for without an end.
const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes of an answer in JSON.
pub(super) const MAX_JSON_BYTES: u64 = 64 << 20;
/// Statuses of HTTP that an answer to STOW-RS in JSON has: all, some or none stored.
const STOW_ANSWERS: [u16; 3] = [200, 202, 409];

/// A DICOMweb server.
#[derive(Clone)]
pub struct Web {
    base: String,
    token: Option<String>,
    agent: Agent,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Web {
    /// * `base` – URL before `/studies`
    /// * `token` – to call with, as a bearer
    /// * `ca_pem` – authorities that the server's certificate may be from; else those that browsers trust
    ///
    /// # Errors
    /// If the URL is none, a token would go over a network in the clear, or there is no certificate.
    pub fn new(base: &str, token: Option<String>, ca_pem: Option<&[u8]>) -> Result<Self, Invalid> {
        Self::with_patience(base, token, ca_pem, ANSWER)
    }

    /// * `answer` – how long an answer, and each part of it, is waited for
    fn with_patience(
        base: &str,
        token: Option<String>,
        ca_pem: Option<&[u8]>,
        answer: Duration,
    ) -> Result<Self, Invalid> {
        let base = base.trim_end_matches('/').to_owned();
        let uri: ureq::http::Uri =
            base.parse().map_err(|_| Invalid::new("is a URL such as https://pacs.example/dicom-web"))?;
        let host = uri.host().unwrap_or_default();
        let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if token.is_none() || is_here => {}
            Some("http") => {
                return Err(Invalid::new("is plain http: the token would go over the network in the clear"));
            }
            _ => return Err(Invalid::new("is a URL such as https://pacs.example/dicom-web")),
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(answer))
            .timeout_per_read(Some(answer))
            .timeout_per_write(Some(SILENCE.min(answer)));
        if let Some(pem) = ca_pem {
            let roots: Result<Vec<Certificate<'static>>, _> = ureq::tls::parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect();
            let roots = roots.ok().filter(|roots| !roots.is_empty());
            let roots = roots.ok_or_else(|| Invalid::new("the authorities are no certificates in PEM"))?;
            config = config.tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build());
        }
        Ok(Self { base, token, agent: config.build().into() })
    }

    fn failed(error: &ureq::Error) -> DoseError {
        DoseError::Io(format!("dicom-web: no answer: {error}"))
    }

    /// Asks for something below the base.
    ///
    /// * `path` – begins with `/`
    pub(super) fn get(&self, path: &str, accept: &str) -> Result<Response<Body>, DoseError> {
        let mut request = self.agent.get(format!("{}{path}", self.base)).header("accept", accept);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| Self::failed(&error))
    }

    /// Objects that match a question; none where the answer is that there is none.
    pub(super) fn search(&self, path: &str) -> Result<Vec<InMemDicomObject>, DoseError> {
        let mut answer = self.get(path, "application/dicom+json")?;
        match answer.status().as_u16() {
            200 => {}
            204 | 404 => return Ok(Vec::new()),
            status => return Err(refused(status, "the question")),
        }
        objects(&mut answer)
    }

    /// Sends DICOM JSON below the base; the status of the answer, and its header `Warning` where it has one.
    ///
    /// * `path` – begins with `/`
    pub(super) fn send_json(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<(u16, Option<String>), DoseError> {
        let url = format!("{}{path}", self.base);
        let request = if method == "PUT" { self.agent.put(url) } else { self.agent.post(url) };
        let json = "application/dicom+json";
        let mut request = request.header("content-type", json).header("accept", json);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        // An array of one data set. Source: DICOM PS3.18, F.2.1.
        let body = serde_json::Value::Array(vec![body.clone()]).to_string();
        let answer = request.send(body).map_err(|error| Self::failed(&error))?;
        let warnings = answer.headers().get_all("warning").iter().filter_map(|value| value.to_str().ok());
        let warnings: Vec<&str> = warnings.collect();
        Ok((answer.status().as_u16(), (!warnings.is_empty()).then(|| warnings.join(", "))))
    }

    /// Stores instances by STOW-RS, one request for each, so that each has an answer.
    ///
    /// * `each` – is told what became of an instance as soon as it is known
    ///
    /// # Errors
    /// If the server does not answer, or not as the standard says. What became of an instance is no error.
    pub fn store(&self, instances: &[Instance], mut each: impl FnMut(&Instance, &Sent)) -> Result<(), DoseError> {
        for instance in instances {
            let status = self.store_one(instance)?;
            each(instance, &Sent { instance: instance.uid.clone(), status, words: status_words(status) });
        }
        Ok(())
    }

    fn store_one(&self, instance: &Instance) -> Result<u16, DoseError> {
        // No file holds the digest of its own path by chance.
        let mut digest = Digest::new();
        digest.update(&instance.uid);
        digest.update(instance.path.as_os_str().as_encoded_bytes());
        let boundary = format!("dosegrid-{}", &digest.hex()[..32]);
        let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = head.len() as u64 + instance.bytes + tail.len() as u64;
        let file = instance.file().map_err(|error| DoseError::Io(format!("a file cannot be read: {error}")))?;
        let mut body = Cursor::new(head).chain(file).chain(Cursor::new(tail));
        let kind = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
        let mut request = self
            .agent
            .post(format!("{}/studies", self.base))
            .header("content-type", kind)
            .header("content-length", length.to_string())
            .header("accept", "application/dicom+json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = request.send(SendBody::from_reader(&mut body));
        let mut answer = answer.map_err(|error| Self::failed(&error))?;
        let status = answer.status().as_u16();
        if !STOW_ANSWERS.contains(&status) {
            return Err(refused(status, "STOW-RS"));
        }
        let found = objects(&mut answer)?;
        stow_status(&found, &instance.uid)
            .ok_or_else(|| DoseError::Io("dicom-web: the answer to STOW-RS does not say what became of it".into()))
    }
}

fn refused(status: u16, what: &str) -> DoseError {
    let why = match status {
        401 | 403 => ": give a token, DOSEGRID_DICOM_WEB_TOKEN or --dicom-web-token-file",
        404 => ": is the URL that of DICOMweb?",
        300..=399 => ": redirects are not followed; give the URL itself",
        _ => "",
    };
    DoseError::Io(format!("dicom-web: {what} was answered by HTTP status {status}{why}"))
}

/// The objects of an answer in JSON: one, or a list of them.
fn objects(answer: &mut Response<Body>) -> Result<Vec<InMemDicomObject>, DoseError> {
    let unusable = |what: &dyn fmt::Display| DoseError::Io(format!("dicom-web: the answer is no DICOM JSON: {what}"));
    let mut text = Vec::new();
    let reader = answer.body_mut().with_config().limit(MAX_JSON_BYTES).reader();
    reader.take(MAX_JSON_BYTES).read_to_end(&mut text).map_err(|error| unusable(&error))?;
    let wrong = |_| unusable(&"it cannot be parsed");
    let whole: serde_json::Value = serde_json::from_slice(&text).map_err(wrong)?;
    let list = if let serde_json::Value::Array(list) = whole { list } else { vec![whole] };
    list.into_iter().map(|one| dicom_json::from_value(one).map_err(wrong)).collect()
}

/// What an answer to STOW-RS says of an instance.
fn stow_status(answer: &[InMemDicomObject], instance: &str) -> Option<u16> {
    let items = |tag: Tag| {
        let lists = answer.iter().filter_map(move |object| object.get(tag)?.items());
        lists.flatten().filter(move |item| {
            item.get(tags::REFERENCED_SOP_INSTANCE_UID)
                .is_some_and(|uid| uid.to_str().is_ok_and(|uid| uid.trim_matches([' ', '\0']) == instance))
        })
    };
    let number = |item: &InMemDicomObject, tag: Tag| item.get(tag).and_then(|value| value.to_int::<u16>().ok());
    if let Some(item) = items(tags::FAILED_SOP_SEQUENCE).next() {
        return Some(number(item, tags::FAILURE_REASON).unwrap_or(0x0110));
    }
    let item = items(tags::REFERENCED_SOP_SEQUENCE).next()?;
    Some(number(item, tags::WARNING_REASON).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Vec<InMemDicomObject> {
        vec![dicom_json::from_str(text).expect("DICOM JSON")]
    }

    #[test]
    fn an_answer_says_what_became_of_each_instance() {
        let text = r#"{"00081199": {"vr": "SQ", "Value": [
              {"00081155": {"vr": "UI", "Value": ["1.2.3"]}},
              {"00081155": {"vr": "UI", "Value": ["1.2.4"]}, "00081196": {"vr": "US", "Value": [45056]}}]},
            "00081198": {"vr": "SQ", "Value": [
              {"00081155": {"vr": "UI", "Value": ["1.2.5"]}, "00081197": {"vr": "US", "Value": [272]}}]}}"#;
        let answer = answer(text);
        let expected = [("1.2.3", Some(0)), ("1.2.4", Some(0xb000)), ("1.2.5", Some(0x0110)), ("1.2.6", None)];
        for (uid, status) in expected {
            assert_eq!(stow_status(&answer, uid), status, "{uid}");
        }
    }

    #[test]
    fn who_falls_silent_within_an_answer_or_takes_nothing_is_not_waited_for_without_an_end() {
        use std::io::Write as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let web = Web::with_patience(&base, None, None, Duration::from_millis(300)).expect("good");
        // More than sockets hold.
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), vec![0; 64 << 20]).expect("room");
        let (path, uid) = (file.path().to_owned(), "1.2".to_owned());
        let instance = Instance::unread(path, uid, 64 << 20);
        let start = std::time::Instant::now();
        std::thread::scope(|scope| {
            let called = scope.spawn(|| {
                let (mut first, _) = listener.accept().expect("a caller");
                let head = "HTTP/1.1 200 ok\r\ncontent-type: multipart/related; boundary=b\r\ncontent-length: 99";
                first.write_all(format!("{head}\r\n\r\n--b").as_bytes()).expect("a caller that reads");
                let second = listener.accept().expect("a caller").0;
                (first, second)
            });
            assert!(web.instance(["1", "2", "3"], 1000).is_err());
            assert!(web.store(&[instance], |_, _| ()).is_err());
            drop(called.join().expect("no panic"));
        });
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }

    #[test]
    fn a_token_does_not_go_out_in_the_clear() {
        let token = || Some("secret".to_owned());
        assert!(Web::new("https://pacs.example/dicom-web", token(), None).is_ok());
        assert!(Web::new("http://127.0.0.1:8042/dicom-web/", token(), None).is_ok());
        assert!(Web::new("http://pacs.example/dicom-web", None, None).is_ok());
        for bad in ["http://pacs.example/dicom-web", "ftp://pacs.example", "pacs", ""] {
            assert!(Web::new(bad, token(), None).is_err(), "{bad}");
        }
        let shown = format!("{:?}", Web::new("https://pacs.example", token(), None).expect("good"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
