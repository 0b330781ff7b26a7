//! `MergeTallies`: the dose of runs of different histories together, as `dosegrid merge` computes it.

use std::io::Cursor;

use bytes::Bytes;
use dosegrid::api::ServerConfig;
use dosegrid::api::pb::{self, merge_tallies_request::Message, merge_tallies_response::Message as Said};
use dosegrid::domain::{Control, Extras};
use dosegrid::formats::tally;
use dosegrid::method::{merge, merged_dose};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status};

use super::{
    Answer, Server, bytes_of, compute, good_activity, good_density, good_header, messages, reason_and_fields, small,
    stream_of, volume,
};

fn method(first_history: u64, histories: u64) -> Option<pb::Method> {
    let options = pb::MonteCarloMethod {
        histories: Some(histories),
        first_history,
        return_uncertainty: true,
        return_tally: true,
        ..Default::default()
    };
    Some(pb::Method { method: Some(pb::method::Method::MonteCarlo(options)) })
}

/// What a run of some histories gives.
async fn run(server: &Server, first_history: u64, histories: u64) -> Answer {
    let header = pb::ComputeHeader { method: method(first_history, histories), ..good_header() };
    let given = messages(header, &good_activity(), &good_density());
    compute(server.raw().await, stream_of(given)).await.expect("a dose")
}

fn header(tallies: &[&[u8]]) -> pb::MergeTalliesHeader {
    pb::MergeTalliesHeader {
        grid: volume([4, 3, 2], pb::ElementType::Float32).grid,
        tallies: tallies.iter().map(|tally| pb::TallyDescriptor { size_bytes: tally.len() as u64 }).collect(),
        return_uncertainty: true,
        return_tally: true,
        ..Default::default()
    }
}

fn piece(index: u32, offset_bytes: u64, data: &[u8]) -> Message {
    Message::TallyChunk(pb::TallyChunk { offset_bytes, data: Bytes::copy_from_slice(data), index })
}

/// All tallies, in pieces of an odd size.
fn pieces(tallies: &[&[u8]]) -> Vec<Message> {
    let of = |(tally, index): (&&[u8], u32)| {
        let parts = tally.chunks(1001).enumerate();
        parts.map(|(number, part)| piece(index, number as u64 * 1001, part)).collect::<Vec<_>>()
    };
    tallies.iter().zip(0..).flat_map(of).collect()
}

fn requests(messages: Vec<Message>) -> impl Stream<Item = pb::MergeTalliesRequest> + Send + 'static {
    tokio_stream::iter(messages).map(|message| pb::MergeTalliesRequest { message: Some(message) })
}

