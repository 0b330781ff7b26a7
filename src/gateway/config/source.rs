//! Where studies come from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::pacs::ServeTls;

/// Where studies come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// A study is looked at after nothing of it came for so long.
    pub quiet: Duration,
    /// A study that is not whole is put aside after nothing of it came for so long.
    pub limit: Duration,
}

impl Source {
    /// Whether it is asked, and does not call by itself.
    pub(in crate::gateway) fn is_asked(&self) -> bool {
        match self.kind {
            SourceKind::Folder { .. } | SourceKind::Orthanc { .. } => true,
            SourceKind::Store(_) | SourceKind::Web(_) => false,
        }
    }
}

/// Kinds of sources.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A folder that others write into.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Whether files are deleted once they were taken.
        deletes: bool,
    },
    /// An application entity that is sent to by C-STORE.
    Store(StoreSource),
    /// A server that is sent to by STOW-RS.
    Web(WebSource),
    /// An Orthanc whose changes are followed.
    Orthanc {
        /// URL of its REST interface.
        url: String,
        /// User and password.
        login: Option<Login>,
    },
}

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Who may send by C-STORE.
#[derive(Clone, Debug)]
pub struct StoreSource {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Titles that it is called by.
    pub called: Vec<String>,
    /// Titles that may call; empty: all.
    pub calling: Vec<String>,
    /// Addresses that may call; empty: those of this machine.
    pub addresses: Vec<IpAddr>,
    /// How it has to be called; none: in the clear.
    pub tls: Option<ServeTls>,
}

/// Who may send by STOW-RS.
#[derive(Clone, Debug)]
pub struct WebSource {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What each request has to have as a bearer; none: nothing.
    pub token: Option<Token>,
    /// Addresses that may call; empty: those of this machine.
    pub addresses: Vec<IpAddr>,
    /// How it has to be called; none: in the clear.
    pub tls: Option<ServeTls>,
}

/// A bearer token, which is not shown.
#[derive(Clone)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
