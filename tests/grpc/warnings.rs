//! Warnings and the account of the activity in a result, and warnings as errors.

use dosegrid::api::pb::{self, activity_unit::Unit};
use dosegrid::domain::{
    ActivityAtMoment, ActivityTimes, ActivityUnit, Checks, DoseError, DoseRequest, HeaderDraft, LabelMaps, MomentUnit,
    Part, RequestVolumes, TimeIntegratedActivity, VolumeHeader,
};
use tokio_stream::StreamExt;
use tonic::Code;

use super::streaming::{assert_same, in_process, local, request};
use super::{
    Message, Server, compute, good_activity, good_density, good_header, messages, reason_and_fields, small, stream_of,
};

/// Activity of 1 MBq a voxel at the image, a half-life after the injection.
fn at_image() -> pb::ComputeHeader {
    let half_life = Some(pb::activity_bq::HalfLife::EffectiveHalfLifeS(36_000.0));
    let moment = pb::ActivityBq { half_life, imaged_after_s: Some(36_000.0), ..Default::default() };
    pb::ComputeHeader {
        activity_unit: Some(pb::ActivityUnit { unit: Some(Unit::Mbq(moment)) }),
        injected_activity_bq: Some(96e6),
        ..good_header()
    }
}

async fn result(server: &Server, given: Vec<Message>) -> pb::ComputeResult {
    let mut answer = server.raw().await.compute(stream_of(given)).await.expect("a stream").into_inner();
    while let Some(message) = answer.next().await {
        if let Some(pb::compute_response::Message::Result(result)) = message.expect("no failure").message {
            return result;
        }
    }
    panic!("no result")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_tells_the_activity() {
    let server = Server::start(small()).await;
    let result = result(&server, messages(at_image(), &[1.0; 24], &[1.0; 24])).await;
    assert_eq!(result.warnings, []);
    let account = result.activity.expect("every result has one");
    let mean_life_s = 36_000.0 / std::f64::consts::LN_2;
    let near = |found: Option<f64>, expected: f64| (found.expect("it is known") / expected - 1.0).abs() < 1e-6;
    assert!(near(account.at_imaging_bq, 24e6) && near(account.at_injection_bq, 48e6), "{account:?}");
    assert!(near(Some(account.decays_bq_s), 48e6 * mean_life_s), "{account:?}");
    assert!(near(account.decays_per_injected_gbq, 0.5e9 * mean_life_s), "{account:?}");
    assert!(near(account.time_integrated_activity_coefficient_h, 0.5 * mean_life_s / 3600.0), "{account:?}");
    assert_eq!(
        (account.half_life.as_deref(), account.decay_corrected_to.as_deref()),
        (Some("effective"), Some("scan"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_in_the_result_or_errors_as_asked() {
    let server = Server::start(small()).await;
    let mut density = good_density();
    density[23] = 0.001;
    let mut header = good_header();
    let found = result(&server, messages(header.clone(), &good_activity(), &density)).await.warnings;
    let found: Vec<_> = found.iter().map(|warning| (warning.reason.as_str(), warning.field.as_str())).collect();
    assert_eq!(found, [("ACTIVITY_IN_AIR", "activity"), ("ACTIVITY_OUTSIDE_BODY", "activity")]);
    header.strict = true;
    let refused = compute(server.raw().await, stream_of(messages(header.clone(), &good_activity(), &density))).await;
    let status = refused.expect_err("warnings are errors");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason_and_fields(&status), ("IMPLAUSIBLE".into(), vec!["activity".into(), "activity".into()]));
    assert!(status.message().contains("ACTIVITY_IN_AIR: "), "{status:?}");
    assert_eq!(server.waiting(), 0);
    let plausible = messages(header, &good_activity(), &good_density());
    compute(server.raw().await, stream_of(plausible)).await.expect("no warning, no error");
}

/// The same maps at one moment: a client sends the decays that it made of them, and what it made them from.
fn at_one_moment(strict: bool) -> DoseRequest {
    let decays = request([5, 4, 3], local());
    let times = ActivityTimes { imaged_after_s: Some(7e4), ..ActivityTimes::effective(1.2e5) };
    let unit = ActivityUnit::AtMoment(ActivityAtMoment { unit: MomentUnit::Kbq, times });
    let activity = decays.activity().decays().map(|decays| decays / 1e6);
    let volume = VolumeHeader::float32(activity.grid());
    let draft = HeaderDraft {
        activity: Part::Good(volume.clone()),
        activity_unit: Part::Good(unit),
        density: Part::Good(volume),
        source: Part::Good(decays.source().clone()),
        method: Part::Good(local()),
        injected_activity_bq: Some(1e3),
        strict,
        ..HeaderDraft::default()
    };
    let header = draft.finish(Checks::new()).expect("a good header");
    let density = decays.density().cloned();
    let activity = TimeIntegratedActivity::new(activity, unit).expect("an activity");
    let volumes = RequestVolumes { activity, density, labels: LabelMaps::default(), daughters: Vec::new() };
    DoseRequest::of(&header, volumes).expect("a good request")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_what_the_same_process_says() {
    let server = Server::start(small()).await;
    let client = server.client().await;
    let request = at_one_moment(false);
    let result = client.compute(&request, |_| {}).await.expect("a dose");
    let reasons: Vec<&str> = result.warnings.iter().map(|warning| warning.reason.as_str()).collect();
    assert!(reasons.contains(&"ACTIVITY_ABOVE_INJECTED"), "{reasons:?}");
    assert!(result.activity.at_imaging_bq.is_some() && result.activity.injected_bq == Some(1e3));
    assert_same(result, in_process(&request));
    let error = client.compute(&at_one_moment(true), |_| {}).await.expect_err("warnings are errors");
    let DoseError::Implausible(warnings) = error else { panic!("{error}") };
    assert!(warnings.iter().any(|warning| warning.reason == "ACTIVITY_ABOVE_INJECTED"), "{warnings:?}");
}
