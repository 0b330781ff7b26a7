//! Figures of the gateway over HTTP, and a page that says that it lives.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use super::record::DeliveryState;
use super::sources::until_stopped;
use super::{Gateway, State};
use crate::page::{self, Body};

impl Gateway {
    /// Serves the pages, until the gateway ends.
    pub(super) fn serve_figures(self: &Arc<Self>, listener: TcpListener) {
        let gateway = self.clone();
        let answer = move |request: Request<Incoming>, _| {
            let answer = gateway.figures_page(&request);
            async move { answer }
        };
        let served = until_stopped(self, async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok::<Infallible, _>(page::serve(listener, || None, answer).await)
        });
        if let Err(error) = served {
            tracing::error!(%error, "nobody can read the metrics any more");
        }
    }

    fn figures_page<B>(&self, request: &Request<B>) -> Response<Body> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (code, text) = match request.uri().path() {
            _ if !is_read => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
            "/live" => (StatusCode::OK, "live\n".to_owned()),
            "/metrics" => match self.counted() {
                Ok(()) => (StatusCode::OK, self.metrics.text()),
                Err(error) => {
                    tracing::error!(%error, "the ledger cannot be counted");
                    (StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be counted\n".to_owned())
                }
            },
            _ => (StatusCode::NOT_FOUND, "/metrics or /live\n".to_owned()),
        };
        let mut response = Response::new(Body::Whole(Some(text.into())));
        *response.status_mut() = code;
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    /// Counts what the ledger has.
    fn counted(&self) -> Result<(), super::LedgerError> {
        let items = self.ledger.items()?;
        for state in State::ALL {
            self.metrics.set_items(state.name(), items.iter().filter(|item| item.state == state).count());
        }
        // What was skipped is not sent any more.
        let sent = items.iter().filter(|item| item.state != State::Skipped);
        let all: Vec<_> = sent.flat_map(|item| &item.deliveries).collect();
        for destination in &self.config.destinations {
            for state in DeliveryState::ALL {
                let here = all.iter().filter(|one| one.to == destination.name && one.state == state);
                self.metrics.set_deliveries(&destination.name, state.name(), here.count());
            }
        }
        Ok(())
    }
}
