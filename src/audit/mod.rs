//! The audit log: who did what to which data, in files that nothing is removed from.
//!
//! `STORE/audit/NNNNNN.log` has one line a record: 64 hexadecimal digits, a space, and JSON. The digits are the SHA-256
//! of the digits before (64 zeros at first), a newline, and the JSON. The chain goes on from file to file.
//!
//! Whoever keeps the ledger seals records with its [`Head`] inside the transaction of what they tell, keeps the sealed
//! lines there, and after the commit has [`Chain::append`] write and sync them. [`Chain::open`] writes again what a
//! lost process left out. [`verify()`] needs the files alone; [`verify_with()`] knows what the ledger knows too.

mod chain;
mod files;
mod record;
mod verify;

pub use chain::{Chain, Head, Known, Sealed};
pub use files::{FOLDER, lines_from};
pub use record::{Event, Record};
pub use verify::{Broken, Verified, verify, verify_with};
