//! How a member that was added finds out which one it is: it asks the others who is reached at its own peer address.

use std::time::Duration;

use kit::Context;
use kit::retry::Backoff;

use crate::host::Host;

/// Pauses between rounds.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// Rounds between two reminders.
const REMIND: u32 = 10;

/// Asks `others` (`host:port`) until one knows the member at `own`, and gives its id. Waits for as long as it takes:
/// adding a member and starting it may come in either order. `add`: how to add it, for the log.
pub async fn find_self(
    context: &Context,
    host: &Host,
    group: u64,
    (own, others): (&str, &[String]),
    add: &str,
) -> u64 {
    let mut backoff = Backoff::new(context.entropy(), FIRST, LONGEST);
    for round in 0u32.. {
        match host.introduce(group, others, own).await {
            Some(member) => return member.id,
            None if round.is_multiple_of(REMIND) => {
                tracing::warn!("no member knows the peer address {own} yet; add it: {add}");
            }
            None => {}
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
    unreachable!("the rounds do not end")
}