async fn merge_tallies(
    server: &Server,
    requests: impl Stream<Item = pb::MergeTalliesRequest> + Send + 'static,
) -> Result<(pb::ComputeResult, Answer), Status> {
    let mut responses = server.raw().await.merge_tallies(requests).await?.into_inner();
    let (mut dose, mut uncertainty, mut tally, mut result) = (Vec::new(), Vec::new(), Vec::new(), None);
    while let Some(response) = responses.message().await? {
        match response.message.expect("a server's message says something") {
            Said::Result(message) => result = Some(message),
            Said::Chunk(chunk) if chunk.volume() == pb::VolumeRole::Dose => dose.extend_from_slice(&chunk.data),
            Said::Chunk(chunk) => {
                assert_eq!(chunk.volume(), pb::VolumeRole::Uncertainty);
                uncertainty.extend_from_slice(&chunk.data);
            }
            Said::TallyChunk(chunk) => tally.extend_from_slice(&chunk.data),
        }
    }
    let result = result.expect("a call that succeeds has a result");
    let provenance = result.provenance.clone().expect("it has one");
    Ok((result, Answer { dose, uncertainty, tally, provenance }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_is_the_run_in_one_piece() {
    let server = Server::start(ServerConfig::default()).await;
    let (first, second, whole) =
        (run(&server, 0, 500).await, run(&server, 500, 1000).await, run(&server, 0, 1500).await);
    let tallies = [&second.tally[..], &first.tally[..]];
    let labels: Vec<u8> = (0..24u8).map(|i| i % 3).collect();
    let header = pb::MergeTalliesHeader {
        labels: Some(volume([4, 3, 2], pb::ElementType::Uint8)),
        label_names: [(1, "liver".to_owned())].into(),
        dose_volume_points: Some(3),
        ..header(&tallies)
    };
    let chunk = pb::VolumeChunk { volume: pb::VolumeRole::Labels.into(), data: labels.into(), ..Default::default() };
    let given = [vec![Message::Header(header), Message::Chunk(chunk)], pieces(&tallies)].concat();
    let (result, found) = merge_tallies(&server, requests(given)).await.expect("a dose");
    assert!(found.dose == whole.dose && found.uncertainty == whole.uncertainty && found.tally == whole.tally);
    let account = found.provenance.monte_carlo.as_ref().expect("of a transport");
    assert_eq!((account.histories, account.stopped_by.as_str()), (1500, "merged"));
    let names: Vec<&str> = result.organs.iter().map(|organ| organ.name.as_str()).collect();
    assert_eq!(names, ["liver", "label_2"]);
    let liver = &result.organs[0];
    assert!(liver.mean_sigma_gy > Some(0.0) && liver.d95_noise_gy.is_some(), "{liver:?}");
    assert_eq!(liver.dose_volume.as_ref().map(|histogram| histogram.volume_fraction.len()), Some(3));
    assert_eq!(result.intake.expect("it has one").density, "tally");
    // As in this process.
    let record = |tally: &[u8]| tally::decode(Cursor::new(tally)).expect("a good tally");
    let mut sum = record(&first.tally);
    merge(&mut sum, record(&second.tally)).expect("other histories");
    let extras = Extras { uncertainty: true, tally: false };
    let expected = merged_dose(sum, None, extras, &Control::detached()).expect("a dose");
    assert_eq!(bytes_of(expected.dose.as_slice()), found.dose);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_sent() {
    let server = Server::start(small()).await;
    let one = run(&server, 0, 200).await;
    let tallies = [&one.tally[..]];
    let header = pb::MergeTalliesHeader { return_uncertainty: false, return_tally: false, ..header(&tallies) };
    let given = [vec![Message::Header(header)], pieces(&tallies)].concat();
    let (result, found) = merge_tallies(&server, requests(given)).await.expect("a dose");
    assert_eq!((found.dose, found.uncertainty.len(), found.tally.len()), (one.dose, 0, 0));
    assert!(result.uncertainty.is_none() && result.tally_size_bytes.is_none() && result.organs.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_are_refused_at_once_with_every_fault() {
    let server = Server::start(small()).await;
    let good = [&[0u8; 5000][..]];
    let elsewhere = || Some(volume([4, 3, 3], pb::ElementType::Uint8));
    let cases: Vec<(&str, pb::MergeTalliesHeader, Code, &[&str])> = vec![
        ("nothing", pb::MergeTalliesHeader::default(), Code::InvalidArgument, &["grid", "tallies"]),
        (
            "many at once",
            pb::MergeTalliesHeader {
                labels: elsewhere(),
                organ_volumes: vec![pb::OrganVolume { volume: elsewhere(), label: 0 }],
                dose_volume_points: Some(1),
                ..header(&[&[][..]])
            },
            Code::InvalidArgument,
            &[
                "tallies[0].size_bytes",
                "organ_volumes[0].label",
                "dose_volume_points",
                "labels.grid",
                "organ_volumes[0].volume.grid",
            ],
        ),
        (
            "too many",
            pb::MergeTalliesHeader { tallies: vec![pb::TallyDescriptor { size_bytes: 5000 }; 1025], ..header(&[]) },
            Code::InvalidArgument,
            &["tallies"],
        ),
        (
            "names without organs",
            pb::MergeTalliesHeader { label_names: [(1, "liver".to_owned())].into(), ..header(&good) },
            Code::InvalidArgument,
            &["label_names"],
        ),
        (
            "labels that are kept",
            pb::MergeTalliesHeader {
                labels: Some(pb::VolumeDescriptor { digest: "ab".into(), ..volume([4, 3, 2], pb::ElementType::Uint8) }),
                ..header(&good)
            },
            Code::InvalidArgument,
            &["labels.digest"],
        ),
        (
            "a tally of more than any",
            pb::MergeTalliesHeader { tallies: vec![pb::TallyDescriptor { size_bytes: u64::MAX }], ..header(&[]) },
            Code::FailedPrecondition,
            &[],
        ),
        (
            "a grid of more than any",
            pb::MergeTalliesHeader {
                grid: volume([1000, 1000, 1000], pb::ElementType::Uint8).grid,
                tallies: vec![pb::TallyDescriptor { size_bytes: 15 << 20 }],
                ..header(&[])
            },
            Code::FailedPrecondition,
            &[],
        ),
    ];
    for (name, header, code, fields) in cases {
        let given = requests(vec![Message::Header(header)]).chain(tokio_stream::pending());
        let status = merge_tallies(&server, given).await.expect_err(name);
        assert_eq!(status.code(), code, "{name}: {status:?}");
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        assert_eq!(reason_and_fields(&status).1, fields, "{name}");
    }
}

/// What is no tally, or one of another grid, is refused by its first bytes, before the rest is read.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_tallies_are_refused_by_their_header() {
    let server = Server::start(small()).await;
    let good = run(&server, 0, 200).await.tally;
    let text = String::from_utf8_lossy(&good).into_owned();
    let at = text.find("\"shape\":[4,3,2]").expect("the shape is in the header") + 8;
    let with_shape = |shape: &[u8; 7]| {
        let mut changed = good.clone();
        changed[at..at + 7].copy_from_slice(shape);
        changed
    };
    let mut long = good.clone();
    long[17..21].copy_from_slice(&u32::MAX.to_le_bytes());
    for (name, tally) in [
        ("no tally", vec![7; 4000]),
        ("a header without end", long),
        ("another shape", with_shape(b"[4,2,3]")),
        ("more voxels", with_shape(b"[9,9,9]")),
        ("no voxels", with_shape(b"[0,3,2]")),
    ] {
        let started = &tally[..tally.len() - 100];
        let head = Message::Header(header(&[&tally[..]]));
        let given = requests(vec![head, piece(0, 0, started)]).chain(tokio_stream::pending());
        let status = merge_tallies(&server, given).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
        assert_eq!(reason_and_fields(&status), ("INVALID_REQUEST".to_owned(), vec!["tallies[0]".to_owned()]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_tally_is_named_and_bad_streams_are_refused() {
    let server = Server::start(small()).await;
    let (good, next) = (run(&server, 0, 200).await.tally, run(&server, 200, 100).await.tally);
    let mut damaged = next.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let tallies = [&good[..], &damaged[..], &good[..], &next[..]];
    let head = || Message::Header(header(&tallies));
    let status = merge_tallies(&server, requests([vec![head()], pieces(&tallies)].concat())).await;
    let status = status.expect_err("two are bad");
    assert_eq!(reason_and_fields(&status).1, ["tallies[1]", "tallies[2]"]);
    assert!(status.message().contains("already included") && status.message().contains("digest"), "{status:?}");
    let cases = [
        ("no header", vec![piece(0, 0, &good)], vec!["header"]),
        ("two headers", vec![head(), head()], vec!["header"]),
        ("the second first", vec![head(), piece(1, 0, &next)], vec!["tally_chunk.index"]),
        ("a gap", vec![head(), piece(0, 1, &good[1..])], vec!["tally_chunk.offset_bytes"]),
        ("nothing", vec![head(), piece(0, 0, &[])], vec!["tally_chunk.data"]),
        ("too much", vec![head(), piece(0, 0, &[&good[..], b"more"].concat())], vec!["tally_chunk.data"]),
        (
            "a part",
            vec![head(), piece(0, 0, &good), piece(1, 0, &next[..50])],
            vec!["tallies[1]", "tallies[2]", "tallies[3]"],
        ),
    ];
    for (name, messages, fields) in cases {
        let status = merge_tallies(&server, requests(messages)).await.expect_err(name);
        assert_eq!(
            (status.code(), reason_and_fields(&status).1),
            (Code::InvalidArgument, fields.iter().map(ToString::to_string).collect()),
            "{name}"
        );
    }
    let one = [&good[..]];
    let given = [vec![Message::Header(header(&one))], pieces(&one), vec![piece(1, 0, &next)]].concat();
    let status = merge_tallies(&server, requests(given)).await.expect_err("a tally too many");
    assert_eq!(reason_and_fields(&status).1, ["tally_chunk.index"]);
    let given = [vec![Message::Header(header(&one))], pieces(&one)].concat();
    assert!(merge_tallies(&server, requests(given)).await.is_ok(), "the next call is served");
}
