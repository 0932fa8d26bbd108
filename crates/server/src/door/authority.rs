//! The certificate authority behind the [door](super): made once for a data directory, trusted by
//! whoever is told to, and good for Twilio's names only.
//!
//! Its certificate carries a name constraint, so that even a stolen key can't impersonate any other
//! site to a client that trusts it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// All that the authority vouches for.
const DOMAIN: &str = "twilio.com";

/// A key and the certificate that clients are told to trust.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that can't be made or used.
#[derive(Debug)]
pub struct AuthorityError(String);

impl std::fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuthorityError {}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<tokio_rustls::rustls::Error> for AuthorityError {
    fn from(error: tokio_rustls::rustls::Error) -> Self {
        Self(error.to_string())
    }
}

impl Authority {
    /// Makes a new authority; its key comes from the system's randomness.
    pub fn generate() -> Result<Self, AuthorityError> {
        Self::of_key(KeyPair::generate()?)
    }

    /// The authority with this key (PEM), as [`Authority::key`] gave it.
    pub fn from_key(pem: &str) -> Result<Self, AuthorityError> {
        Self::of_key(KeyPair::from_pem(pem)?)
    }

    /// Name and extensions are fixed, so a key's certificates all vouch for the same leaves.
    fn of_key(key: KeyPair) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(DOMAIN.to_owned())],
            excluded_subtrees: Vec::new(),
        });
        let name = &mut params.distinguished_name;
        name.remove(DnType::CommonName);
        name.push(DnType::CommonName, "Postrider, on this machine only");
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The key, as PEM: a secret.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The certificate, as PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The certificate and those that the system trusts. Without the latter, a program whose trust
    /// this replaces would lose the rest of the world.
    pub(super) fn bundle(&self) -> String {
        let mut bundle = self.certificate.clone();
        for root in rustls_native_certs::load_native_certs().certs {
            bundle.push_str(&pem(&root));
        }
        bundle
    }

    /// What a TLS server needs to be `name`. Clients check the exact name, wildcards cover one label
    /// only, so each name gets a certificate of its own.
    pub(super) fn server_config(&self, name: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
            .distinguished_name
            .push(DnType::CommonName, name.to_owned());
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    use std::fmt::Write as _;

    let base64 = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        let _ = writeln!(text, "{line}");
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_brings_its_authority_back() {
        let first = Authority::generate().unwrap();
        let second = Authority::from_key(&first.key()).unwrap();
        assert_eq!(first.key(), second.key());
        assert!(second.server_config("api.twilio.com").is_ok());
        assert!(second.bundle().starts_with(second.certificate()));
        assert!(Authority::from_key("no key").is_err());
    }
}
