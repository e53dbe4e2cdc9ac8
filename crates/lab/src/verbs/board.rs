//! What is shown while a cluster boots: a line for each node, and how long it will take.

use std::time::Duration;

use crate::node::unit::Phase;
use crate::progress::Progress;
use crate::supervisor::protocol::{ClusterStatus, NodeStatus, Stage};

/// Shows it.
pub(super) fn show(
    progress: &Progress,
    status: &ClusterStatus,
    elapsed: Duration,
    expected: Option<Duration>,
) {
    let nodes: Vec<(String, String)> =
        status.nodes.iter().map(|(name, node)| (name.clone(), state(node))).collect();
    let up = nodes.iter().filter(|(_, state)| state == UP).count();
    let summary = format!("{up} of {} nodes are up{}", nodes.len(), left(elapsed, expected));
    progress.board("boot", &summary, &nodes);
}

const UP: &str = "up";

/// A node in a few words.
fn state(node: &NodeStatus) -> String {
    match node.stage {
        Stage::Off => return "waits for its turn".to_owned(),
        Stage::Booting => return "boots".to_owned(),
        Stage::On => {}
    }
    let waited = node.services.iter().find(|(_, service)| service.status.phase != Phase::Active);
    match waited {
        Some((name, service)) => format!("{name} is {}", service.status.phase.word()),
        None => UP.to_owned(),
    }
}

fn left(elapsed: Duration, expected: Option<Duration>) -> String {
    match expected.map(|expected| expected.saturating_sub(elapsed).as_secs()) {
        None => String::new(),
        Some(0) => ", later than usual".to_owned(),
        Some(seconds) => format!(", about {seconds} s to go"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_long_still_if_it_knows() {
        let seconds = Duration::from_secs;
        assert_eq!(left(seconds(5), None), "");
        assert_eq!(left(seconds(5), Some(seconds(60))), ", about 55 s to go");
        assert_eq!(left(seconds(70), Some(seconds(60))), ", later than usual");
    }
}
