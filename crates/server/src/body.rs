//! Bodies of answers: nearly all are whole, and a long list comes as it is read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// What an answer's connection sends.
#[derive(Debug)]
pub struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Full<Bytes>),
    Stream(Stream),
}

/// Pieces as they come. One that is an error breaks the connection off, so that nobody takes half a
/// list for a whole one.
pub(crate) type Stream = mpsc::Receiver<Result<Bytes, BrokenOff>>;

/// The rest of a body can't be read.
#[derive(Clone, Copy, Debug)]
pub struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the rest of the answer can't be read")
    }
}

impl std::error::Error for BrokenOff {}

impl ReplyBody {
    pub(crate) fn whole(octets: Bytes) -> Self {
        Self(Kind::Whole(Full::new(octets)))
    }

    pub(crate) fn stream(stream: Stream) -> Self {
        Self(Kind::Stream(stream))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(whole) => Pin::new(whole)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Kind::Stream(stream) => stream
                .poll_recv(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.is_end_stream(),
            Kind::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => whole.size_hint(),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}
