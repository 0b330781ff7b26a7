//! `ComputeBed`: regions and dose maps come, and biologically effective doses go.

use super::log::Facts;
use super::map_call::{MapWork, Maps, Part};
use super::{chunks, pb, wire};
use crate::domain::{Control, DoseError, Stage, VolumeHeader, Warning};
use crate::intake::InputRole;
use crate::intake::bed::{BedAnswer, BedWork};

type Said = pb::compute_bed_response::Message;

impl MapWork for BedWork {
    type Request = pb::ComputeBedRequest;
    type Header = pb::BedHeader;
    type Response = pb::ComputeBedResponse;
    /// With what looks wrong and may be intended.
    type Made = (BedAnswer, Vec<Warning>);

    fn part(request: Self::Request) -> Option<Part<Self::Header>> {
        Some(match request.message? {
            pb::compute_bed_request::Message::Header(header) => Part::Header(header),
            pb::compute_bed_request::Message::Chunk(chunk) => Part::Chunk(chunk),
        })
    }

    fn check(header: Self::Header) -> Result<Self, DoseError> {
        wire::bed::decode(header).check()
    }

    fn announced(&self) -> &[(InputRole, VolumeHeader)] {
        self.arrivals()
    }

    fn memory_bytes(&self) -> u64 {
        self.host_bytes()
    }

    fn note(&self, facts: &mut Facts) {
        if let Some(grid) = self.grid() {
            facts.set_shape(grid);
        }
        facts.nuclide = Some(self.plan().nuclide.clone());
    }

    fn make(self, maps: Maps, control: &Control) -> Result<Self::Made, DoseError> {
        let made = self.run(maps, &control.at_stage(Stage::Dose))?;
        Ok((made, self.warnings()))
    }

    fn fraction(part: f64) -> Option<Self::Response> {
        Some(said(Said::Fraction(part)))
    }

    fn answer((made, warnings): &Self::Made) -> impl Iterator<Item = Self::Response> + Send {
        let maps = match made {
            BedAnswer::Regions(_) => [None, None],
            BedAnswer::Maps(maps) => {
                [(pb::VolumeRole::Bed, maps.bed.as_ref()), (pb::VolumeRole::Eqd2, maps.eqd2.as_ref())]
                    .map(|(role, map)| map.map(|map| (role, map)))
            }
        };
        let chunks = maps.into_iter().flatten().flat_map(|(role, map)| chunks::of_volume(role, 0, map));
        std::iter::once(Said::Result(wire::bed::encode_result(made, warnings))).chain(chunks.map(Said::Chunk)).map(said)
    }
}

fn said(message: Said) -> pb::ComputeBedResponse {
    pb::ComputeBedResponse { message: Some(message) }
}
