//! Looks at a cluster: who belongs to it, who answers, who leads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{Client, StatusResponse};
use tokio::time::timeout;

use super::model::{Health, Member, Observed, Wanted};
use crate::chainfire::reason;
use crate::connect::Target;

/// A member that does not answer within this is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// A cluster, and where its members were reached.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// Its members.
    pub(crate) observed: Observed,
    /// The URL at which a member answered, by its id.
    pub(crate) reached: BTreeMap<u64, String>,
}

/// What a member said of itself.
struct Word {
    url: String,
    status: StatusResponse,
}

/// Asks every endpoint that is known, by flags, by the wanted members and by the cluster's own list.
pub(crate) async fn look(target: &Target, wanted: &[Wanted]) -> anyhow::Result<Sight> {
    let mut asked: BTreeSet<String> = target.endpoints()?.into_iter().collect();
    asked.extend(wanted.iter().flat_map(|w| w.client_urls.iter().cloned()));
    let (mut words, mut silent) = ask_all(target, asked.iter()).await;
    ensure!(!words.is_empty(), "no member answers: {}", told(&silent));
    let listed = list(target, &words).await?;
    let known: BTreeSet<u64> = words.iter().map(|w| id(&w.status)).collect();
    let rest = listed.iter().filter(|m| !known.contains(&m.id())).flat_map(|m| m.client_urls().iter());
    let (more, also_silent) = ask_all(target, rest.filter(|url| !asked.contains(*url))).await;
    words.extend(more);
    silent.extend(also_silent);
    one_cluster(&words)?;
    Ok(put_together(listed, &words, &silent))
}

fn id(status: &StatusResponse) -> u64 {
    status.header().map_or(0, etcd_client::ResponseHeader::member_id)
}

fn told(silent: &BTreeMap<String, String>) -> String {
    silent.iter().map(|(url, why)| format!("{url}: {why}")).collect::<Vec<_>>().join("; ")
}

/// All at once; who answers, and why the others do not.
async fn ask_all(
    target: &Target,
    urls: impl Iterator<Item = &String>,
) -> (Vec<Word>, BTreeMap<String, String>) {
    let asked = urls.map(|url| async move {
        let answer = async {
            let mut client = target.connect(std::slice::from_ref(url)).await.map_err(|e| format!("{e:#}"))?;
            client.status().await.map_err(|e| reason(&e))
        };
        let late = Err(format!("no answer within {PATIENCE:?}"));
        (url.clone(), timeout(PATIENCE, answer).await.unwrap_or(late))
    });
    let (mut words, mut silent) = (Vec::new(), BTreeMap::new());
    for (url, answer) in futures::future::join_all(asked).await {
        match answer {
            Ok(status) => words.push(Word { url, status }),
            Err(why) => drop(silent.insert(url, why)),
        }
    }
    (words, silent)
}

/// The list as whoever leads has it, else as anybody has it who serves clients.
async fn list(target: &Target, words: &[Word]) -> anyhow::Result<Vec<etcd_client::Member>> {
    let mut voters: Vec<&Word> = words.iter().filter(|w| !w.status.is_learner()).collect();
    voters.sort_by_key(|w| (id(&w.status) != w.status.leader(), std::cmp::Reverse(w.status.raft_term())));
    let mut why = "only learners answer, which serve no clients".to_owned();
    for voter in voters {
        let mut client: Client = target.connect(std::slice::from_ref(&voter.url)).await?;
        match client.member_list().await {
            Ok(list) => return Ok(list.members().to_vec()),
            Err(e) => why = format!("{}: {}", voter.url, reason(&e)),
        }
    }
    anyhow::bail!("nobody tells who the members are: {why}")
}

fn one_cluster(words: &[Word]) -> anyhow::Result<()> {
    let cluster = |w: &Word| w.status.header().map_or(0, etcd_client::ResponseHeader::cluster_id);
    let first = words.first().context("nobody answers")?;
    match words.iter().find(|w| cluster(w) != cluster(first)) {
        Some(other) => anyhow::bail!(
            "{} and {} belong to different clusters: give the endpoints of one",
            first.url,
            other.url
        ),
        None => Ok(()),
    }
}

fn put_together(
    listed: Vec<etcd_client::Member>,
    words: &[Word],
    silent: &BTreeMap<String, String>,
) -> Sight {
    // A replica that was removed may still run and say what it likes.
    let words: Vec<&Word> = words.iter().filter(|w| listed.iter().any(|m| m.id() == id(&w.status))).collect();
    let leader = followed(words.iter().map(|w| w.status.leader()));
    let last = words.iter().map(|w| w.status.raft_index()).max().unwrap_or(0);
    let member = |m: etcd_client::Member| {
        let word = words.iter().find(|w| id(&w.status) == m.id());
        let health = match word {
            Some(word) => health(&word.status, leader, last),
            None => Health::Away { why: absence(&m, silent) },
        };
        Member {
            id: m.id(),
            name: m.name().to_owned(),
            peer_urls: m.peer_urls().to_vec(),
            client_urls: m.client_urls().to_vec(),
            learner: m.is_learner(),
            health,
        }
    };
    let observed = Observed { members: listed.into_iter().map(member).collect(), leader };
    Sight { observed, reached: words.iter().map(|w| (id(&w.status), w.url.clone())).collect() }
}

/// Whom most follow, if anybody.
fn followed(leaders: impl Iterator<Item = u64>) -> Option<u64> {
    let mut followers: BTreeMap<u64, usize> = BTreeMap::new();
    for leader in leaders.filter(|leader| *leader != 0) {
        *followers.entry(leader).or_default() += 1;
    }
    followers.into_iter().max_by_key(|(_, count)| *count).map(|(leader, _)| leader)
}

fn health(status: &StatusResponse, leader: Option<u64>, last: u64) -> Health {
    if leader.is_none() || Some(status.leader()) != leader {
        return Health::Away { why: "it does not follow the leader".to_owned() };
    }
    let behind = last.saturating_sub(status.raft_applied_index());
    Health::Well { behind, caught_up: behind <= last / 10 }
}

fn absence(member: &etcd_client::Member, silent: &BTreeMap<String, String>) -> String {
    if member.name().is_empty() {
        return "it has not started yet".to_owned();
    }
    let why = member.client_urls().iter().find_map(|url| silent.get(url));
    why.cloned().unwrap_or_else(|| "none of the endpoints that were asked is its own".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_most_follow_leads() {
        assert_eq!(followed([2, 2, 3].into_iter()), Some(2));
        assert_eq!(followed([0, 0, 3].into_iter()), Some(3), "who follows nobody has no say");
        assert_eq!(followed([0, 0].into_iter()), None);
    }
}
