//! `Resample`.

use super::gather::{Said, gather};
use super::{Client, Sent, broken, chunks_of, while_sending};
use crate::api::chunks::Arriving;
use crate::api::wire::regrid::{self, Announced};
use crate::api::{pb, status};
use crate::domain::{DoseError, LabelMap};
use crate::intake::{Regrid, Regridded, RegriddedValues};

impl Client {
    /// Puts a volume on another grid, on the server.
    ///
    /// * `volumes` – those that were announced, each asked for when those before it are sent
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn resample(
        &self,
        regrid: &Regrid,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<Regridded, DoseError> {
        use pb::resample_request::Message;
        let header = Message::Header(regrid::encode(regrid));
        let messages = std::iter::once(header).chain(chunks_of(volumes).map(Message::Chunk));
        let messages = messages.map(|message| pb::ResampleRequest { message: Some(message) });
        let call = async |requests| {
            let answer = self.service.clone().resample(requests).await.map_err(|status| status::to_error(&status))?;
            let said = |response: pb::ResampleResponse| {
                use pb::resample_response::Message;
                match response.message {
                    Some(Message::Result(result)) => Said::Result(result),
                    Some(Message::Chunk(chunk)) => Said::Chunk(chunk),
                    None => Said::Aside,
                }
            };
            let (announced, volume) = gather(answer.into_inner(), said, begin, accept).await?;
            finish(announced, volume)
        };
        while_sending(messages, call).await
    }
}

type Incoming = (Announced, Arriving);

fn begin(result: pb::ResampleResult) -> Result<Incoming, DoseError> {
    let announced = regrid::decode_result(result).ok_or_else(|| broken("no volume"))?;
    let volume = Arriving::new(announced.volume.clone())?;
    Ok((announced, volume))
}

fn accept((_, volume): &mut Incoming, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
    volume.append(chunk.offset_bytes, &chunk.data).map_err(|error| broken(&error.to_string()))
}

fn finish(announced: Announced, volume: Arriving) -> Result<Regridded, DoseError> {
    let volume = volume.finish().map_err(|fault| broken(&format!("the volume {fault}")))?;
    let values = if announced.account.labels.is_some() {
        let map = LabelMap::new(&volume).map_err(|fault| broken(&format!("the labels: {fault}")))?;
        RegriddedValues::Labels(map)
    } else {
        RegriddedValues::Numbers(volume)
    };
    Ok(Regridded { values, account: announced.account })
}
