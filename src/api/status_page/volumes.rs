//! Volumes by their digest, whole or in part.

use http::{HeaderMap, Response};
use tokio::sync::mpsc;
use tonic::Status;

use super::Site;
use super::within::Within;
use crate::api::durable::blocking;
use crate::api::identity::Role;
use crate::api::pb;
use crate::domain::{DoseError, Invalid};
use crate::page::{self, Body};
use crate::store::{Store, VolumeDigest};

/// Pieces that wait for a reader.
const PIECES_AHEAD: usize = 2;

impl Site {
    /// The bytes of a volume, or of the part that the headers name.
    pub(super) async fn volume(
        &self,
        within: &Within,
        digest: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Status> {
        let caller = self.gate.admit(headers, &within.peer, Some(Role::Read)).await?;
        let name = VolumeDigest::parse(digest).map_err(|Invalid(reason)| DoseError::invalid("digest", reason))?;
        let found = move |store: &Store| Ok(store.read_volume(&caller.tenant, name)?.size_bytes());
        let size = blocking(self.shared.store()?, found).await?;
        let part = match page::range(headers, size) {
            Ok(part) => part,
            Err(code) => return Ok(page::fault(code, "WRONG_RANGE", &format!("the volume has {size} bytes"))),
        };
        let (from, to) = part.unwrap_or((0, size));
        let request = pb::GetVolumeRequest { digest: digest.to_owned(), offset_bytes: from, length_bytes: to - from };
        let mut messages = within.volumes().get_volume(request).await?.into_inner();
        // What is refused before the first byte is refused with its reason.
        let first = messages.message().await?;
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        tokio::spawn(async move {
            let mut next = Ok(first);
            loop {
                let piece = match next {
                    Ok(Some(pb::GetVolumeResponse { data, .. })) => Ok(data),
                    Ok(None) => return,
                    Err(_) => Err(std::io::ErrorKind::ConnectionAborted.into()),
                };
                let is_last = piece.is_err();
                if sender.send(piece).await.is_err() || is_last {
                    return;
                }
                next = messages.message().await;
            }
        });
        Ok(page::pieces(receiver, part, size))
    }
}
