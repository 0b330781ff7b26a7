//! The header of a request.

use super::activity_unit::{decode_times, decode_unit, encode_times, encode_unit};
use super::{method, pb, source, volume};
use crate::domain::{EmissionSpectrum, Part, RequestHeader};
use crate::request::RawHeader;

pub(in crate::api) fn encode(header: &RequestHeader) -> pb::ComputeHeader {
    let source = header.source();
    let emissions = source.own_emissions().map_or(&[][..], EmissionSpectrum::emissions);
    pb::ComputeHeader {
        activity: Some(volume::encode(header.activity())),
        activity_unit: Some(encode_unit(header.activity_unit())),
        density: header.density().map(volume::encode),
        nuclide: source.parent().map(|parent| parent.name.clone()).unwrap_or_default(),
        method: Some(method::encode(header.method())),
        labels: header.labels().map(volume::encode),
        materials: header.materials().map(volume::encode),
        emissions: emissions.iter().map(source::encode_emission).collect(),
        daughters: source.daughters().map(source::encode_daughters),
        daughter_maps: header.daughters().iter().map(source::encode_map).collect(),
        biological_weighting: header.weighting().map(source::encode_weighting),
        injected_activity_bq: header.injected_activity_bq(),
        strict: header.strict(),
        integrated_from: header.integrated_from().map(encode_times),
        // A request has one density, and all its volumes are on the grid of the dose.
        ..pb::ComputeHeader::default()
    }
}

pub(in crate::api) fn decode(message: pb::ComputeHeader) -> RawHeader {
    let volume = |descriptor: Option<pb::VolumeDescriptor>| Part::from(descriptor.map(volume::decode));
    RawHeader {
        activity: volume(message.activity),
        activity_unit: message.activity_unit.and_then(decode_unit).into(),
        density: volume(message.density),
        labels: volume(message.labels),
        materials: volume(message.materials),
        source: source::decode(message.nuclide, message.emissions, message.daughters),
        daughter_maps: message.daughter_maps.into_iter().map(source::decode_map).collect(),
        method: message.method.map(method::decode).into(),
        weighting: message.biological_weighting.map(source::decode_weighting),
        injected_activity_bq: message.injected_activity_bq,
        strict: message.strict,
        integrated_from: message.integrated_from.map(decode_times),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Method, VoxelGrid};
    use crate::request::{RawLocalMethod, RawMethod, RawSource, RawUnit, RawVolume};

    #[test]
    fn headers_survive_the_wire() {
        let grid = VoxelGrid::new([4, 3, 2], [2.0, 3.0, 4.0]).expect("a good grid");
        for (slope, unit) in [(None, RawUnit::BqS), (Some(0.25), RawUnit::MbqH)] {
            let raw = RawHeader {
                activity: Part::Good(RawVolume { slope, element_type: Some("int16".into()), ..(&grid).into() }),
                activity_unit: Part::Good(unit),
                density: Part::Good((&grid).into()),
                source: RawSource { nuclide: Some("Ac-225".into()), ..RawSource::default() },
                method: Part::Good(RawMethod::Local(RawLocalMethod::default())),
                injected_activity_bq: slope,
                strict: slope.is_some(),
                ..RawHeader::default()
            };
            let header = raw.check().expect("a good header");
            assert!(matches!(header.method(), Method::Local(_)));
            assert_eq!(decode(encode(&header)).check().as_ref(), Ok(&header));
        }
    }

    #[test]
    fn no_method_is_monte_carlo_with_its_defaults() {
        let grid = VoxelGrid::new([4, 3, 2], [2.0, 3.0, 4.0]).expect("a good grid");
        let mut raw = RawHeader {
            activity: Part::Good((&grid).into()),
            activity_unit: Part::Good(RawUnit::BqS),
            density: Part::Good((&grid).into()),
            labels: Part::Good((&grid).into()),
            source: RawSource { nuclide: Some("Lu-177".into()), ..RawSource::default() },
            ..RawHeader::default()
        };
        let header = raw.clone().check().expect("a good header");
        assert_eq!(header.method(), &Method::default());
        let mut message = encode(&header);
        message.method = None;
        assert_eq!(decode(message.clone()).check().as_ref(), Ok(&header));
        message.method = Some(pb::Method::default());
        let refused = decode(message).check().expect_err("a method of another version");
        assert!(refused.to_string().contains("this version does not know"), "{refused}");
        raw.density = Part::Absent;
        assert!(raw.check().expect_err("no density").to_string().contains("density"));
    }
}
