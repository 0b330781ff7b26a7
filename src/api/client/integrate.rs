//! `Integrate` and `IntegrateCurves`.

use super::gather::{Said, gather};
use super::{Client, Sent, broken, chunks_of, while_sending};
use crate::api::chunks::Arriving;
use crate::api::wire::curves;
use crate::api::wire::integration::{self, Announced};
use crate::api::{pb, status};
use crate::domain::{DoseError, Volume};
use crate::intake::curves::{CurvesPlan, RegionFound};
use crate::intake::{IntegratedMaps, MapIntegration};

impl Client {
    /// Integrates activity maps over time, on the server.
    ///
    /// * `volumes` – those that were announced, each asked for when those before it are sent
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn integrate(
        &self,
        asked: &MapIntegration,
        volumes: impl IntoIterator<Item = Sent>,
    ) -> Result<IntegratedMaps, DoseError> {
        use pb::integrate_request::Message;
        let header = Message::Header(integration::encode(asked));
        let messages = std::iter::once(header).chain(chunks_of(volumes).map(Message::Chunk));
        let messages = messages.map(|message| pb::IntegrateRequest { message: Some(message) });
        let call = async |requests| {
            let answer = self.service.clone().integrate(requests).await.map_err(|status| status::to_error(&status))?;
            let said = |response: pb::IntegrateResponse| {
                use pb::integrate_response::Message;
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

    /// Integrates measured activities of regions over time, on the server.
    ///
    /// # Errors
    /// As [`Client::compute`].
    pub async fn integrate_curves(&self, plan: &CurvesPlan) -> Result<Vec<RegionFound>, DoseError> {
        let series = plan.series()?;
        let answer = self.service.clone().integrate_curves(curves::encode(plan)).await;
        let answer = answer.map_err(|status| status::to_error(&status))?.into_inner();
        curves::decode_result(answer, &series).ok_or_else(|| broken("a part of a curve that is not known"))
    }
}

/// A result while its maps arrive.
struct Incoming {
    announced: Announced,
    tia: Arriving,
    sigma: Option<Arriving>,
    kinds: Option<Arriving>,
}

impl Incoming {
    fn new(result: pb::IntegrateResult) -> Result<Self, DoseError> {
        let announced = integration::decode_result(result);
        let announced = announced.ok_or_else(|| broken("a part of a curve that is not known, or no map"))?;
        let tia = Arriving::new(announced.volume.clone())?;
        let sigma = announced.sigma.clone().map(Arriving::new).transpose()?;
        let kinds = announced.kinds.clone().map(Arriving::new).transpose()?;
        Ok(Self { announced, tia, sigma, kinds })
    }

    fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let role = chunk.volume();
        let map = if role == pb::VolumeRole::TimeIntegratedActivity {
            Some(&mut self.tia)
        } else if role == pb::VolumeRole::TimeIntegratedActivityUncertainty {
            self.sigma.as_mut()
        } else {
            self.kinds.as_mut().filter(|_| role == pb::VolumeRole::VoxelKinds)
        };
        let map = map.ok_or_else(|| broken("a chunk of a volume that was not announced"))?;
        map.append(chunk.offset_bytes, &chunk.data).map_err(|error| broken(&error.to_string()))
    }

    fn finish(self) -> Result<IntegratedMaps, DoseError> {
        let whole = |map: Arriving| map.finish().map_err(|fault| broken(&format!("a map {fault}")));
        let Announced { regions, regions_of_one_scan, voxel_kinds, tia_mbq_h, warnings, .. } = self.announced;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the server sent a byte")]
        let bytes = |map: Volume<f32>| map.map(|value| *value as u8);
        Ok(IntegratedMaps {
            tia_bq_s: whole(self.tia)?,
            sigma_bq_s: self.sigma.map(whole).transpose()?,
            kinds: self.kinds.map(whole).transpose()?.map(bytes),
            regions,
            regions_of_one_scan,
            voxel_kinds,
            tia_mbq_h,
            warnings,
        })
    }
}
