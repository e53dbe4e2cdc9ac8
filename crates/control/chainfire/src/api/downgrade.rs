//! Downgrade: what etcd 3.5 answers to it.
//!
//! Whether a version may follow is a rule about numbers: the minor version before the cluster's. There is no
//! etcd 3.4 to go to from here, so that to begin is refused, and none is ever under way.

use super::Api;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::downgrade_request::DowngradeAction;
use crate::proto::etcdserverpb::{DowngradeRequest, DowngradeResponse};
use crate::version::ETCD_CLUSTER_VERSION;

impl Api {
    pub(super) async fn serve_downgrade(
        &self,
        request: DowngradeRequest,
    ) -> Result<DowngradeResponse, Rejection> {
        match DowngradeAction::try_from(request.action) {
            Ok(DowngradeAction::Validate) => self.validate_downgrade(&request.version).await,
            Ok(DowngradeAction::Enable) => {
                self.validate_downgrade(&request.version).await?;
                Err(Rejection::NotCapable)
            }
            Ok(DowngradeAction::Cancel) => {
                self.barrier().await?;
                Err(Rejection::NoDowngrade)
            }
            Err(_) => Err(Rejection::UnknownMethod),
        }
    }

    async fn validate_downgrade(&self, version: &str) -> Result<DowngradeResponse, Rejection> {
        let target = major_and_minor(version).ok_or(Rejection::BadVersion)?;
        self.barrier().await?;
        let (major, minor) = major_and_minor(ETCD_CLUSTER_VERSION).ok_or(Rejection::BadVersion)?;
        if minor.checked_sub(1) != Some(target.1) || major != target.0 {
            return Err(Rejection::BadDowngradeTarget);
        }
        Ok(DowngradeResponse { header: self.header(), version: ETCD_CLUSTER_VERSION.into() })
    }
}

/// Of a semantic version, or of the two numbers alone.
fn major_and_minor(version: &str) -> Option<(u64, u64)> {
    let (version, build) = version.split_once('+').unwrap_or((version, "0"));
    let (core, pre) = version.split_once('-').unwrap_or((version, "0"));
    let identifiers = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    let mut numbers = core.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| digits)
    });
    let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next());
    let whole = patch.is_none_or(|patch| patch.is_some()) && numbers.next().is_none();
    (whole && identifiers(pre) && identifiers(build)).then_some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_semantic_versions_or_two_numbers() {
        for good in ["3.4", "3.4.0", "3.4.33", "3.4.0-rc.1", "3.4.0-alpha+build.7"] {
            assert_eq!(major_and_minor(good), Some((3, 4)), "{good}");
        }
        for bad in ["", "3", "3.", "v3.4", "3.4.x", "3.4.0.0", "3.4.0-", "3.-4", "3.+4", "three.four", "3.4 "]
        {
            assert_eq!(major_and_minor(bad), None, "{bad}");
        }
    }
}
