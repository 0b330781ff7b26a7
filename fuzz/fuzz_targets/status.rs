//! A gRPC status with details, as a client reads it from a server.

#![no_main]

use dosegrid::api::status::to_error;
use tonic::{Code, Status};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((code, details)) = data.split_first() else { return };
    let status = Status::with_details(Code::from_i32((*code).into()), "message", details.to_vec().into());
    let _ = to_error(&status).to_string();
});
