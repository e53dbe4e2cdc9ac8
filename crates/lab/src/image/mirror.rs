//! Where this host gets Debian's packages from.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The mirrors of the host's own apt, in its order; those of security updates left out.
pub(super) fn mirrors() -> Result<Vec<String>> {
    let output = Command::new("apt-get").args(["update", "--print-uris"]).output();
    let output = output.context("cannot run apt-get: images are made on a Debian host")?;
    let found = of_uris(&String::from_utf8_lossy(&output.stdout));
    ensure!(!found.is_empty(), "this host's apt knows no Debian mirror");
    Ok(found)
}

/// From lines such as `'http://mirror/debian/dists/trixie/InRelease' …`.
fn of_uris(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.contains("/InRelease")) {
        let Some((mirror, _)) = line.trim_start_matches('\'').split_once("/dists/") else { continue };
        if !mirror.contains("-security") && !found.iter().any(|known| known == mirror) {
            found.push(mirror.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::of_uris;

    #[test]
    fn each_mirror_is_named_once() {
        let text = "\
'http://mirror.test/debian/dists/bookworm/InRelease' mirror.test_debian_dists_bookworm_InRelease 0
'http://mirror.test/debian/dists/bookworm-updates/InRelease' x 0
'http://mirror.test/debian-security/dists/bookworm-security/InRelease' y 0
";
        assert_eq!(of_uris(text), ["http://mirror.test/debian"]);
    }
}
