//! `Integrate`: activity maps come, and their integrals over time go.

use super::log::Facts;
use super::map_call::{MapWork, Maps, Part};
use super::{chunks, pb, wire};
use crate::domain::{Control, DoseError, Stage, VolumeHeader};
use crate::intake::{InputRole, IntegratedMaps, MapIntegration};

type Said = pb::integrate_response::Message;

impl MapWork for MapIntegration {
    type Request = pb::IntegrateRequest;
    type Header = pb::IntegrateHeader;
    type Response = pb::IntegrateResponse;
    /// With the activity that was given [MBq], if it is known.
    type Made = (IntegratedMaps, Option<f64>);

    fn part(request: Self::Request) -> Option<Part<Self::Header>> {
        Some(match request.message? {
            pb::integrate_request::Message::Header(header) => Part::Header(header),
            pb::integrate_request::Message::Chunk(chunk) => Part::Chunk(chunk),
        })
    }

    fn check(header: Self::Header) -> Result<Self, DoseError> {
        wire::integration::decode(header).check()
    }

    fn announced(&self) -> &[(InputRole, VolumeHeader)] {
        self.arrivals()
    }

    fn memory_bytes(&self) -> u64 {
        self.host_bytes()
    }

    fn note(&self, facts: &mut Facts) {
        facts.set_shape(self.grid());
        facts.nuclide = Some(self.nuclide().to_owned());
    }

    fn make(self, maps: Maps, control: &Control) -> Result<Self::Made, DoseError> {
        let made = self.run(maps, &control.at_stage(Stage::Dose))?;
        Ok((made, self.raw().administered_activity_mbq))
    }

    fn fraction(part: f64) -> Option<Self::Response> {
        Some(said(Said::Fraction(part)))
    }

    fn answer((made, administered_mbq): &Self::Made) -> impl Iterator<Item = Self::Response> + Send {
        let result = Said::Result(wire::integration::encode_result(made, *administered_mbq));
        let map = chunks::of_volume(pb::VolumeRole::TimeIntegratedActivity, 0, &made.tia_bq_s);
        let sigma = made.sigma_bq_s.iter();
        let sigma = sigma.flat_map(|map| chunks::of_volume(pb::VolumeRole::TimeIntegratedActivityUncertainty, 0, map));
        let kinds = made.kinds.iter().flat_map(|map| chunks::of_uint8(pb::VolumeRole::VoxelKinds, map));
        std::iter::once(result).chain(map.chain(sigma).chain(kinds).map(Said::Chunk)).map(said)
    }
}

fn said(message: Said) -> pb::IntegrateResponse {
    pb::IntegrateResponse { message: Some(message) }
}
