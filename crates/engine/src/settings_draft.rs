//! Settings as one request has changed them, before anybody else sees them.
//!
//! Such a request's answer is committed together with its changes, and what it answers is known only
//! after they were made. So it works on a copy of the directory, and what it would write is gathered
//! here.

use std::sync::OnceLock;

use parking_lot::Mutex;
use postrider_store::DocumentChange;

use crate::directory::Directory;
use crate::secrets::WrongKey;
use crate::settings_lock::SettingsLock;

#[derive(Default)]
pub(crate) struct SettingsDraft {
    /// A copy of the settings under the lock, so it is made when the request first wants to change some.
    directory: OnceLock<Directory>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nobody else changes settings until these are committed.
    lock: Option<SettingsLock>,
    changes: Vec<DocumentChange>,
}

impl SettingsDraft {
    pub(crate) fn directory(&self) -> Option<&Directory> {
        self.directory.get()
    }

    pub(crate) fn is_begun(&self) -> bool {
        self.directory.get().is_some()
    }

    /// Begins with the settings as they are under this lock.
    pub(crate) fn begin(&self, lock: SettingsLock, current: &Directory) {
        self.state.lock().lock = Some(lock);
        self.directory.get_or_init(|| current.copy());
    }

    /// Makes changes that only this draft's owner sees.
    pub(crate) fn write(&self, changes: Vec<DocumentChange>) -> Result<(), WrongKey> {
        if let Some(directory) = self.directory.get() {
            directory.apply(changes.clone())?;
        }
        self.state.lock().changes.extend(changes);
        Ok(())
    }

    /// All that is to be committed, and the lock to do it under, if it was needed.
    pub(crate) fn take(&self) -> (Option<SettingsLock>, Vec<DocumentChange>) {
        let State { lock, changes } = std::mem::take(&mut *self.state.lock());
        (lock, changes)
    }
}
