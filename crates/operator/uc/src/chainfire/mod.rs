//! `uc chainfire …`: what the replicated store says of itself, over the etcd v3 API.

pub(crate) mod archive;
pub(crate) mod member;
pub(crate) mod verify;

use etcd_client::{Client, Error, StatusResponse};
use serde_json::{Value, json};

use crate::connect::Target;
use crate::output::{Column, Report};

const STATUS: &[Column] = &[
    Column::always("ENDPOINT", "endpoint"),
    Column::always("MEMBER", "member"),
    Column::always("VERSION", "version"),
    Column::always("ROLE", "role"),
    Column::always("TERM", "term"),
    Column::always("INDEX", "index"),
    Column::wide("APPLIED", "applied"),
    Column::wide("BYTES", "bytes"),
    Column::always("ERRORS", "errors"),
];

const MEMBERS: &[Column] = &[
    Column::always("NAME", "name"),
    Column::always("MEMBER", "member"),
    Column::always("LEARNER", "learner"),
    Column::always("CLIENT", "client"),
    Column::wide("PEER", "peer"),
];

/// Asks each endpoint by itself; one that does not answer is a complaint, not the end.
pub(crate) async fn status(target: &Target) -> anyhow::Result<Report> {
    let mut report = Report::new(STATUS, "endpoint");
    for endpoint in target.endpoints()? {
        let mut client = target.connect(std::slice::from_ref(&endpoint)).await?;
        match client.status().await {
            Ok(status) => {
                let row = describe(&endpoint, &status);
                report.complaints.extend(complaint(&endpoint, &status));
                report.rows.push(row);
            }
            Err(e) => report.complaints.push(format!("{endpoint} does not answer: {}", reason(&e))),
        }
    }
    Ok(report)
}

fn describe(endpoint: &str, status: &StatusResponse) -> Value {
    let own = status.header().map_or(0, etcd_client::ResponseHeader::member_id);
    let role = match status.is_learner() {
        true => "learner",
        false if status.leader() == own => "leader",
        false => "follower",
    };
    json!({
        "endpoint": endpoint,
        "member": format!("{own:x}"),
        "version": status.version(),
        "role": role,
        "term": status.raft_term(),
        "index": status.raft_index(),
        "applied": status.raft_applied_index(),
        "bytes": status.db_size(),
        "errors": status.errors(),
    })
}

fn complaint(endpoint: &str, status: &StatusResponse) -> Option<String> {
    if status.leader() == 0 {
        return Some(format!(
            "{endpoint} knows no leader: a majority of the members must be up and reach each other"
        ));
    }
    (!status.errors().is_empty()).then(|| format!("{endpoint} reports {}", status.errors().join(", ")))
}

/// The member list, as any one endpoint has it.
pub(crate) async fn members(target: &Target) -> anyhow::Result<Report> {
    let endpoints = target.endpoints()?;
    let mut client: Client = target.connect(&endpoints).await?;
    let list =
        client.member_list().await.map_err(|e| anyhow::anyhow!("no endpoint answers: {}", reason(&e)))?;
    let mut report = members_report();
    for member in list.members() {
        report.rows.push(json!({
            "name": member.name(),
            "member": format!("{:x}", member.id()),
            "learner": member.is_learner(),
            "client": member.client_urls(),
            "peer": member.peer_urls(),
        }));
    }
    Ok(report)
}

fn members_report() -> Report {
    Report::new(MEMBERS, "name")
}

/// A status has a message of its own; its debug form is noise.
pub(crate) fn reason(e: &Error) -> String {
    match e {
        Error::GRpcStatus(status) => format!("{} ({:?})", status.message(), status.code()),
        other => other.to_string(),
    }
}
