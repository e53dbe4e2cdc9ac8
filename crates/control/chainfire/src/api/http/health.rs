//! `/health`, `/livez` and `/readyz`, as etcd 3.5 answers them (`api/etcdhttp/health.go`).

use std::fmt::Write;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::Api;
use super::super::metrics::HealthMetrics;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::AlarmType;

/// Something that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

/// One of the two questions: restart it? send it requests?
pub(super) struct Probe {
    kind: &'static str,
    checks: &'static [Check],
}

pub(super) const LIVEZ: Probe = Probe { kind: "livez", checks: &[Check::SerializableRead] };
pub(super) const READYZ: Probe = Probe {
    kind: "readyz",
    checks: &[Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner],
};

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::DataCorruption => "data_corruption",
            Self::SerializableRead => "serializable_read",
            Self::LinearizableRead => "linearizable_read",
            Self::NonLearner => "non_learner",
        }
    }

    async fn run(self, api: &Api) -> Result<(), String> {
        match self {
            Self::DataCorruption if api.raised().any(|alarm| alarm == AlarmType::Corrupt) => {
                Err("alarm activated: CORRUPT".into())
            }
            Self::NonLearner if api.is_learner() => Err("not supported for learner".into()),
            Self::SerializableRead => api.first_key(true).await.map_err(|e| e.text().to_owned()),
            Self::LinearizableRead => api.first_key(false).await.map_err(|e| e.text().to_owned()),
            Self::DataCorruption | Self::NonLearner => Ok(()),
        }
    }
}

impl Api {
    /// The read that shows whether reads are answered.
    async fn first_key(&self, serializable: bool) -> Result<(), Rejection> {
        if !serializable {
            self.barrier().await?;
        }
        self.read(true, |view, _| Ok(view.get(&bytes::Bytes::new(), view.head()).map(drop)?)).await
    }
}

/// The values of a query's parameter. Names of alarms and checks need no decoding.
fn values<'a>(query: Option<&'a str>, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = query.unwrap_or_default().split('&');
    pairs.filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// Answers `/livez` or `/readyz`.
pub(super) async fn probe(
    State(api): State<Api>,
    method: Method,
    RawQuery(query): RawQuery,
    probe: &'static Probe,
) -> Response {
    let query = query.as_deref();
    let wanted = |check: &Check| !values(query, "exclude").any(|name| name == check.name());
    let checks: Vec<Check> = probe.checks.iter().copied().filter(wanted).collect();
    answer(&api, &method, query, probe.kind, &checks).await
}

/// Answers for one check, such as `/readyz/non_learner`.
pub(super) async fn single(
    State(api): State<Api>,
    method: Method,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    probe: &'static Probe,
) -> Response {
    match probe.checks.iter().find(|check| check.name() == name) {
        Some(check) => answer(&api, &method, query.as_deref(), probe.kind, &[*check]).await,
        None => plain(StatusCode::NOT_FOUND, "404 page not found\n".into()),
    }
}

async fn answer(
    api: &Api,
    method: &Method,
    query: Option<&str>,
    kind: &'static str,
    checks: &[Check],
) -> Response {
    if method != Method::GET {
        return not_allowed();
    }
    let (mut text, mut well) = (String::new(), true);
    for check in checks {
        let name = check.name();
        let outcome = check.run(api).await;
        api.metrics.health.checked(kind, name, outcome.is_ok());
        // Writing to a string cannot fail.
        let _ = match outcome {
            Ok(()) => writeln!(text, "[+]{name} ok"),
            Err(why) => {
                well = false;
                writeln!(text, "[-]{name} failed: {why}")
            }
        };
    }
    match well {
        false => plain(StatusCode::SERVICE_UNAVAILABLE, text + "\n"),
        true if values(query, "verbose").next().is_some() => plain(StatusCode::OK, text + "ok\n"),
        true => plain(StatusCode::OK, "ok\n".into()),
    }
}

/// etcd's shape: texts, not booleans.
#[derive(Serialize)]
struct Health {
    health: &'static str,
    reason: String,
}

/// Healthy is who has no alarm, knows a leader and answers a linearizable read; with `serializable=true`, who
/// has no alarm and answers at all. `exclude=NOSPACE` passes over an alarm.
pub(super) async fn health(State(api): State<Api>, method: Method, RawQuery(query): RawQuery) -> Response {
    if method != Method::GET {
        return not_allowed();
    }
    let query = query.as_deref();
    let outcome = is_well(&api, query).await;
    let HealthMetrics { successes, failures, .. } = &api.metrics.health;
    match outcome {
        Ok(()) => {
            successes.inc();
            Json(Health { health: "true", reason: String::new() }).into_response()
        }
        Err(reason) => {
            failures.inc();
            let unwell = serde_json::to_string(&Health { health: "false", reason }).unwrap_or_default();
            plain(StatusCode::SERVICE_UNAVAILABLE, unwell + "\n")
        }
    }
}

async fn is_well(api: &Api, query: Option<&str>) -> Result<(), String> {
    let serializable = values(query, "serializable").next() == Some("true");
    let excluded = |alarm: &AlarmType| values(query, "exclude").any(|name| name == alarm.as_str_name());
    if let Some(alarm) = api.raised().find(|alarm| !excluded(alarm)) {
        return Err(format!("ALARM {}", alarm.as_str_name()));
    }
    if !serializable && api.leadership().borrow().leader.is_none() {
        return Err("RAFT NO LEADER".into());
    }
    api.first_key(serializable).await.map_err(|e| format!("RANGE ERROR:{}", e.text()))
}

pub(super) fn not_allowed() -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n".into());
    response.headers_mut().insert(ALLOW, axum::http::HeaderValue::from_static("GET"));
    response
}

fn plain(status: StatusCode, text: String) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_with_and_without_values() {
        let query = Some("verbose&exclude=NOSPACE&exclude=CORRUPT&x=exclude");
        assert_eq!(values(query, "exclude").collect::<Vec<_>>(), ["NOSPACE", "CORRUPT"]);
        assert_eq!(values(query, "verbose").collect::<Vec<_>>(), [""]);
        assert_eq!(values(query, "serializable").count() + values(None, "verbose").count(), 0);
    }
}
