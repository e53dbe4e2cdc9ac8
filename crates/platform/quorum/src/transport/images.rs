//! Sends an image of the state to a replica, from where the last attempt stopped.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use kit::Context;
use openraft::errors::{StreamingError, Unreachable};
use openraft::raft::SnapshotResponse;

use super::link::{Link, failed};
use crate::store::{ImageSource, Spool};
use crate::types::{Snapshot, Types, Vote};
use crate::wire::{self, Position, proto};

const PART_BYTES: usize = 256 << 10;

pub(super) async fn send(
    link: &Link,
    vote: Vote,
    snapshot: Snapshot,
) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
    let position =
        Position { applied: snapshot.meta.last_log_id, membership: snapshot.meta.last_membership.clone() };
    let spool = spooled(link, &position, snapshot.snapshot.0).await?;
    let header = proto::ImageHeader {
        route: Some(link.route()),
        ballot: Some(wire::ballot(&vote)),
        position: Some(position.message()),
        size: spool.size,
        crc32c: spool.crc32c,
    };
    let mut client = link.client()?;
    let offset = client.image_offset(header.clone()).await.map_err(failed)?.into_inner().offset;
    tracing::info!(peer = link.target, size = spool.size, offset, "sending an image of the state");
    let parts = parts(link.links.context.clone(), header, spool, offset);
    let reply = client.send_image(parts).await.map_err(failed)?.into_inner();
    let vote =
        wire::required_vote(reply.ballot).map_err(|e| StreamingError::Unreachable(Unreachable::new(&e)))?;
    link.links.images.delivered();
    Ok(SnapshotResponse::new(vote))
}

async fn spooled(
    link: &Link,
    position: &Position,
    source: ImageSource,
) -> Result<Arc<Spool>, StreamingError<Types>> {
    let gone =
        |what: &str| StreamingError::Unreachable(Unreachable::new(&std::io::Error::other(what.to_owned())));
    match source {
        ImageSource::Spool(spool) => Ok(spool),
        ImageSource::None => Err(gone("the engine offered a snapshot without data")),
        ImageSource::Export(reader) => {
            let (images, position) = (link.links.images.clone(), position.clone());
            let written = link.links.context.blocking(move || images.spool(position, reader)).await;
            match written {
                Some(Ok(spool)) => Ok(spool),
                Some(Err(e)) => Err(gone(&format!("cannot write an image of the state: {e}"))),
                None => Err(gone("writing an image of the state panicked")),
            }
        }
    }
}

/// The header, then the parts. A read error ends the stream early; the receiver then asks again.
fn parts(
    context: Context,
    header: proto::ImageHeader,
    spool: Arc<Spool>,
    mut offset: u64,
) -> impl Stream<Item = proto::ImagePart> + Send + 'static {
    use proto::image_part::Part;
    async_stream::stream! {
        yield proto::ImagePart { part: Some(Part::Header(header)) };
        while offset < spool.size {
            let source = spool.clone();
            let read = context.blocking(move || source.read(offset, PART_BYTES)).await;
            let Some(Ok(data)) = read else {
                tracing::error!(offset, "cannot read back an image of the state; the transfer will start again");
                return;
            };
            let crc32c = crc32c::crc32c(&data);
            let length = data.len() as u64;
            let chunk = proto::ImageChunk { offset, data: Bytes::from(data), crc32c };
            yield proto::ImagePart { part: Some(Part::Chunk(chunk)) };
            offset += length;
        }
    }
}
