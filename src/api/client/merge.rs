//! `MergeTallies`.

use bytes::Bytes;

use super::{Answer, Client, Incoming, Sent, broken, chunks_of, while_sending};
use crate::api::{chunks, pb, status, wire};
use crate::domain::DoseError;
use crate::intake::Merging;

impl Client {
    /// Adds tallies and computes the dose of all their histories, on the server.
    ///
    /// * `tallies` – the bytes of each, asked for when those before it are sent
    /// * `volumes` – those that were announced
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn merge_tallies(
        &self,
        merging: &Merging,
        tallies: impl IntoIterator<Item = Bytes>,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<Answer, DoseError> {
        use pb::merge_tallies_request::Message;
        let tallies = tallies.into_iter().zip(0..).flat_map(|(bytes, index)| {
            let pieces: Vec<pb::TallyChunk> = chunks::of_tally(index, &bytes).collect();
            pieces
        });
        let header = std::iter::once(Message::Header(wire::merging::encode(merging)));
        let messages = header.chain(chunks_of(volumes).map(Message::Chunk)).chain(tallies.map(Message::TallyChunk));
        let messages = messages.map(|message| pb::MergeTalliesRequest { message: Some(message) });
        let call = async |requests| {
            let failed = |status: tonic::Status| status::to_error(&status);
            let mut answer = self.service.clone().merge_tallies(requests).await.map_err(failed)?.into_inner();
            let mut incoming: Option<Incoming> = None;
            while let Some(response) = answer.message().await.map_err(failed)? {
                use pb::merge_tallies_response::Message;
                match (response.message, &mut incoming) {
                    (Some(Message::Result(result)), None) => {
                        incoming = Some(Incoming::new(result, Some(&**merging.grid()))?);
                    }
                    (Some(Message::Chunk(chunk)), Some(incoming)) => incoming.accept(chunk)?,
                    (Some(Message::TallyChunk(chunk)), Some(incoming)) => incoming.accept_tally(&chunk)?,
                    (Some(Message::Result(_)), Some(_)) => return Err(broken("a second result")),
                    (Some(_), None) => return Err(broken("a chunk before the result")),
                    (None, _) => {} // a kind of message that this client does not know
                }
            }
            incoming.ok_or_else(|| broken("no result"))?.finish()
        };
        while_sending(messages, call).await
    }
}
