//! TLS: whom to trust, and what a failed handshake was about.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ClientError;
use crate::webhooks::failure::AttemptFailure;

pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Trusts the system's roots (Mozilla's, if the system has none) and those in `ca_file`.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(path) = ca_file {
            let unusable = |reason: String| ClientError::CaFile {
                path: path.to_owned(),
                reason,
            };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
            let before = roots.len();
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unusable(error.to_string()))?;
            }
            if roots.len() == before {
                return Err(unusable("it holds no certificate".to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, AttemptFailure> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| AttemptFailure::TlsFailed)?;
        self.0
            .connect(name, stream)
            .await
            .map_err(|error| failure(&error))
    }
}

fn failure(error: &io::Error) -> AttemptFailure {
    let error = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = error else {
        return AttemptFailure::TlsFailed;
    };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            AttemptFailure::CertificateWrongName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => AttemptFailure::CertificateExpired,
        CertificateError::UnknownIssuer => AttemptFailure::CertificateUntrusted,
        _ => AttemptFailure::TlsFailed,
    }
}
