//! The ledger of a gateway that runs beside this server. It has no tenants: administrators alone see it.

use http::{HeaderMap, Response};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::Site;
use super::within::Within;
use crate::api::identity::Role;
use crate::api::off_thread::off_thread;
use crate::api::status::refused;
use crate::domain::DoseError;
use crate::gateway::{self, Asked, Delivery, Item, State};
use crate::page::{self, Body};

impl Site {
    /// All items, the newest state first, and the names of all states.
    pub(super) async fn items(&self, within: &Within, headers: &HeaderMap) -> Result<Response<Body>, Status> {
        let mut items = self.ask(within, headers, Asked::List).await?;
        items.sort_by_key(|item| std::cmp::Reverse(item.since_ms));
        let states: Vec<&str> = State::ALL.into_iter().map(State::name).collect();
        Ok(page::json(&json!({ "states": states, "items": items.iter().map(shown).collect::<Vec<_>>() })))
    }

    /// Releases, tries again or drops an item.
    pub(super) async fn change(
        &self,
        within: &Within,
        headers: &HeaderMap,
        id: &str,
        what: &str,
    ) -> Result<Response<Body>, Status> {
        let ids = vec![id.to_owned()];
        let asked = match what {
            "release" => Asked::Release(ids),
            "retry" => Asked::Retry(ids),
            "drop" => Asked::Drop(ids),
            _ => return Ok(page::not_found()),
        };
        let items = self.ask(within, headers, asked).await?;
        Ok(page::json(&items.iter().map(shown).collect::<Vec<_>>()))
    }

    async fn ask(&self, within: &Within, headers: &HeaderMap, asked: Asked) -> Result<Vec<Item>, Status> {
        let caller = self.gate.admit(headers, &within.peer, Some(Role::Admin)).await?;
        let Some(folder) = self.gateway.clone() else {
            let words = "this page shows no gateway; start the server with --page-gateway";
            return Err(refused(Code::Unimplemented, "NO_GATEWAY", words, []));
        };
        let asked = off_thread(move || gateway::ask_for(&folder, &asked, &caller.name)).await;
        asked.map_err(|error| {
            if let DoseError::Io(words) = error {
                return refused(Code::Unavailable, "GATEWAY_UNAVAILABLE", words, []);
            }
            error.into()
        })
    }
}

/// An item, without the UIDs of what it is made from and of what was made.
fn shown(item: &Item) -> Value {
    let delivery = |one: &Delivery| {
        let object = item.objects.get(one.object).map(|object| &object.file);
        json!({ "object": object, "to": one.to, "state": one.state, "attempts": one.attempts, "said": one.said })
    };
    json!({
        "id": item.id,
        "state": item.state,
        "reason": item.reason,
        "since_ms": item.since_ms,
        "rule": item.rule,
        "inputs": item.inputs.len(),
        "failures": item.failures,
        "deliveries": item.deliveries.iter().map(delivery).collect::<Vec<_>>(),
        "released_by": item.released_by,
        "workitem": item.workitem.as_ref().map(|claim| {
            json!({ "worklist": claim.worklist, "state": claim.state.name(), "said": claim.said })
        }),
    })
}
