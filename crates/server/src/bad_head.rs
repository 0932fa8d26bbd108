//! What a client reads when its request's head could not be read: the same four keys of JSON as in
//! every other refusal.
//!
//! hyper answers such requests itself, with a status and no body, and asks nobody. SDKs build their
//! errors from a body. So this layer, right below hyper, gives hyper's own answers one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Refusal;
use crate::reply::Reply;

/// A connection whose refusals of heads have bodies.
pub(crate) struct BadHeadAnswers<S> {
    stream: S,
    /// What is written in place of hyper's answer, and how much of it has been.
    answer: Option<(Vec<u8>, usize)>,
}

impl<S> BadHeadAnswers<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            answer: None,
        }
    }
}

const LENGTH: &str = "content-length: 0\r\n";

/// Finds an answer of hyper's own at the end of what is to be written. Ours have a type, or no
/// content at all, or end with JSON.
fn find(octets: &[u8]) -> Option<(usize, &str)> {
    const START: &[u8] = b"HTTP/1.1 4";
    if !octets.ends_with(b"\r\n\r\n") {
        return None;
    }
    let at = octets
        .windows(START.len())
        .rposition(|window| window == START)?;
    let head = str::from_utf8(&octets[at..]).ok()?;
    let is_bare = head.contains(LENGTH) && !head.contains("content-type: ");
    is_bare.then_some((at, head))
}

/// The same answer with a body.
fn with_body(head: &str) -> Option<Vec<u8>> {
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let text = match status {
        414 => "the request's URI is too long",
        431 => "the request's head is too large: it may have 64 KiB and 100 headers",
        _ => "the request's head is malformed",
    };
    let fault = Fault::because(ErrorCode::InvalidParameter, text);
    let body = Reply::from(Refusal::with_status(fault, status)).body;
    let length = format!(
        "content-length: {}\r\ncontent-type: application/json\r\n",
        body.len()
    );
    let mut answer = head.replacen(LENGTH, &length, 1).into_bytes();
    answer.extend_from_slice(&body);
    Some(answer)
}

impl<S: AsyncRead + Unpin> AsyncRead for BadHeadAnswers<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BadHeadAnswers<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, answer } = &mut *self;
        let mut stream = Pin::new(stream);
        if answer.is_none() {
            match find(octets) {
                None => return stream.poll_write(context, octets),
                // What comes before goes first; hyper brings the rest again.
                Some((at, _)) if at > 0 => return stream.poll_write(context, &octets[..at]),
                Some((_, head)) => *answer = with_body(head).map(|answer| (answer, 0)),
            }
        }
        // hyper brings the same octets until they are said to be written.
        while let Some((answer, written)) = answer
            && *written < answer.len()
        {
            let count = ready!(stream.as_mut().poll_write(context, &answer[*written..]))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            *written += count;
        }
        *answer = None;
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                        content-length: 0\r\ndate: today\r\n\r\n";

    async fn passed_on(text: &str) -> String {
        // So narrow that every answer goes out in pieces.
        let (ours, mut theirs) = duplex(16);
        let mut stream = BadHeadAnswers::new(ours);
        let mut read = String::new();
        let write = async {
            stream.write_all(text.as_bytes()).await.unwrap();
            drop(stream);
        };
        let ((), count) = tokio::join!(write, theirs.read_to_string(&mut read));
        count.unwrap();
        read
    }

    #[tokio::test]
    async fn an_answer_of_hyper_gets_a_body() {
        let answer = passed_on(BARE).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head: Vec<_> = head.lines().collect();
        let length = format!("content-length: {}", body.len());
        let expected = [
            "HTTP/1.1 431 Request Header Fields Too Large",
            "connection: close",
            &length,
            "content-type: application/json",
            "date: today",
        ];
        assert_eq!(head, expected);
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["code"], &body["status"]),
            (&20001.into(), &431.into())
        );
    }

    #[tokio::test]
    async fn what_comes_before_it_is_left_alone() {
        let before = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nHTTP/1.1 400";
        let answer = passed_on(&format!("{before}{BARE}")).await;
        assert_eq!(answer, format!("{before}{}", passed_on(BARE).await));
    }

    #[tokio::test]
    async fn our_own_answers_are_left_alone() {
        for answer in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            // To HEAD.
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 20\r\n\r\n{\"content-length: 0\"}",
        ] {
            assert_eq!(passed_on(answer).await, answer);
        }
    }
}
