//! A gateway on the page: what waits, and its release.

use serde_json::json;

use super::{OWN, Page};
use crate::gateway::site::{Site, study};

#[test]
fn a_held_dose_is_released_from_the_page_by_name() {
    let site = Site::new("release = 'wait'", "");
    let gateway = format!("--page-gateway={}", site.path().join("state").display());
    let (_server, page) = Page::start(site.path(), &[gateway]);
    assert_eq!(page.get("/api/gateway").refusal(), (503, "GATEWAY_UNAVAILABLE".to_owned()));
    site.put(study(), &[]);
    let _running = site.start();
    site.wait("it is held", |states| states.iter().any(|(state, _)| state == "held"));
    let found = page.get("/api/gateway").json();
    let item = &found["items"][0];
    assert_eq!((&item["state"], &item["rule"]), (&json!("held"), &json!("lu")));
    assert!(found["states"].as_array().expect("names").contains(&json!("aside")));
    assert!(item["inputs"].is_number(), "no list of UIDs: {item}");
    let place = format!("/api/gateway/{}", item["id"].as_str().expect("an id"));
    let post = |what: &str| page.send("POST", &format!("{place}/{what}"), OWN);
    assert_eq!(post("retry").refusal(), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(post("burn").refusal(), (404, "UNKNOWN_PAGE".to_owned()));
    let released = post("release").json();
    assert_eq!(released[0]["state"], "released");
    let by = released[0]["released_by"].as_str().expect("a name");
    assert!(by.starts_with("uid ") && by.ends_with(" for default"), "{by}");
    site.wait("it is sent", |states| states.iter().any(|(state, _)| state == "verified"));
    assert_eq!(site.item()["released_by"], json!(by));
}
