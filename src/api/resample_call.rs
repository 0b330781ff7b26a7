//! `Resample`: a volume comes, and goes on another grid.

use super::log::Facts;
use super::map_call::{MapWork, Maps, Part};
use super::{chunks, pb, wire};
use crate::domain::{Control, DoseError, Stage, VolumeHeader};
use crate::intake::{InputRole, Regrid, Regridded, RegriddedValues};

type Said = pb::resample_response::Message;

impl MapWork for Regrid {
    type Request = pb::ResampleRequest;
    type Header = pb::ResampleHeader;
    type Response = pb::ResampleResponse;
    type Made = Regridded;

    fn part(request: Self::Request) -> Option<Part<Self::Header>> {
        Some(match request.message? {
            pb::resample_request::Message::Header(header) => Part::Header(header),
            pb::resample_request::Message::Chunk(chunk) => Part::Chunk(chunk),
        })
    }

    fn check(header: Self::Header) -> Result<Self, DoseError> {
        wire::regrid::decode(header).check()
    }

    fn announced(&self) -> &[(InputRole, VolumeHeader)] {
        self.arrivals()
    }

    fn memory_bytes(&self) -> u64 {
        self.host_bytes()
    }

    fn note(&self, facts: &mut Facts) {
        facts.set_shape(self.regridding().target());
    }

    fn make(self, maps: Maps, control: &Control) -> Result<Regridded, DoseError> {
        let made = self.until(control.clone()).run(maps)?;
        control.checkpoint(Stage::Finish, 1.0)?;
        Ok(made)
    }

    fn fraction(_: f64) -> Option<Self::Response> {
        None
    }

    fn answer(made: &Regridded) -> impl Iterator<Item = Self::Response> + Send {
        let (numbers, labels) = match &made.values {
            RegriddedValues::Numbers(volume) => (Some(volume), None),
            RegriddedValues::Labels(map) => (None, Some(map.labels())),
        };
        let numbers = numbers.into_iter().flat_map(|map| chunks::of_volume(pb::VolumeRole::Resampled, 0, map));
        let labels = labels.into_iter().flat_map(|map| chunks::of_uint16(pb::VolumeRole::Resampled, map));
        let result = Said::Result(wire::regrid::encode_result(made));
        std::iter::once(result).chain(numbers.chain(labels).map(Said::Chunk)).map(said)
    }
}

fn said(message: Said) -> pb::ResampleResponse {
    pb::ResampleResponse { message: Some(message) }
}
