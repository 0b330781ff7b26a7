//! Mail by SMTP.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};

use super::State;
use super::config::Login;
use crate::domain::Invalid;

/// How long each answer of the server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What each certificate begins with.
const MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// How a server of mail is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// In the clear at first, then by TLS, or not at all.
    StartTls,
    /// By TLS from the start.
    Implicit,
    /// In the clear.
    None,
}

/// Who is written to, of what, and by which server.
#[derive(Clone)]
pub struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
    states: Vec<State>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("to", &self.to).field("states", &self.states).finish_non_exhaustive()
    }
}

/// A server of mail.
#[derive(Clone, Debug)]
pub(super) struct MailServer {
    host: String,
    port: u16,
}

impl MailServer {
    /// * `text` – `HOST:PORT`
    ///
    /// # Errors
    /// If it is not of that form.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let parts = parts.filter(|(host, port)| !host.is_empty() && *port != 0);
        let (host, port) = parts.ok_or_else(|| Invalid::new("is a host and a port, such as smtp.example:587"))?;
        Ok(Self { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port })
    }

    /// Whether it is this machine.
    pub(super) fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The way to it.
    ///
    /// * `authorities` – whom its certificate may be from, as PEM; else those that browsers trust
    ///
    /// # Errors
    /// If the authorities are none.
    pub(super) fn transport(
        &self,
        tls: MailTls,
        authorities: Option<&[u8]>,
        login: Option<Login>,
    ) -> Result<SmtpTransport, Invalid> {
        let parameters = || {
            let builder = TlsParameters::builder(self.host.clone());
            let builder = match authorities {
                None => builder,
                Some(pem) => {
                    let unusable = || Invalid::new("has no certificate in the form of PEM");
                    let has_one = pem.windows(MARK.len()).any(|part| part == MARK);
                    let certificates = Certificate::from_pem(pem).ok().filter(|_| has_one).ok_or_else(unusable)?;
                    builder.certificate_store(CertificateStore::None).add_root_certificate(certificates)
                }
            };
            builder.build_rustls().map_err(|error| Invalid::new(format!("cannot be used for TLS: {error}")))
        };
        let tls = match tls {
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::Implicit => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let builder = SmtpTransport::builder_dangerous(&self.host).port(self.port).tls(tls).timeout(Some(PATIENCE));
        Ok(match login {
            None => builder.build(),
            Some(Login { user, password }) => builder.credentials(Credentials::new(user, password)).build(),
        })
    }
}

impl Mail {
    pub(super) fn new(transport: SmtpTransport, from: Mailbox, to: Vec<Mailbox>, states: Vec<State>) -> Self {
        Self { transport, from, to, states }
    }

    /// Whether a state is written of.
    pub(super) fn tells_of(&self, state: State) -> bool {
        self.states.contains(&state)
    }

    /// Writes to all.
    ///
    /// * `id` – the same for the same letter, should it be sent twice
    ///
    /// # Errors
    /// Why the server did not take it.
    pub(super) fn send(&self, id: &str, subject: &str, text: String) -> Result<(), String> {
        let mut letter = Message::builder()
            .from(self.from.clone())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date_now()
            .subject(subject);
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        let letter = letter.body(text).map_err(|error| error.to_string())?;
        self.transport.send(&letter).map(drop).map_err(|error| error.to_string())
    }
}
