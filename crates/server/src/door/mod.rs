//! The proxy door: how an SDK's calls reach us although they are addressed to Twilio.
//!
//! No SDK reads a base URL from its environment, but each honours `HTTPS_PROXY`. A client that
//! takes us for its proxy asks for a tunnel (`CONNECT api.twilio.com:443`); we say it is there, speak
//! TLS under that name with a certificate of our own [`Authority`], and serve what comes as if it
//! had been sent to that host. Nothing is ever forwarded: any other target is refused.
//!
//! The door is open where the binary opens it: `dev` and `run`, never `serve`.

mod authority;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

pub use self::authority::{Authority, AuthorityError};
use crate::error::Refusal;
use crate::product::Product;
use crate::reply::{Answer, Reply};

/// Octets of the request for a tunnel. Clients send a few headers at most.
const MAX_HEAD_OCTETS: usize = 8 * 1024;
/// For the request for a tunnel, and again for the handshake inside it.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// Names for which a certificate is kept: each product, with a few edges and regions.
const NAMES_MAX: usize = 64;
/// What clients are told. The PHP SDK knows this text, and only without any header.
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Tunnels that end here.
pub struct Door {
    authority: Authority,
    /// The authority's certificate and the system's, for variables that replace the system's.
    bundle: String,
    /// Filled as names are asked for.
    names: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Door {
    pub fn new(authority: Authority) -> Self {
        let bundle = authority.bundle();
        Self {
            authority,
            bundle,
            names: Mutex::default(),
        }
    }

    /// The authority's certificate, as PEM.
    pub fn certificate(&self) -> &str {
        self.authority.certificate()
    }

    /// The authority's certificate and all that the system trusts, as PEM.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// Reads the request for a tunnel and opens it. `None` when there is nothing to serve.
    pub(crate) async fn enter<S>(&self, mut stream: S) -> Option<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let head = tokio::time::timeout(STEP_TIMEOUT, read_head(&mut stream));
        let answer = match head.await.ok()? {
            Ok(head) => self.acceptor(&head),
            Err(refused) => Err(refused),
        };
        let acceptor = match answer {
            Ok(acceptor) => acceptor,
            Err(refused) => {
                tracing::debug!(?refused, "a tunnel was refused");
                let _ = stream.write_all(refused.answer().as_bytes()).await;
                return None;
            }
        };
        stream.write_all(ESTABLISHED).await.ok()?;
        let handshake = tokio::time::timeout(STEP_TIMEOUT, acceptor.accept(stream));
        match handshake.await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no handshake in the tunnel: does the client trust /ca.pem?");
                None
            }
            Err(_) => None,
        }
    }

    fn acceptor(&self, head: &str) -> Result<TlsAcceptor, Refused> {
        let name = tunnel_name(head)?;
        let mut names = self.names.lock();
        if let Some(config) = names.get(&name) {
            return Ok(TlsAcceptor::from(config.clone()));
        }
        let config = self.authority.server_config(&name).map_err(|error| {
            tracing::error!(%error, name, "no certificate can be made");
            Refused::Fault
        })?;
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(name, config.clone());
        Ok(TlsAcceptor::from(config))
    }
}

/// Answers if the path is one of the two certificates. No authentication: they are public.
pub(crate) fn answer(door: Option<&Door>, method: &Method, path: &str) -> Option<Answer> {
    let door = door?;
    let pem = match path {
        "/ca.pem" => door.certificate(),
        "/ca-bundle.pem" => door.bundle(),
        _ => return None,
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Err(Refusal::method_not_allowed("GET")));
    }
    Some(Ok(Reply::text(
        200,
        "application/x-pem-file",
        pem.to_owned(),
    )))
}

/// Why there is no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Malformed,
    Elsewhere,
    Fault,
}

impl Refused {
    fn answer(self) -> String {
        let (status, text) = match self {
            Self::Malformed => ("400 Bad Request", "expected CONNECT HOST:443 HTTP/1.1\n"),
            Self::Elsewhere => (
                "403 Forbidden",
                "this proxy ends at Postrider: only names such as api.twilio.com:443 are served\n",
            ),
            Self::Fault => ("500 Internal Server Error", "no certificate can be made\n"),
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        )
    }
}

/// Reads to the empty line. Clients wait for the answer, so nothing may follow it.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, Refused> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD_OCTETS {
            return Err(Refused::Malformed);
        }
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return Err(Refused::Malformed),
            Ok(_) => {}
        }
    }
    String::from_utf8(head).map_err(|_| Refused::Malformed)
}

/// The host for which a tunnel is asked, if it is one of Twilio's that we stand in for.
fn tunnel_name(head: &str) -> Result<String, Refused> {
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (Some("CONNECT"), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refused::Malformed);
    };
    let (host, port) = target.rsplit_once(':').ok_or(Refused::Malformed)?;
    let host = host.to_ascii_lowercase();
    // product[.edge][.region].twilio.com
    let labels: Vec<&str> = host.split('.').collect();
    let is_twilio = matches!(&labels[..], [_, between @ .., "twilio", "com"] if between.len() <= 2);
    let is_name = labels.iter().all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if port == "443" && is_twilio && is_name && Product::by_host(&host).is_some() {
        Ok(host)
    } else {
        Err(Refused::Elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_leads_to_twilios_names_only() {
        use Refused::{Elsewhere, Malformed};
        for (line, name) in [
            ("CONNECT api.twilio.com:443 HTTP/1.1", Ok("api.twilio.com")),
            (
                "CONNECT Messaging.Twilio.com:443 HTTP/1.0",
                Ok("messaging.twilio.com"),
            ),
            (
                "CONNECT api.dublin.ie1.twilio.com:443 HTTP/1.1",
                Ok("api.dublin.ie1.twilio.com"),
            ),
            ("CONNECT api.a.b.c.twilio.com:443 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT verify.twilio.com:443 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT twilio.com:443 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT api.twilio.com:80 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT api..twilio.com:443 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT api.eviltwilio.com:443 HTTP/1.1", Err(Elsewhere)),
            (
                "CONNECT api.twilio.com.example.com:443 HTTP/1.1",
                Err(Elsewhere),
            ),
            ("CONNECT 127.0.0.1:443 HTTP/1.1", Err(Elsewhere)),
            ("CONNECT api.twilio.com HTTP/1.1", Err(Malformed)),
            ("CONNECT api.twilio.com:443", Err(Malformed)),
            ("CONNECT  api.twilio.com:443 HTTP/1.1", Err(Malformed)),
            ("COPY / HTTP/1.1", Err(Malformed)),
            ("", Err(Malformed)),
        ] {
            let head = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(tunnel_name(&head), name.map(str::to_owned), "{line:?}");
        }
    }
}
