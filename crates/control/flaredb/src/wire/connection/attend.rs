//! While something is done for a client, sees whether it is still there.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::wire::control::Control;
use crate::wire::io::{SharedInput, lock};

/// Does the work to its end. If the client leaves while it waits, the control says so, which the work heeds.
pub(super) async fn attend<T>(input: &SharedInput, control: &Control, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut here = true;
    poll_fn(|cx| {
        // What is done at once costs nothing more.
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if here && lock(input).poll_gone(cx) {
            here = false;
            control.client_is_gone();
        }
        Poll::Pending
    })
    .await
}
