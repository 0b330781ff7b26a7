//! `MergeTallies`.

use bytes::Bytes;

use super::gather::{Said, gather};
use super::incoming::Piece;
use super::{Answer, Client, Incoming, Sent, chunks_of, while_sending};
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
            let answer = self.service.clone().merge_tallies(requests).await;
            let answer = answer.map_err(|status| status::to_error(&status))?.into_inner();
            let said = |response: pb::MergeTalliesResponse| {
                use pb::merge_tallies_response::Message;
                match response.message {
                    Some(Message::Result(result)) => Said::Result(result),
                    Some(Message::Chunk(chunk)) => Said::Chunk(Piece::Volume(chunk)),
                    Some(Message::TallyChunk(chunk)) => Said::Chunk(Piece::Tally(chunk)),
                    None => Said::Aside,
                }
            };
            let begin = |result| Incoming::new(result, Some(&**merging.grid()));
            gather(answer, said, begin, Incoming::accept).await?.finish()
        };
        while_sending(messages, call).await
    }
}
