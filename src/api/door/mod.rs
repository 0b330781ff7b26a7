//! The door of the server: connections, TLS, and who is calling.
//!
//! ```text
//! socket ─accept→ handshake, preface ─connection→ request ─authority→ caller with a role ─→ services
//! ```

mod accept;
mod authority;
mod bounds;
mod complete;
mod connection;
mod credentials;
mod identities;
mod io;
mod jwt;
mod limits;
mod refusals;
mod roles;
mod tls;
mod windows;

pub(super) use accept::{Gate, Hears, REFUSALS};
pub(super) use authority::Authority;
pub(super) use bounds::Bounds;
pub(super) use complete::Complete;
pub use credentials::{CredentialFiles, Credentials};
pub(super) use io::Peer;
pub(super) use limits::connections_within;
pub(super) use refusals::WINDOW;
pub(super) use roles::{name as name_of_call, names as names_of_calls};
pub use tls::certificate_is_good;
