//! An Orthanc: its changes, from the place in them that was reached before.

use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::Agent;

use super::{MAX_BYTES, Source, failed, origin};
use crate::domain::DoseError;
use crate::gateway::Gateway;
use crate::gateway::config::Login;
use crate::gateway::ledger::Table;

/// How long a connection may take, and the wait for an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);
/// How often an instance is asked for that is not given.
const TRIES: u32 = 20;
/// Changes that are asked for at once.
const CHANGES: u32 = 100;
/// Most bytes of a list of changes.
const MAX_LIST_BYTES: u64 = 4 << 20;

/// A part of the changes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Changes {
    changes: Vec<OneChange>,
    done: bool,
    last: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneChange {
    change_type: String,
    #[serde(rename = "ID")]
    id: String,
}

impl Gateway {
    /// Takes the instances that are new since the last time. How many there were.
    pub(super) fn follow_orthanc(&self, source: &Source, url: &str, login: Option<&Login>) -> Result<usize, DoseError> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(ANSWER))
            .timeout_per_write(Some(ANSWER))
            .build()
            .into();
        let login =
            login.map(|Login { user, password }| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        let get = |path: &str| {
            let mut request = agent.get(format!("{url}{path}"));
            if let Some(login) = &login {
                request = request.header("authorization", login);
            }
            let answer = request.call().map_err(|error| failed("no answer", &error))?;
            let status = answer.status().as_u16();
            Ok::<_, DoseError>(if status == 200 { Ok(answer) } else { Err(status) })
        };
        let key = format!("orthanc/{}", self.salted(&source.name));
        let mut since: u64 = self.ledger.get(Table::Places, &key)?.unwrap_or(0);
        let mut came = 0;
        loop {
            let answer = get(&format!("/changes?since={since}&limit={CHANGES}"))?;
            let mut answer = answer.map_err(|status| match status {
                404 => DoseError::Io("is the URL that of an Orthanc?".into()),
                status => answered_by(status),
            })?;
            let body = answer.body_mut().with_config().limit(MAX_LIST_BYTES).reader();
            let part: Changes =
                serde_json::from_reader(body).map_err(|error| failed("changes that cannot be read", &error))?;
            for change in part.changes.iter().filter(|change| change.change_type == "NewInstance") {
                let is_id = change.id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
                let answer = match is_id.then(|| get(&format!("/instances/{}/file", change.id))).transpose()? {
                    Some(Ok(answer)) => answer,
                    // What was deleted meanwhile is no loss of ours.
                    Some(Err(404)) | None => continue,
                    Some(Err(status)) if self.is_given_up(source, &change.id, status)? => continue,
                    Some(Err(status)) => return Err(answered_by(status)),
                };
                let cannot = |error: io::Error| failed("a file cannot be taken", &error);
                let mut file = self.receiving().map_err(cannot)?;
                let mut body = answer.into_body().into_with_config().limit(MAX_BYTES).reader();
                io::copy(&mut body, file.as_file_mut()).map_err(cannot)?;
                self.spool(file, &origin(source)).map_err(cannot)?;
                came += 1;
            }
            // A new Orthanc counts from the start again.
            let next = if part.last < since { 0 } else { part.last };
            if next != since {
                since = next;
                self.ledger.change(|change| change.put(Table::Places, &key, &since))?;
            }
            if part.done || part.changes.is_empty() || self.is_stopping() {
                return Ok(came);
            }
        }
    }

    /// Whether an instance is left out that an Orthanc has and does not give, again and again: all that came after it
    /// would wait for it. Somebody has to look at it.
    pub(in crate::gateway) fn is_given_up(
        &self,
        source: &Source,
        instance: &str,
        status: u16,
    ) -> Result<bool, DoseError> {
        // Of who calls, or of the whole server.
        if matches!(status, 401 | 403 | 408 | 429 | 502..=504) {
            return Ok(false);
        }
        let name = self.salted(&format!("{}/{instance}", source.name));
        {
            let mut refused = self.not_given.lock().unwrap_or_else(PoisonError::into_inner);
            let times = refused.entry(name.clone()).or_insert(0);
            *times += 1;
            if *times < TRIES {
                return Ok(false);
            }
            refused.remove(&name);
        }
        let words = format!(
            "an instance of {} is not given: HTTP status {status}, {TRIES} times; it was left out: send it again",
            source.name
        );
        self.put_aside(format!("file-{name}"), words)?;
        Ok(true)
    }
}

fn answered_by(status: u16) -> DoseError {
    DoseError::Io(format!("answered by HTTP status {status}"))
}
