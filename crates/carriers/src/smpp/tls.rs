//! TLS towards an SMSC: whom to trust, and who we are.
//!
//! Carriers often run their own authority or a self-signed certificate, so trust can be an own CA
//! file or one pinned certificate. Checking nothing is possible and loud.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::config::{ConfigError, TlsConfig, octets_of_hex};

/// What a connection needs to become a TLS connection.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) client: Arc<ClientConfig>,
    /// Replaces the host as the name to ask for.
    pub(super) server_name: Option<Box<str>>,
}

impl Tls {
    pub(super) fn new(config: &TlsConfig, carrier: &str) -> Result<Self, ConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = verifier(config, carrier, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let client = match (&config.certificate_file, &config.key_file) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("tls.certificate_file", certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| ConfigError::Tls(format!("key_file: {error}")))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| tls_error(&error))?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => {
                let text = "certificate_file and key_file are needed together";
                return Err(ConfigError::Tls(text.to_owned()));
            }
        };
        let server_name = config.server_name.as_deref().map(Box::from);
        Ok(Self {
            client: Arc::new(client),
            server_name,
        })
    }
}

fn verifier(
    config: &TlsConfig,
    carrier: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    if let Some(hex) = &config.pinned_sha256 {
        let digits: String = hex.chars().filter(|c| *c != ':').collect();
        let pin = octets_of_hex(&digits)
            .and_then(|octets| octets.try_into().ok())
            .ok_or_else(|| ConfigError::Malformed {
                key: "tls.pinned_sha256",
                given: hex.clone(),
                expected: "64 hexadecimal digits",
            })?;
        return Ok(Arc::new(OneCertificate {
            pin: Some(pin),
            provider: provider.clone(),
        }));
    }
    if !config.verify {
        warn!(
            carrier,
            "TLS VERIFICATION IS OFF: anyone on the way can read and change messages; \
             set tls.pinned_sha256 or tls.ca_file instead of tls.verify = false"
        );
        return Ok(Arc::new(OneCertificate {
            pin: None,
            provider: provider.clone(),
        }));
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(config)?), provider.clone())
            .build()
            .map_err(|error| ConfigError::Tls(error.to_string()))?;
    Ok(verifier)
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(path) => {
            for certificate in certificates("tls.ca_file", path)? {
                roots.add(certificate).map_err(|error| tls_error(&error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let text = "no authority to trust: set tls.ca_file or install the system's certificates";
        return Err(ConfigError::Tls(text.to_owned()));
    }
    Ok(roots)
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| ConfigError::Tls(format!("{key} {}: {error}", path.display())))
}

fn tls_error(error: &Error) -> ConfigError {
    ConfigError::Tls(error.to_string())
}

/// Takes one certificate whoever signed it, or, without a pin, any. That the peer holds its key is
/// checked in both cases.
#[derive(Debug)]
struct OneCertificate {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, thiserror::Error)]
#[error("the certificate's SHA-256 is {found:02x?}, not the pinned one")]
struct NotThePinned {
    found: Box<[u8]>,
}

impl ServerCertVerifier for OneCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let digest = Sha256::digest(end_entity);
        match &self.pin {
            Some(pin) if digest.as_slice() != pin => {
                let found = digest.as_slice().into();
                Err(Error::Other(OtherError(Arc::new(NotThePinned { found }))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
