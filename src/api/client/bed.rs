//! `ComputeBed` and `ComputeBudget`.

use super::gather::{Said, gather};
use super::{Client, Sent, broken, chunks_of, while_sending};
use crate::api::chunks::Arriving;
use crate::api::wire::bed::{self, Announced};
use crate::api::wire::budget;
use crate::api::{pb, status};
use crate::domain::{DoseError, Volume, VolumeHeader};
use crate::intake::bed::{BedAnswer, BedOfMaps, BedWork};
use crate::intake::budget::{BudgetPlan, RegionBudget};

impl Client {
    /// Computes biologically effective doses on the server.
    ///
    /// * `volumes` – those that were announced, each asked for when those before it are sent
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn compute_bed(
        &self,
        work: &BedWork,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<BedAnswer, DoseError> {
        use pb::compute_bed_request::Message;
        let header = Message::Header(bed::encode(work));
        let messages = std::iter::once(header).chain(chunks_of(volumes).map(Message::Chunk));
        let messages = messages.map(|message| pb::ComputeBedRequest { message: Some(message) });
        let call = async |requests| {
            let answer =
                self.service.clone().compute_bed(requests).await.map_err(|status| status::to_error(&status))?;
            let said = |response: pb::ComputeBedResponse| {
                use pb::compute_bed_response::Message;
                match response.message {
                    Some(Message::Result(result)) => Said::Result(result),
                    Some(Message::Chunk(chunk)) => Said::Chunk(chunk),
                    Some(Message::Fraction(_)) | None => Said::Aside,
                }
            };
            gather(answer.into_inner(), said, Incoming::new, Incoming::accept).await?.finish()
        };
        while_sending(messages, call).await
    }

    /// Computes uncertainty budgets on the server.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn compute_budget(&self, plan: &BudgetPlan) -> Result<Vec<RegionBudget>, DoseError> {
        let answer = self.service.clone().compute_budget(budget::encode(plan)).await;
        let answer = answer.map_err(|status| status::to_error(&status))?.into_inner();
        budget::decode_result(answer).ok_or_else(|| broken("a part of a budget that is not known"))
    }
}

/// A result while its maps arrive.
struct Incoming {
    announced: Announced,
    bed: Option<Arriving>,
    eqd2: Option<Arriving>,
}

impl Incoming {
    fn new(result: pb::BedResult) -> Result<Self, DoseError> {
        let announced = bed::decode_result(result).ok_or_else(|| broken("a map without a grid"))?;
        let arriving = |header: &Option<VolumeHeader>| header.clone().map(Arriving::new).transpose();
        Ok(Self { bed: arriving(&announced.bed)?, eqd2: arriving(&announced.eqd2)?, announced })
    }

    fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let map = if chunk.volume() == pb::VolumeRole::Bed { &mut self.bed } else { &mut self.eqd2 };
        let map = map.as_mut().ok_or_else(|| broken("a chunk of a volume that was not announced"))?;
        map.append(chunk.offset_bytes, &chunk.data).map_err(|error| broken(&error.to_string()))
    }

    fn finish(self) -> Result<BedAnswer, DoseError> {
        let Announced { regions, voxels_without_bed, .. } = self.announced;
        let Some(voxels_without_bed) = voxels_without_bed else { return Ok(BedAnswer::Regions(regions)) };
        let finish = |map: Option<Arriving>| -> Result<Option<Volume<f32>>, DoseError> {
            map.map(|map| map.finish().map_err(|fault| broken(&format!("a map {fault}")))).transpose()
        };
        let (bed, eqd2) = (finish(self.bed)?, finish(self.eqd2)?);
        Ok(BedAnswer::Maps(Box::new(BedOfMaps { regions, voxels_without_bed, bed, eqd2 })))
    }
}
