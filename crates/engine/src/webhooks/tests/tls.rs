//! Which certificates webhooks accept, and what they call the others.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

use super::server::{Server, Webhooks};
use crate::webhooks::{AttemptFailure, Client, Config, Outcome};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// A server's side of TLS, with a certificate for `name` that ends in `last_year`.
    fn acceptor(&self, name: &str, last_year: i32) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key.into())
                .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Loopback is open and this authority is trusted.
    fn config(&self) -> Config {
        Config {
            allow_private_networks: true,
            ca_file: Some(self.file.path().to_owned()),
            ..Config::default()
        }
    }
}

async fn call(config: &Config, url: &str) -> Result<u16, AttemptFailure> {
    match Webhooks::start(config).finish(&[url]).await[0] {
        Outcome::Answered { status } => Ok(status),
        Outcome::Failed(failure) => Err(failure),
        outcome => panic!("unexpected {outcome:?}"),
    }
}

#[tokio::test]
async fn a_certificate_must_be_current_trusted_and_for_this_host() {
    use AttemptFailure as Because;
    let authority = Authority::new();
    let trusting = authority.config();
    let doubting = Config {
        ca_file: None,
        ..trusting.clone()
    };
    #[rustfmt::skip]
    let rows = [
        ("localhost",     4000, &trusting, Ok(200)),
        ("127.0.0.1",     4000, &trusting, Err(Because::CertificateWrongName)),
        ("other.example", 4000, &trusting, Err(Because::CertificateWrongName)),
        ("localhost",     2021, &trusting, Err(Because::CertificateExpired)),
        ("localhost",     4000, &doubting, Err(Because::CertificateUntrusted)),
    ];
    for (name, last_year, config, expected) in rows {
        let server = Server::start_tls(authority.acceptor(name, last_year)).await;
        let url = format!("https://localhost:{}/#rc=0", server.address.port());
        assert_eq!(call(config, &url).await, expected, "{name} {last_year}");
        assert_eq!(server.hits(), usize::from(expected.is_ok()));
    }
    let plain = Server::start().await;
    let url = format!("https://localhost:{}/#rc=0", plain.address.port());
    assert_eq!(call(&trusting, &url).await, Err(Because::TlsFailed));
    assert_eq!(plain.hits(), 0);
}

#[test]
fn an_unusable_ca_file_is_refused_by_name() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [
        empty.path().to_owned(),
        empty.path().with_extension("missing"),
    ] {
        let config = Config {
            ca_file: Some(path.clone()),
            ..Config::default()
        };
        let error = Client::new(&config).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
