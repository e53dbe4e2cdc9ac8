//! Any method with any bytes: what no generated client would send.

use std::str::FromStr;

use bytes::{Buf, BufMut, Bytes};
use futures::stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::world::{SOON, World};

/// A method as the protocol's files declare it: a new one is tested without being listed.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) name: String,
    path: PathAndQuery,
}

const FILES: [&str; 3] = [
    include_str!("../../proto/rpc.proto"),
    include_str!("../../proto/lock.proto"),
    include_str!("../../proto/election.proto"),
];

/// Every method of every service.
pub(crate) fn methods() -> Vec<Method> {
    let mut methods = Vec::new();
    for file in FILES {
        let (mut package, mut service) = ("", "");
        for line in file.lines().map(str::trim) {
            let words: Vec<&str> = line.split([' ', '(', ';']).collect();
            match words[0] {
                "package" => package = words[1],
                "service" => service = words[1],
                "rpc" => methods.push(Method {
                    name: words[1].into(),
                    path: PathAndQuery::from_str(&format!("/{package}.{service}/{}", words[1])).unwrap(),
                }),
                _ => {}
            }
        }
    }
    assert!(methods.len() > 40, "the files are not read as they are written");
    methods
}

/// The method of this name.
pub(crate) fn method(name: &str) -> Method {
    methods().into_iter().find(|method| method.name == name).unwrap()
}

pub(crate) async fn channel(address: impl std::fmt::Display) -> Channel {
    Endpoint::new(format!("http://{address}")).unwrap().connect().await.unwrap()
}

pub(crate) async fn channel_to(world: &World) -> Channel {
    channel(world.address()).await
}

/// Sends one message and gives the first answer, or how the call ended. `None`: it ended well without one.
pub(crate) async fn call(
    channel: &Channel,
    method: &Method,
    message: impl Into<Bytes>,
) -> Result<Option<Bytes>, Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    let request = Request::new(stream::iter([message.into()]));
    let exchange = async {
        let mut answers = grpc.streaming(request, method.path.clone(), Raw).await?.into_inner();
        answers.message().await
    };
    let late = || Status::new(Code::DeadlineExceeded, "the test's patience is at its end");
    tokio::time::timeout(SOON, exchange).await.unwrap_or_else(|_| Err(late()))
}

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
