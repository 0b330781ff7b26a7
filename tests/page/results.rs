//! Jobs, their results and volumes: what the page has is what the services have.

use serde_json::json;

use super::{OWN, Page};
use crate::durable::{Client, local, monte_carlo, request_id};

const SHAPE: [u32; 3] = [6, 5, 4];

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_that_of_the_job_and_its_volumes_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, page) = Page::start(folder.path(), &[]);
    let mut client = Client::of(&server.url).await;
    let spec = client.upload_job(local(), SHAPE).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    let (_, done) = client.watch(&job.name).await.expect("it ends");
    let id = job.name.strip_prefix("jobs/").expect("a name").to_owned();
    let found = page.get("/api/jobs?state=succeeded").json();
    assert_eq!((&found["jobs"][0]["id"], &found["jobs"][0]["state"]), (&json!(id), &json!("succeeded")));
    assert_eq!(page.get("/api/jobs?state=queued").json()["jobs"], json!([]));
    let all = page.get(&format!("/api/results/{id}")).json();
    let (result, expected) = (&all["result"], done.result.expect("a result"));
    let dose = expected.dose.expect("a dose");
    assert_eq!((&all["nuclide"], &result["provenance"]["nuclide"]), (&json!("Lu-177"), &json!("Lu-177")));
    assert_eq!(result["minimum_density_g_cm3"], json!(0.05));
    assert_eq!(result["activity_unit"], "Bq·s");
    assert_eq!(result["dose"]["volume"], json!(dose.digest));
    assert_eq!((&result["dose"]["shape"], &result["dose"]["element"]), (&json!(SHAPE), &json!("float32")));
    assert_eq!(result["dose"]["affine_mm"][0], json!([3.0, 0.0, 0.0, 0.0]));
    let compute = spec.compute.expect("a header");
    let named =
        [("dose", dose), ("activity", compute.activity.expect("one")), ("density", compute.density.expect("one"))];
    for (name, volume) in named {
        assert_eq!(result[name]["volume"], json!(volume.digest), "{name}");
        let bytes = client.get(&volume.digest).await.expect("it is stored");
        let place = format!("/api/volumes/{}", volume.digest);
        let whole = page.get(&place);
        assert_eq!((whole.code, &whole.body), (200, &bytes), "{name}");
        assert!(whole.has(&format!("content-length: {}", bytes.len())), "{}", whole.head);
        let part = page.send("GET", &place, &format!("{OWN}Range: bytes=4-11\r\n"));
        assert_eq!((part.code, &part.body[..]), (206, &bytes[4..12]), "{name}");
        assert!(part.has(&format!("content-range: bytes 4-11/{}", bytes.len())), "{}", part.head);
    }
    let place = format!("/api/volumes/{}", result["dose"]["volume"].as_str().expect("a digest"));
    let past = page.send("GET", &place, &format!("{OWN}Range: bytes=9999-\r\n"));
    assert_eq!(past.refusal(), (416, "WRONG_RANGE".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_by_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, page) = Page::start(folder.path(), &[]);
    let absent = format!("sha256:{}", "0".repeat(64));
    for (path, code, reason) in [
        ("/api/jobs?state=done".to_owned(), 400, "INVALID_REQUEST"),
        ("/api/jobs?colour=red".to_owned(), 400, "INVALID_REQUEST"),
        ("/api/jobs?page_token=x".to_owned(), 400, "INVALID_REQUEST"),
        ("/api/results/none".to_owned(), 404, "JOB_NOT_FOUND"),
        (format!("/api/volumes/{absent}"), 404, "VOLUME_NOT_FOUND"),
        ("/api/volumes/sha256:x".to_owned(), 400, "INVALID_REQUEST"),
        ("/api/gateway".to_owned(), 501, "NO_GATEWAY"),
    ] {
        assert_eq!(page.get(&path).refusal(), (code, reason.to_owned()), "{path}");
    }
    let wrong = page.get("/api/jobs?state=done").json();
    assert_eq!(wrong["fields"][0][0], "state", "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, page) = Page::start(folder.path(), &[]);
    let mut client = Client::of(&server.url).await;
    let spec = client.upload_job(monte_carlo(100_000_000_000), SHAPE).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    let id = job.name.strip_prefix("jobs/").expect("a name").to_owned();
    let waiting = page.get("/api/jobs?state=queued&state=running").json();
    assert_eq!(waiting["jobs"][0]["id"], json!(id));
    // Another page may not, and it goes on.
    let place = format!("/api/jobs/{id}/cancel");
    assert_eq!(page.send("POST", &place, "Sec-Fetch-Site: cross-site\r\n").code, 403);
    assert_eq!(page.get(&place).refusal(), (404, "UNKNOWN_PAGE".to_owned()));
    assert_eq!(page.get("/api/jobs?state=cancelled").json()["jobs"], json!([]));
    let cancelled = page.send("POST", &place, &format!("{OWN}Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n"));
    assert_eq!((cancelled.code, &cancelled.json()["state"]), (200, &json!("cancelled")));
    let (_, done) = client.watch(&job.name).await.expect("it ends");
    assert_eq!(done.state(), dosegrid::api::pb::JobState::Cancelled);
}
