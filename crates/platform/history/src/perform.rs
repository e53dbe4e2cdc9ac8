//! One call of a load, in the store's own terms.

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, KeyValue, ResponseHeader, Txn, TxnOp,
    TxnOpResponse,
};

use super::{Action, Keys, Outcome, Value, is_pair, value_of};

/// Makes the call; answers what came of it and the revision in the answer.
pub(crate) async fn perform(
    client: &mut Client,
    keys: &Keys,
    register: u32,
    action: Action,
) -> Result<(Outcome, Option<i64>), Error> {
    let name = keys.name(register);
    match action {
        Action::Read => {
            let options = is_pair(register).then(|| GetOptions::new().with_prefix());
            let got = client.get(name, options).await?;
            Ok((held(register, got.kvs()).map_or(Outcome::Garbled, Outcome::Held), revision(got.header())))
        }
        Action::Write(value) if !is_pair(register) => {
            let put = client.put(name, value.to_string(), None).await?;
            Ok((Outcome::Written, revision(put.header())))
        }
        Action::Write(value) => {
            let done = client.txn(Txn::new().and_then(puts(keys, register, value))).await?;
            Ok((Outcome::Written, revision(done.header())))
        }
        Action::Swap { expected, new } => swap(client, keys, register, expected, new).await,
        Action::Delete => {
            let options = DeleteOptions::new().with_prev_key();
            let options = if is_pair(register) { options.with_prefix() } else { options };
            let gone = client.delete(name, Some(options)).await?;
            let before = held(register, gone.prev_kvs());
            Ok((before.map_or(Outcome::Garbled, Outcome::Removed), revision(gone.header())))
        }
    }
}

async fn swap(
    client: &mut Client,
    keys: &Keys,
    register: u32,
    expected: Option<Value>,
    new: Value,
) -> Result<(Outcome, Option<i64>), Error> {
    let name = keys.name(register);
    let compare = match expected {
        Some(value) => Compare::value(name.clone(), CompareOp::Equal, value.to_string()),
        None => Compare::create_revision(name.clone(), CompareOp::Equal, 0),
    };
    let options = is_pair(register).then(|| GetOptions::new().with_prefix());
    let txn =
        Txn::new().when([compare]).and_then(puts(keys, register, new)).or_else([TxnOp::get(name, options)]);
    let done = client.txn(txn).await?;
    let at = revision(done.header());
    if done.succeeded() {
        return Ok((Outcome::Written, at));
    }
    let outcome = done.op_responses().into_iter().find_map(|response| match response {
        TxnOpResponse::Get(got) => held(register, got.kvs()).map(Outcome::Held),
        _ => None,
    });
    Ok((outcome.unwrap_or(Outcome::Garbled), at))
}

fn puts(keys: &Keys, register: u32, value: Value) -> Vec<TxnOp> {
    let put = |name: String| TxnOp::put(name, value.to_string(), None);
    let mut puts = vec![put(keys.name(register))];
    if is_pair(register) {
        puts.push(put(keys.twin(register)));
    }
    puts
}

/// What a register holds; `None` if no write can have left this.
fn held(register: u32, kvs: &[KeyValue]) -> Option<Option<Value>> {
    let values: Vec<Value> = kvs.iter().map(|kv| value_of(kv.value())).collect::<Option<_>>()?;
    match values[..] {
        [] => Some(None),
        [value] if !is_pair(register) => Some(Some(value)),
        [first, second] if is_pair(register) && first == second => Some(Some(first)),
        _ => None,
    }
}

fn revision(header: Option<&ResponseHeader>) -> Option<i64> {
    header.map(ResponseHeader::revision)
}

/// Whether the server said that the call is not and will not be done. Everything else is unknown: also
/// "unavailable", which a server says of calls that it has already proposed.
pub(crate) fn is_refusal(error: &Error) -> bool {
    // gRPC: INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNAUTHENTICATED.
    matches!(error, Error::GRpcStatus(status) if [3, 7, 8, 9, 16].contains(&i32::from(status.code())))
}
