//! Calls by the bytes of their messages.

use bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
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
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

/// Calls with one message: those that came back, and how it ended.
///
/// * `call` – such as `dosegrid.v1.DoseService/Compute`
pub(crate) async fn call(
    channel: &Channel,
    call: &str,
    message: Vec<u8>,
    metadata: &[(&'static str, String)],
) -> (Vec<Vec<u8>>, Result<(), Status>) {
    let path = http::uri::PathAndQuery::from_maybe_shared(format!("/{call}")).expect("a path");
    let mut request = tonic::Request::new(tokio_stream::once(message));
    for (key, value) in metadata {
        request.metadata_mut().insert(*key, value.parse().expect("printable"));
    }
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(usize::MAX);
    grpc.ready().await.expect("connected");
    let mut came = Vec::new();
    let mut answers = match grpc.streaming(request, path, Raw).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (came, Err(status)),
    };
    loop {
        match answers.message().await {
            Ok(Some(message)) => came.push(message),
            Ok(None) => return (came, Ok(())),
            Err(status) => return (came, Err(status)),
        }
    }
}
