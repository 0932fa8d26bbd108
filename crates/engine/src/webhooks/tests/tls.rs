//! Which certificates webhooks accept, and what they call the others.

use super::server::{Server, Webhooks};
use crate::testing::authority::Authority;
use crate::webhooks::{AttemptFailure, Client, Config, Outcome};

/// Loopback is open and this authority is trusted.
fn config(authority: &Authority) -> Config {
    Config {
        allow_private_networks: true,
        ca_file: Some(authority.file().to_owned()),
        ..Config::default()
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
    let trusting = config(&authority);
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
