//! A computation by volumes and a job, where the server has a store: what was sent is not sent again after a cut.

use tonic_types::StatusExt;

use super::{Answer, Client, Sent, Told, Understood};
use crate::api::pb;
use crate::api::pb::dose_service_client::DoseServiceClient;
use crate::domain::DoseError;
use crate::intake::Intake;

/// Reasons for which `Compute`, which stores nothing, is called instead.
const OF_STORE: [&str; 7] =
    ["NO_STORE", "QUOTA_EXCEEDED", "ROLE_MISSING", "SERVER_BUSY", "STORE_FULL", "STORE_UNAVAILABLE", "UNKNOWN_METHOD"];

impl Client {
    /// As [`Client::compute_intake`], to the same bytes. The job is deleted once its results are here; if the caller
    /// goes away before, it goes on, and so it does if the connection is lost for long: the error names it then.
    ///
    /// None if the server has no store, or does not take volumes and jobs of this caller now.
    ///
    /// # Errors
    /// As [`Client::compute_intake`].
    pub async fn compute_as_job(
        &self,
        intake: &Intake,
        volumes: impl IntoIterator<Item = Sent>,
        mut on_told: impl FnMut(Told),
    ) -> Result<Option<Answer>, DoseError> {
        if !self.has_store().await {
            return Ok(None);
        }
        let name = match self.try_create_job(intake, volumes).await {
            Ok(name) => name,
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                return if OF_STORE.contains(&reason.as_str()) { Ok(None) } else { Err(status.into()) };
            }
        };
        let goes_on = |error: DoseError| {
            let DoseError::Remote(reason) = error else { return error };
            DoseError::Remote(format!("{reason}; `dosegrid jobs watch {name}` follows the job, which is kept"))
        };
        let ended = self.watch_job(&name, |job| job.progress.into_iter().for_each(|now| on_told(Told::Progress(now))));
        if let Some(fault) = ended.await.map_err(goes_on)?.fault {
            return Err(fault);
        }
        let answer = self.result_of(&name).await.map_err(goes_on)?;
        // If it stays, it goes with its time.
        let _ = self.delete_job(&name).await;
        let (activity, account) = (answer.result.activity.clone(), answer.account.clone());
        on_told(Told::Understood(Box::new(Understood { activity, warnings: Vec::new(), account })));
        Ok(Some(answer))
    }

    /// Whether the server keeps volumes and jobs. One that does not answer this is asked to compute, and says why not.
    async fn has_store(&self) -> bool {
        let mut service = DoseServiceClient::new(self.channel.clone());
        let info = service.get_server_info(pb::GetServerInfoRequest {}).await;
        info.is_ok_and(|info| info.into_inner().limits.is_some_and(|limits| limits.volume_ttl_s > 0.0))
    }
}
