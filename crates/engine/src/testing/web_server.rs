//! A customer's web server on a port of its own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    pages: Arc<Mutex<HashMap<String, Page>>>,
}

/// What is said at a path.
#[derive(Clone)]
struct Page {
    headers: HeaderMap,
    body: Bytes,
}

impl Server {
    /// Answers by path: `/status/404`, `/redirect/307?to`, `/hang`, `/large`, what it was told to say;
    /// else 200 with nothing.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        Self::listen(address, None).await
    }

    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen("127.0.0.1:0", Some(acceptor)).await
    }

    async fn listen(address: &str, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            pages: Arc::default(),
        };
        tokio::spawn(server.clone().accept(listener, acceptor));
        server
    }

    async fn accept(self, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            self.connections.fetch_add(1, Ordering::Relaxed);
            let (server, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => server.serve(stream).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            server.serve(stream).await;
                        }
                    }
                }
            });
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let service = service_fn(move |request| self.clone().answer(request));
        // The client may go at any time.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(
        self,
        request: http::Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.to_string();
        let seen = Seen {
            method: head.method,
            path: path.clone(),
            headers: head.headers,
            body,
        };
        self.seen.lock().push(seen);
        let mut response = Response::new(Full::new(Bytes::new()));
        if let Some(status) = path.strip_prefix("/status/") {
            let status = status.split('?').next().unwrap_or_default();
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
        } else if let Some(redirect) = path.strip_prefix("/redirect/") {
            let (status, to) = redirect.split_once('?').unwrap();
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
            response
                .headers_mut()
                .insert(header::LOCATION, to.parse().unwrap());
        } else if path.starts_with("/hang") {
            std::future::pending::<()>().await;
        } else if path.starts_with("/large") {
            *response.body_mut() = Full::new(Bytes::from(vec![b'x'; 10_000_000]));
        } else if let Some(page) = self.pages.lock().get(head.uri.path()) {
            *response.headers_mut() = page.headers.clone();
            *response.body_mut() = Full::new(page.body.clone());
        }
        Ok(response)
    }

    /// Says this at a path from now on, with these headers.
    pub(crate) fn say(&self, path: &str, headers: &[(HeaderName, &str)], body: &str) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let page = Page {
            headers: headers.collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        self.pages.lock().insert(path.to_owned(), page);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn hits(&self) -> usize {
        self.seen.lock().len()
    }
}
