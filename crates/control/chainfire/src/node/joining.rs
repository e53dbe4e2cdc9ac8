//! How a member that was added finds out which one it is: it asks the others who is reached at its
//! own peer address.

use std::time::Duration;

use kit::Context;
use kit::retry::Backoff;
use quorum::Host;

use super::GROUP;
use crate::config::Config;

/// Pauses between rounds.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// Rounds between two reminders.
const REMIND: u32 = 10;

/// Asks the initial members until one knows this member. Waits for as long as it takes: adding a
/// member and starting it may come in either order.
pub(super) async fn find_self(context: &Context, config: &Config, host: &Host) -> u64 {
    let own = &config.peer.advertise;
    let others: Vec<String> = config.initial_members.iter().map(|m| m.peer.clone()).collect();
    let mut backoff = Backoff::new(context.entropy(), FIRST, LONGEST);
    for round in 0u32.. {
        match host.introduce(GROUP, &others, own).await {
            Some(member) => return member.id,
            None if round.is_multiple_of(REMIND) => remind(config),
            None => {}
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
    unreachable!("the rounds do not end")
}

fn remind(config: &Config) {
    let (name, own) = (&config.name, &config.peer.advertise);
    tracing::warn!(
        "no member knows the peer address {own} yet; add it: etcdctl member add {name} --peer-urls=https://{own}"
    );
}
