//! etcd names members by URLs, replication by `host:port`.

/// The address in a URL such as `https://10.0.0.1:2380`; none if it is not one that etcd takes.
pub(crate) fn address_of_url(url: &str) -> Option<String> {
    let address = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    quorum::config::is_address(address).then(|| address.to_owned())
}

/// The URL of an address.
pub(crate) fn url_of_address(address: &str, tls: bool) -> String {
    format!("{}://{address}", if tls { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_etcd_does() {
        for (url, address) in [
            ("https://10.60.0.14:2380", Some("10.60.0.14:2380")),
            ("http://node04:2380", Some("node04:2380")),
            ("https://[fd00::4]:2380", Some("[fd00::4]:2380")),
            ("10.60.0.14:2380", None),
            ("https://10.60.0.14", None),
            ("https://10.60.0.14:2380/", None),
            ("https://10.60.0.14:0", None),
            ("https://:2380", None),
            ("https://fd00::4:2380", None),
            ("https://a b:2380", None),
            ("unix://x:1", None),
        ] {
            assert_eq!(address_of_url(url).as_deref(), address, "{url}");
        }
        assert_eq!(url_of_address("node04:2380", true), "https://node04:2380");
    }
}
