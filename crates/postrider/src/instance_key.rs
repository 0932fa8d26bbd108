//! The instance key: the file beside the data under which auth tokens are sealed.
//!
//! Made at the first start and never replaced. Without it the tokens of a data directory cannot be
//! read, so a directory that has accounts and no key is refused rather than given a new one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use rand::TryRngCore;
use rand::rngs::OsRng;

pub(crate) const FILE: &str = "instance.key";

pub(crate) type Key = [u8; 32];

/// The key of a data directory; a new one where there are no accounts yet.
pub(crate) fn of_directory(directory: &Path, has_accounts: bool) -> anyhow::Result<Key> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Ok(octets) => {
            let length = octets.len();
            octets.try_into().ok().with_context(|| {
                format!(
                    "{} holds {length} octets, expected 32: bring the original back",
                    path.display()
                )
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && has_accounts => bail!(
            "{} is missing, and the accounts in {} cannot be used without it: bring it back from the backup",
            path.display(),
            directory.display(),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => create(directory, &path),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}

/// Durable before it is used: tokens sealed under a key that a power cut takes away are lost.
fn create(directory: &Path, path: &Path) -> anyhow::Result<Key> {
    let key = random()?;
    let write = || {
        // Under another name first, so that a crash leaves no half a key.
        let draft = path.with_extension("key.new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&key)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(directory)?.sync_all()
    };
    write().with_context(|| format!("can't create {}", path.display()))?;
    tracing::info!(path = %path.display(), "made the instance key; back it up with the data");
    Ok(key)
}

/// Octets that nobody can guess.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    OsRng
        .try_fill_bytes(&mut octets)
        .context("the system gives no random numbers")?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let key = of_directory(directory.path(), false).unwrap();
        assert_eq!(of_directory(directory.path(), true).unwrap(), key);
        let mode = fs::metadata(directory.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn accounts_without_their_key_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = of_directory(directory.path(), true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("instance.key is missing"), "{error}");
        fs::write(directory.path().join(FILE), [0; 31]).unwrap();
        let error = of_directory(directory.path(), true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("31 octets"), "{error}");
    }
}
