//! Figures about the store that are only looked up when somebody asks.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use quorum::encode_gauges;

use crate::machine::Alarms;
use crate::store::Store;

/// Looks at the store.
pub(super) struct StoreCollector {
    pub(super) store: Arc<Store>,
    pub(super) alarms: Arc<Alarms>,
}

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let size = self.store.size();
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let gauges = [
            ("revision", "The latest revision", self.store.view().head()),
            ("compact_revision", "The latest compaction; -1 for none", self.store.compacted()),
            ("store_bytes", "What the store's file takes from the disk", signed(size.file)),
            ("store_used_bytes", "Bytes of the rows in it", signed(size.used)),
            ("store_unflushed_bytes", "Changes that are not in the file yet", signed(size.unflushed)),
            ("alarms", "Alarms of all members", signed(self.alarms.all().len() as u64)),
            ("leases", "Leases", signed(self.store.leases().len() as u64)),
        ];
        encode_gauges(&mut encoder, "chainfire", gauges)
    }
}

impl fmt::Debug for StoreCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreCollector")
    }
}
