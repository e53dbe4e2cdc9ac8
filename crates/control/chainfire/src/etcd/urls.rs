//! The lists of URLs that etcd's flags are made of.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::convert::address_of_url;

/// One of etcd's URLs: a scheme and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) tls: bool,
    /// `host:port`.
    pub(super) address: String,
}

impl Url {
    /// Takes what etcd takes, and refuses in its words.
    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let tls = match scheme {
            "https" => true,
            "http" => false,
            "unix" | "unixs" => return Err(format!("unix sockets cannot be had here: {text}")),
            _ => return Err(format!("URL scheme must be http, https, unix, or unixs: {text}")),
        };
        let bare = rest.strip_suffix('/').unwrap_or(rest);
        if bare.contains('/') {
            return Err(format!("URL must not contain a path: {text}"));
        }
        let any_port = bare.strip_suffix(":0").map(|host| format!("{scheme}://{host}:1"));
        let known = address_of_url(&any_port.unwrap_or_else(|| format!("{scheme}://{bare}")));
        if known.is_none() {
            return Err(format!("URL address does not have the form \"host:port\": {text}"));
        }
        Ok(Self { tls, address: bare.to_owned() })
    }

    pub(super) fn host(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    fn port(&self) -> u16 {
        self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }

    /// Where to listen. As in etcd: names are resolved by nobody but for `localhost`.
    pub(super) fn to_bind(&self) -> Result<SocketAddr, String> {
        let ip = match self.host() {
            "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse().map_err(|_| format!("expected IP in URL for binding ({self})")),
        };
        Ok(SocketAddr::new(ip?, self.port()))
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

/// A list with commas between.
pub(super) fn list(text: &str) -> Result<Vec<Url>, String> {
    text.split(',').map(|url| Url::parse(url.trim())).collect()
}

/// `name=url,name=url`: the members in the order of their names, each with its URLs.
pub(super) fn cluster(text: &str) -> Result<Vec<(String, Vec<Url>)>, String> {
    let mut members: std::collections::BTreeMap<String, Vec<Url>> = std::collections::BTreeMap::new();
    for part in text.split(',') {
        let (name, url) = part.trim().split_once('=').unwrap_or(("", part));
        if name.is_empty() {
            return Err(format!("malformed initial-cluster entry {part:?}: write name=url"));
        }
        if url.is_empty() {
            return Err(format!("empty URL given for {name:?}"));
        }
        members.entry(name.to_owned()).or_default().push(Url::parse(url)?);
    }
    Ok(members.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_as_etcd_takes_them() {
        let one = |text: &str| list(text).map(|urls| urls[0].clone());
        assert_eq!(one("https://[::1]:2379/").unwrap().to_bind().unwrap(), "[::1]:2379".parse().unwrap());
        assert_eq!(one("http://localhost:0").unwrap().to_bind().unwrap(), "127.0.0.1:0".parse().unwrap());
        for (text, words) in [
            ("ftp://1.2.3.4:5", "URL scheme must be http, https, unix, or unixs: ftp://1.2.3.4:5"),
            ("1.2.3.4:5", "URL scheme must be http, https, unix, or unixs: 1.2.3.4:5"),
            ("http://1.2.3.4", "URL address does not have the form \"host:port\": http://1.2.3.4"),
            ("http://1.2.3.4:5/x", "URL must not contain a path: http://1.2.3.4:5/x"),
        ] {
            assert_eq!(list(text).unwrap_err(), words);
        }
        let named = one("https://node01:2379").unwrap().to_bind().unwrap_err();
        assert_eq!(named, "expected IP in URL for binding (https://node01:2379)");
    }

    #[test]
    fn members_are_gathered_by_name() {
        let members = cluster("b=http://b:1,a=http://a:1,b=http://c:1").unwrap();
        let names: Vec<_> = members.iter().map(|(name, urls)| (name.as_str(), urls.len())).collect();
        assert_eq!(names, [("a", 1), ("b", 2)]);
        assert_eq!(cluster("a=").unwrap_err(), "empty URL given for \"a\"");
        assert!(cluster("http://a:1").unwrap_err().contains("write name=url"));
    }
}
