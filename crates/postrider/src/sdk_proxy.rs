//! The files and variables by which an unmodified program reaches us through its SDK's proxy support.
//!
//! The authority's key stays in the data directory, for its owner only; beside it lie the
//! certificates that a program must be told to trust. See `postrider_server::Door`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use postrider_server::{Authority, Door};

const KEY: &str = "proxy-ca.key";

/// Where a program finds whom to trust.
pub(crate) struct Trust {
    /// Our authority alone, for variables that add to the system's.
    ca: PathBuf,
    /// Our authority and the system's, for variables that replace the system's.
    pub(crate) bundle: PathBuf,
}

/// The door of a data directory, with the same authority each time.
pub(crate) fn of_directory(directory: &Path) -> anyhow::Result<(Door, Trust)> {
    let directory = std::path::absolute(directory).context("the data directory has no path")?;
    fs::create_dir_all(&directory)
        .with_context(|| format!("can't create {}", directory.display()))?;
    let door = Door::new(authority(&directory.join(KEY))?);
    let trust = Trust {
        ca: directory.join("ca.pem"),
        bundle: directory.join("ca-bundle.pem"),
    };
    for (path, pem) in [
        (&trust.ca, door.certificate()),
        (&trust.bundle, door.bundle()),
    ] {
        fs::write(path, pem).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok((door, trust))
}

fn authority(path: &Path) -> anyhow::Result<Authority> {
    match fs::read_to_string(path) {
        Ok(pem) => Authority::from_key(&pem).with_context(|| {
            format!(
                "{} is no private key: remove it to get a new one",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let authority = Authority::generate()?;
            let mut options = fs::OpenOptions::new();
            options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .and_then(|mut file| file.write_all(authority.key().as_bytes()))
                .with_context(|| format!("can't create {}", path.display()))?;
            Ok(authority)
        }
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}

impl Trust {
    /// Variables that lead the SDKs of all languages to `url`, and nothing on this machine astray.
    /// Node's reads `HTTP_PROXY` only; libcurl, under PHP's, the small letters only.
    pub(crate) fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        let local = "localhost,127.0.0.1,::1";
        let (ca, bundle) = (
            self.ca.display().to_string(),
            self.bundle.display().to_string(),
        );
        vec![
            ("HTTPS_PROXY", url.to_owned()),
            ("https_proxy", url.to_owned()),
            ("HTTP_PROXY", url.to_owned()),
            ("NO_PROXY", local.to_owned()),
            ("no_proxy", local.to_owned()),
            ("REQUESTS_CA_BUNDLE", bundle.clone()),
            ("SSL_CERT_FILE", bundle.clone()),
            ("CURL_CA_BUNDLE", bundle),
            ("NODE_EXTRA_CA_CERTS", ca),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_authority_is_made_once_and_its_key_is_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let _ = of_directory(directory.path()).unwrap();
        let path = directory.path().join(KEY);
        let key = fs::read(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let _ = of_directory(directory.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), key);
        fs::write(&path, "no key").unwrap();
        let error = of_directory(directory.path()).err().unwrap().to_string();
        assert!(error.contains("proxy-ca.key is no private key"), "{error}");
    }
}
