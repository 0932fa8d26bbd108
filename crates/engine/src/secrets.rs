//! Secrets at rest: hashes for what is only compared, sealing for what must be read again.
//!
//! Auth tokens and key secrets are random, so a plain SHA-256 is enough to compare them by. The auth
//! token itself is needed to sign webhooks and is kept sealed (AES-256-GCM) under the instance key,
//! a file beside the data that is backed up with it.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// Lower-case hexadecimal SHA-256 of a secret.
pub fn hash(secret: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(secret.as_bytes());
    digest
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Seals and opens secrets under the instance key.
pub struct Vault {
    cipher: Aes256Gcm,
}

/// A sealed secret that this instance key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret does not open: the instance key is not the one it was sealed with")]
pub struct WrongKey;

impl Vault {
    pub fn new(instance_key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*instance_key)),
        }
    }

    /// Base64 of the 12-octet nonce and the ciphertext. A nonce must never be used twice.
    pub fn seal(&self, secret: &str, nonce: [u8; 12]) -> String {
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), secret.as_bytes())
            .expect("AES-GCM only fails beyond 64 GiB");
        BASE64.encode([nonce.as_slice(), &sealed].concat())
    }

    pub fn open(&self, sealed: &str) -> Result<String, WrongKey> {
        let bytes = BASE64.decode(sealed).map_err(|_| WrongKey)?;
        let (nonce, sealed) = bytes.split_first_chunk::<12>().ok_or(WrongKey)?;
        let secret = self
            .cipher
            .decrypt(&Nonce::from(*nonce), sealed)
            .map_err(|_| WrongKey)?;
        String::from_utf8(secret).map_err(|_| WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_only() {
        let vault = Vault::new(&[1; 32]);
        let sealed = vault.seal("token", [9; 12]);
        assert_eq!(vault.open(&sealed), Ok("token".to_owned()));
        assert_eq!(Vault::new(&[2; 32]).open(&sealed), Err(WrongKey));
        assert_eq!(vault.open("short"), Err(WrongKey));
    }
}
