//! The members that shall be: from flags or a file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;

use super::model::{Observed, Wanted};

/// Which members the cluster shall have: all of them, not only what changes.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct Desired {
    /// A member that the cluster shall have; give every one of them.
    #[arg(long = "member", value_name = "NAME=PEER_URL[,CLIENT_URL]", value_parser = from_flag)]
    members: Vec<Wanted>,
    /// A file with all of them: [[members]] with name, `peer_urls` and `client_urls`.
    #[arg(long, value_name = "TOML", conflicts_with = "members")]
    file: Option<PathBuf>,
}

impl Desired {
    /// Reads them.
    pub(crate) fn wanted(&self) -> anyhow::Result<Vec<Wanted>> {
        match &self.file {
            Some(file) => from_file(file),
            None => Ok(self.members.clone()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOfMembers {
    members: Vec<MemberOfFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberOfFile {
    #[serde(default)]
    name: String,
    peer_urls: Vec<String>,
    #[serde(default)]
    client_urls: Vec<String>,
}

fn from_file(path: &Path) -> anyhow::Result<Vec<Wanted>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is no list of members", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Wanted>> {
    let file: FileOfMembers = toml::from_str(text)?;
    let member = |m: MemberOfFile| {
        ensure!(!m.peer_urls.is_empty(), "member `{}` has no peer_urls: name at least one", m.name);
        let urls = |urls: Vec<String>| urls.iter().map(|u| url(u)).collect::<anyhow::Result<Vec<_>>>();
        Ok(Wanted { name: m.name, peer_urls: urls(m.peer_urls)?, client_urls: urls(m.client_urls)? })
    };
    file.members.into_iter().map(member).collect()
}

fn from_flag(text: &str) -> anyhow::Result<Wanted> {
    let form = "it is NAME=PEER_URL or NAME=PEER_URL,CLIENT_URL";
    let (name, urls) = text.split_once('=').context(form)?;
    let mut urls = urls.split(',').map(url);
    let peer = urls.next().context(form)??;
    let client_urls = urls.collect::<anyhow::Result<_>>()?;
    Ok(Wanted { name: name.trim().to_owned(), peer_urls: vec![peer], client_urls })
}

/// A URL as the cluster lists it: scheme, host and port, and nothing after that.
pub(crate) fn url(text: &str) -> anyhow::Result<String> {
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let port = rest.filter(|r| !r.contains(['/', '?', '#', '@', ' '])).and_then(|r| r.rsplit_once(':'));
    match port {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(text.to_owned())
        }
        _ => bail!("`{text}` is no URL of a member: give scheme, host and port, as https://10.0.0.4:2380"),
    }
}

/// All voters, one of them exchanged: what `member replace` wants. `None` when that has been done already.
pub(crate) fn exchange(observed: &Observed, old: &str, new: Wanted) -> anyhow::Result<Option<Vec<Wanted>>> {
    let names = |m: &super::model::Member| m.name == old || format!("{:x}", m.id) == old;
    let stranger = observed.members.iter().find(|m| m.learner && !new.is(m) && !names(m));
    if let Some(learner) = stranger {
        bail!(
            "{} is a learner, and a cluster bears one at a time: promote or remove it first",
            learner.label()
        );
    }
    let leaving: Vec<_> = observed.members.iter().filter(|m| names(m)).collect();
    let arrived = observed.voters().any(|m| new.is(m));
    match leaving[..] {
        [one] if new.is(one) => bail!("{old} is the member at {} already", new.peer_urls.join(",")),
        [one] => {
            let mut wanted: Vec<Wanted> = Vec::new();
            let stay = observed.voters().filter(|m| m.id != one.id && !new.is(m)).map(|m| Wanted {
                name: m.name.clone(),
                peer_urls: m.peer_urls.clone(),
                client_urls: m.client_urls.clone(),
            });
            wanted.extend(stay);
            wanted.push(new);
            Ok(Some(wanted))
        }
        [] if arrived => Ok(None),
        [] => {
            bail!("no member is called {old} or has that id; `uc chainfire member list` shows who there is")
        }
        _ => bail!("several members are called {old}: name the one that goes by its id"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Health, Member};
    use super::*;

    fn member(id: u64, name: &str, learner: bool) -> Member {
        let health = Health::Well { behind: 0, caught_up: true };
        let peer_urls = vec![format!("https://{name}:2380")];
        Member { id, name: name.into(), peer_urls, client_urls: vec![], learner, health }
    }

    fn wanted(name: &str) -> Wanted {
        Wanted { name: String::new(), peer_urls: vec![format!("https://{name}:2380")], client_urls: vec![] }
    }

    #[test]
    fn members_come_from_flags() {
        let one = from_flag("node04=https://10.0.0.4:2380/,https://10.0.0.4:2379").unwrap();
        assert_eq!(
            (one.name.as_str(), &one.peer_urls[..]),
            ("node04", &["https://10.0.0.4:2380".to_owned()][..])
        );
        assert_eq!(one.client_urls, ["https://10.0.0.4:2379"]);
        for bad in [
            "node04",
            "node04=",
            "node04=10.0.0.4:2380",
            "a=https://x",
            "a=https://x:0",
            "a=https://x:1/v3",
            "",
        ] {
            assert!(from_flag(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn members_come_from_a_file() {
        let file = "[[members]]\nname = \"a\"\npeer_urls = [\"https://a:2380\"]\n";
        assert_eq!(parse(file).unwrap().len(), 1);
        assert!(parse("[[members]]\nname = \"a\"\npeer_url = [\"https://a:2380\"]\n").is_err());
        assert!(parse("[[members]]\nname = \"a\"\npeer_urls = []\n").is_err());
        assert!(parse("").is_err(), "an empty file must not mean that nobody is wanted");
    }

    #[test]
    fn one_member_is_exchanged_for_another() {
        let observed =
            Observed { members: vec![member(1, "a", false), member(2, "b", false)], leader: Some(1) };
        let urls = |list: Vec<Wanted>| list.iter().map(|w| w.peer_urls[0].clone()).collect::<Vec<_>>();
        let list = exchange(&observed, "b", wanted("c")).unwrap().unwrap();
        assert_eq!(urls(list), ["https://a:2380", "https://c:2380"]);
        assert!(exchange(&observed, "2", wanted("c")).unwrap().is_some(), "by id");
        assert!(exchange(&observed, "b", wanted("b")).is_err(), "by itself");
        assert!(exchange(&observed, "x", wanted("c")).is_err(), "nobody is called x");
    }

    #[test]
    fn an_exchange_that_was_made_is_done_and_a_half_one_goes_on() {
        let made = Observed { members: vec![member(1, "a", false), member(3, "c", false)], leader: Some(1) };
        assert_eq!(exchange(&made, "b", wanted("c")).unwrap(), None);
        let half = [member(1, "a", false), member(2, "b", false), member(3, "c", true)];
        let half = Observed { members: half.into(), leader: Some(1) };
        assert_eq!(exchange(&half, "b", wanted("c")).unwrap().map(|list| list.len()), Some(2));
        assert!(exchange(&half, "b", wanted("d")).is_err(), "another learner is in the way");
    }
}
