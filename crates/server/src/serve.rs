//! Connections: accept, serve HTTP/1.1 on each, and stop without breaking an answer off.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::{App, Peer, Scheme};
use crate::bad_head::BadHeadAnswers;
use crate::write_timeout::WriteTimeout;

/// What one listener takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel's backlog.
    pub connections: usize,
    /// For a request's head to arrive, and for a connection to stay idle between two requests.
    pub header_timeout: Duration,
    /// For a client to read at least something of what is written to it.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// Octets of a request's head. Twilio's longest paths with every filter stay under two thousand.
const MAX_HEAD_OCTETS: usize = 64 * 1024;

/// For a client to read our last answer before the connection is closed. Octets that it sent and
/// nobody read would make the system reset the connection, and the answer be lost.
const LINGER: Duration = Duration::from_secs(2);

/// After an accept that failed for want of file descriptors, until some are free again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is complete, then finishes what is in flight and returns. The caller limits
/// how long it waits for that.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let (stopping, is_stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            // Collects what ended, so that the set holds open connections only.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, address, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection =
            serve_connection(stream, address, app.clone(), limits, is_stopping.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    while connections.join_next().await.is_some() {}
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, place)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            None
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    app: Arc<App>,
    limits: Limits,
    is_stopping: watch::Receiver<bool>,
) {
    // Answers are small and complete: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let ip = address.ip();
    if let Some(door) = &app.door
        && asks_for_tunnel(&stream, limits, is_stopping.clone()).await
    {
        let stream = WriteTimeout::new(stream, limits.write_timeout);
        if let Some(stream) = door.enter(stream).await {
            serve_requests(stream, Scheme::Https, ip, &app, limits, is_stopping).await;
        }
    } else {
        let stream = WriteTimeout::new(stream, limits.write_timeout);
        serve_requests(stream, Scheme::Http, ip, &app, limits, is_stopping).await;
    }
}

/// `CONNECT` is the only method we know that begins with a C.
async fn asks_for_tunnel(
    stream: &TcpStream,
    limits: Limits,
    mut is_stopping: watch::Receiver<bool>,
) -> bool {
    let mut first = [0];
    tokio::select! {
        peeked = stream.peek(&mut first) => matches!(peeked, Ok(1)) && first == *b"C",
        () = tokio::time::sleep(limits.header_timeout) => false,
        _ = is_stopping.wait_for(|&is_stopping| is_stopping) => false,
    }
}

async fn serve_requests<S>(
    stream: S,
    scheme: Scheme,
    address: IpAddr,
    app: &App,
    limits: Limits,
    mut is_stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let peer = Peer {
        address: Some(address),
        scheme,
    };
    let service =
        service_fn(
            move |request| async move { Ok::<_, Infallible>(app.handle(request, peer).await) },
        );
    let mut stream = TokioIo::new(BadHeadAnswers::new(stream));
    // No `pipeline_flush`: it writes nothing while unread octets are in the buffer, so that whoever
    // sends a head or a chunk that makes no sense would never read why.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_HEAD_OCTETS)
        .max_header_size(MAX_HEAD_OCTETS)
        .writev(false)
        .serve_connection(&mut stream, service);
    let stop = async {
        // The sender lives as long as the listener's loop; if it is gone, stop too.
        let _ = is_stopping.wait_for(|&is_stopping| is_stopping).await;
    };
    let mut stop = pin!(stop);
    let result = {
        let mut connection = pin!(connection);
        tokio::select! {
            result = connection.as_mut() => result,
            () = &mut stop => {
                connection.as_mut().graceful_shutdown();
                return note(connection.await, address);
            }
        }
    };
    let may_read = result
        .as_ref()
        .map_or_else(hyper::Error::is_parse, |()| true);
    note(result, address);
    if may_read {
        tokio::select! {
            () = read_out(stream.inner_mut()) => {}
            () = tokio::time::sleep(LINGER) => {}
            () = stop => {}
        }
    }
}

fn note(result: hyper::Result<()>, address: IpAddr) {
    if let Err(error) = result {
        tracing::debug!(%error, %address, "connection broke off");
    }
}

/// Reads until the client has closed its side too.
async fn read_out(stream: &mut (impl AsyncRead + Unpin)) {
    let mut octets = [0; 4096];
    while matches!(stream.read(&mut octets).await, Ok(1..)) {}
}
