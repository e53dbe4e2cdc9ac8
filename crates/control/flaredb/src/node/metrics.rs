//! Figures that are only looked up when somebody asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use quorum::encode_gauges;

use crate::replica::Replica;

/// Looks at a database.
pub(super) struct DatabaseCollector {
    pub(super) database: Replica,
}

impl Collector for DatabaseCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let catalog = self.database.catalog();
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let gauges = [
            ("catalog_version", "How often the schema has changed", signed(catalog.version)),
            ("relations", "Tables, views, indexes and sequences", signed(catalog.relations.len() as u64)),
            (
                "fenced",
                "Whether this replica has diverged and serves nothing",
                i64::from(self.database.is_fenced()),
            ),
        ];
        encode_gauges(&mut encoder, "flaredb", gauges)
    }
}

impl fmt::Debug for DatabaseCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseCollector")
    }
}
