//! What only files can do: be open already, be newer, be damaged, fill the disk, fail to be written,
//! and be deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postrider_core::clock::ManualClock;
use postrider_core::message::{AccountNo, Message, SenderNo, Status, StatusSet};
use postrider_core::opt_out::{ChannelGroup, ListKey, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::privacy::Concealment;
use postrider_core::sid::Id;
use rusqlite::Connection;

use super::{Directory, tiny};
use crate::conformance::sample::{created_ms, id, message, message_with, number, update};
use crate::contract::{
    Applied, Change, Cursor, MessageFilter, RawReason, RawReceipt, Store, StoreError, Update,
};
use crate::opt_outs::{OptOutCause, OptOutEvent, OptOutSource};
use crate::sqlite::{DiskSpace, OpenError, Options, SqliteStore, raw_receipts};

fn insert(store: &SqliteStore, numbers: impl IntoIterator<Item = u32>, status: Status) {
    for number in numbers {
        let message = message_with(number, |message| message.status = status);
        store.commit(&[Change::Insert(Box::new(message))]).unwrap();
    }
}

/// The shard files, oldest first.
fn shards(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir.join("messages"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "db"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn a_directory_is_open_once() {
    let directory = Directory::new();
    let store = directory.sqlite();
    assert!(matches!(
        directory.try_sqlite(),
        Err(OpenError::InUse { .. })
    ));
    drop(store);
    directory.sqlite();
}

#[test]
fn a_newer_layout_is_refused_with_a_reason() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..20, Status::Sent);
    drop(store);
    let age = |path: &Path, version: u32| {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "user_version", version).unwrap();
    };
    // An old shard is found out when it is first asked.
    let oldest = &shards(directory.path())[0];
    age(oldest, 99);
    let store = directory.sqlite();
    let error = store.message(id(0)).unwrap_err().to_string();
    assert!(
        error.contains("newer version") && error.contains("000001-"),
        "{error}"
    );
    assert!(store.message(id(19)).unwrap().is_some());
    drop(store);
    // The newest, and the settings, at once.
    age(oldest, 1);
    age(&directory.path().join("control.db"), 99);
    let error = directory.try_sqlite().err().unwrap().to_string();
    assert!(
        error.contains("control.db") && error.contains("newer version"),
        "{error}"
    );
}

#[test]
fn a_damaged_row_is_an_error_not_a_panic() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..3, Status::Sent);
    let conn = Connection::open(&shards(directory.path())[0]).unwrap();
    for damage in [
        "status = 99",
        "status = -1",
        "error = 1",
        "direction = 9",
        "encoding = 2",
        "kind = 2",
        "service = x'00'",
        "options = '{'",
        "account_no = -5",
        "num_segments = 70000",
        "callbacks_due = 1000000",
        "to_addr = CAST(x'ff' AS TEXT)",
    ] {
        conn.execute_batch(&format!("SAVEPOINT s; UPDATE messages SET {damage}"))
            .unwrap();
        conn.execute_batch("RELEASE s").unwrap();
        let answer = store.message(id(1));
        assert!(
            matches!(answer, Err(StoreError::Corrupt(_))),
            "{damage}: {answer:?}"
        );
        conn.execute_batch(
            "UPDATE messages SET status = 4, error = NULL, direction = 0, encoding = 0, kind = 0, \
             service = NULL, options = NULL, account_no = 1, num_segments = 1, callbacks_due = 0, \
             to_addr = '+447700900123'",
        )
        .unwrap();
        assert!(store.message(id(1)).unwrap().is_some());
    }
}

#[test]
fn what_waits_does_not_wait_for_a_damaged_row() {
    let directory = Directory::new();
    let store = directory.sqlite();
    for number in 0..6 {
        let message = message_with(number, |message| {
            message.status = Status::Queued;
            message.sender = Some(SenderNo(1));
            message.is_backlog = true;
            message.deadline_ms = 5;
            message.callbacks_due = StatusSet::of(Status::Queued);
        });
        store.commit(&[Change::Insert(Box::new(message))]).unwrap();
    }
    let conn = Connection::open(&shards(directory.path())[0]).unwrap();
    let damage = "UPDATE messages SET encoding = 2 WHERE key IN (?, ?)";
    conn.execute(damage, (id(1).key(), id(2).key())).unwrap();
    // A page is full although rows of it are missing: the last page is the one that is not.
    let ids = |page: Result<Vec<Message>, StoreError>| -> Vec<Id> {
        page.unwrap().iter().map(|message| message.sid.id).collect()
    };
    let expected = [id(0), id(3), id(4)];
    assert_eq!(ids(store.queued(SenderNo(1), None, 3)), expected);
    assert_eq!(ids(store.expiring(6, None, 3)), expected);
    assert_eq!(ids(store.callbacks_due(None, 3)), expected);
    assert_eq!(store.unreadable_keys(), [id(1).key(), id(2).key()]);
    assert!(store.message(id(1)).is_err());
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..20, Status::Sent);
    drop(store);
    fs::write(
        &shards(directory.path())[0],
        "not a database, but as long as one".repeat(500),
    )
    .unwrap();
    let store = directory.sqlite();
    assert!(matches!(store.message(id(0)), Err(StoreError::Corrupt(_))));
    assert!(store.message(id(19)).unwrap().is_some());
}

#[test]
fn after_a_failed_commit_everything_is_refused() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..2, Status::Queued);
    let conn = Connection::open(&shards(directory.path())[0]).unwrap();
    conn.execute_batch("ALTER TABLE totals RENAME TO elsewhere")
        .unwrap();
    let insert = Change::Insert(Box::new(message(2)));
    assert!(matches!(
        store.commit(&[insert]),
        Err(StoreError::Failed(_))
    ));
    conn.execute_batch("ALTER TABLE elsewhere RENAME TO totals")
        .unwrap();
    let update = Change::Update(update(0, Status::Sent));
    assert!(matches!(
        store.commit(&[update]),
        Err(StoreError::Failed(_))
    ));
    assert!(matches!(store.message(id(0)), Err(StoreError::Failed(_))));
    assert!(matches!(store.check(), Err(StoreError::Failed(_))));
    assert!(matches!(store.room(), Err(StoreError::Failed(_))));
    assert!(matches!(store.documents(), Err(StoreError::Failed(_))));
    assert!(matches!(
        store.commit_documents(&[], None),
        Err(StoreError::Failed(_))
    ));
    drop((store, conn));
    let store = directory.sqlite();
    assert_eq!(store.last_id().unwrap(), Some(id(1)));
    assert_eq!(store.message(id(2)).unwrap(), None);
}

/// A disk with as much room as the test says.
struct FakeDisk(AtomicU64);

impl DiskSpace for FakeDisk {
    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        match self.0.load(Ordering::SeqCst) {
            u64::MAX => Err(io::Error::other("gone")),
            free => Ok(free),
        }
    }
}

#[test]
fn a_full_disk_refuses_new_messages_and_takes_receipts() {
    let directory = Directory::new();
    let disk = Arc::new(FakeDisk(AtomicU64::new(11 << 20)));
    let clock = Arc::new(ManualClock::at(5_000));
    let options = Options {
        reserve_bytes: 10 << 20,
        disk_space: Arc::clone(&disk) as Arc<dyn DiskSpace>,
        ..tiny()
    };
    let store = SqliteStore::open(directory.path(), Arc::clone(&clock) as _, options).unwrap();
    store.room().unwrap();
    // The log will take its 64 KiB, whatever is written.
    for (spare, is_full) in [(64 << 10, true), ((64 << 10) + 1, false)] {
        disk.0.store((10 << 20) + spare, Ordering::SeqCst);
        clock.advance(100);
        assert_eq!(store.room().is_err(), is_full, "{spare}");
    }
    insert(&store, 0..3, Status::Queued);

    disk.0.store(10 << 20, Ordering::SeqCst);
    clock.advance(99);
    store.room().unwrap();
    clock.advance(1);
    assert!(matches!(
        store.room(),
        Err(StoreError::Full { reserve_mib: 10 })
    ));
    // The reserve is for these.
    let answers = store
        .commit(&[Change::Update(update(1, Status::Sent))])
        .unwrap();
    assert_eq!(answers, [Applied::Yes]);

    disk.0.store(11 << 20, Ordering::SeqCst);
    // A clock that was set back does not keep it full.
    clock.set(0);
    store.room().unwrap();
    disk.0.store(u64::MAX, Ordering::SeqCst);
    clock.advance(100);
    assert!(matches!(store.room(), Err(StoreError::Failed(_))));
}

/// A disk that the store has to itself.
struct SmallDisk(u64);

impl SmallDisk {
    fn used_bytes(dir: &Path) -> io::Result<u64> {
        let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
        let sizes = entries.iter().map(|entry| match entry.metadata()? {
            metadata if metadata.is_dir() => Self::used_bytes(&entry.path()),
            metadata => Ok(metadata.len()),
        });
        sizes.sum()
    }
}

impl DiskSpace for SmallDisk {
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        Ok(self.0.saturating_sub(Self::used_bytes(dir)?))
    }
}

/// A log whose limit is larger than the reserve would eat it up.
#[test]
fn a_small_disk_that_is_full_of_messages_has_room_for_all_their_receipts() {
    const DISK: u64 = 20 << 20;
    const BATCH: u32 = 250;
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::at(0));
    let options = Options {
        reserve_bytes: 6 << 20,
        disk_space: Arc::new(SmallDisk(DISK)),
        // The test copies the logs itself, when each batch is written.
        checkpoint_every: Duration::from_hours(1),
        ..Options::default()
    };
    let store = SqliteStore::open(directory.path(), Arc::clone(&clock) as _, options).unwrap();
    let body: Arc<str> = "x".repeat(1_000).into();
    let commit = |changes: Vec<Change>| {
        let (first, second) = changes.split_at(changes.len() / 2);
        store.commit(first).unwrap();
        // As under load: somebody reads while a log is copied, so it is never copied to its end.
        let reader = Connection::open(&shards(directory.path())[0]).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM totals").unwrap();
        store.commit(second).unwrap();
        store.copy_logs();
        drop(reader);
        clock.advance(1_000);
    };
    let mut stored = 0;
    while store.room().is_ok() {
        let batch = stored..stored + BATCH;
        let messages = batch.map(|n| message_with(n, |message| message.body = body.clone()));
        commit(messages.map(|m| Change::Insert(Box::new(m))).collect());
        stored += BATCH;
    }
    assert!(stored > 10 * BATCH, "{stored} messages fill the disk");
    for status in [Status::Sent, Status::Delivered] {
        for first in (0..stored).step_by(BATCH as usize) {
            let batch = first..first + BATCH;
            commit(batch.map(|n| Change::Update(update(n, status))).collect());
            let used = SmallDisk::used_bytes(directory.path()).unwrap();
            assert!(used < DISK, "{used} octets when {first} are {status:?}");
        }
    }
}

#[test]
fn the_system_knows_its_free_space() {
    let directory = Directory::new();
    let free = crate::sqlite::SystemDiskSpace
        .free_bytes(directory.path())
        .unwrap();
    assert!(free > 0);
    directory.sqlite().room().unwrap();
}

#[test]
fn forgetting_deletes_files_and_what_a_crash_left_of_them() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..30, Status::Delivered);
    let before = shards(directory.path());
    assert_eq!(before.len(), 5);
    // One too late for the first shard, then just in time.
    assert_eq!(store.forget_before(created_ms(6_u32)).unwrap(), 0);
    assert_eq!(store.forget_before(created_ms(6_u32) + 1).unwrap(), 7);
    assert_eq!(store.forget_before(i64::MAX).unwrap(), 21);
    assert_eq!(shards(directory.path()), before[4..]);
    drop(store);

    let orphan = before[0].with_extension("db-wal");
    fs::write(&orphan, "left over").unwrap();
    let store = directory.sqlite();
    assert!(!orphan.exists());
    let page = store
        .list(&MessageFilter::default(), Cursor::Start, 99)
        .unwrap();
    assert_eq!(page.len(), 2);
    insert(&store, 30..40, Status::Delivered);
    assert!(shards(directory.path()).last().unwrap() > before.last().unwrap());
}

#[test]
fn a_file_that_is_emptied_goes_before_its_time() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..30, Status::Delivered);
    let before = shards(directory.path());
    // All of the second file, all but one of the third, and all of the newest.
    let delete = |number| {
        let deleted = store.commit(&[Change::Delete { id: id(number) }]);
        assert_eq!(deleted.unwrap(), [Applied::Yes]);
    };
    (7..20).chain(28..30).for_each(delete);
    assert_eq!(
        store.forget_emptied(created_ms(13_u32)).unwrap(),
        0,
        "too new"
    );
    assert_eq!(store.forget_emptied(i64::MAX).unwrap(), 1);
    let left = shards(directory.path());
    assert_eq!(left.len(), 4);
    assert!(!left.contains(&before[1]));
    delete(20);
    assert_eq!(store.forget_emptied(i64::MAX).unwrap(), 1);
    assert_eq!(store.forget_emptied(i64::MAX).unwrap(), 0);
    let page = store.list(&MessageFilter::default(), Cursor::Start, 99);
    let page: Vec<u32> = page.unwrap().iter().map(number).collect();
    assert_eq!(page, (21..28).rev().chain((0..7).rev()).collect::<Vec<_>>());
    assert_eq!(store.message(id(8)).unwrap(), None);
}

/// Whether any file below the directory has this text.
fn is_in_files(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in_files(&path, text);
        }
        let octets = fs::read(&path).unwrap();
        octets
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

#[test]
fn what_is_forgotten_is_overwritten() {
    let directory = Directory::new();
    let store = directory.sqlite();
    // Short, and too long for a page.
    let texts = [1, 900].map(|times| "the very secret text ".repeat(times));
    let mut changes = Vec::new();
    for (number, text) in (0..5).flat_map(|at| [(2 * at, &texts[0]), (2 * at + 1, &texts[1])]) {
        let mut message = message_with(number, |message| {
            message.body = text.as_str().into();
            message.to = "+447700901234".into();
            message.status = Status::Sent;
        });
        // Releasing replaces the record.
        if (6..8).contains(&number) {
            message.status = Status::Scheduled;
            message.options.discard_content = true;
            message.options.obfuscate_address = true;
        }
        changes.push(Change::Insert(Box::new(message)));
    }
    store.commit(&changes).unwrap();
    store.copy_logs();
    assert!(is_in_files(directory.path(), "very secret"));
    assert!(is_in_files(directory.path(), "+447700901234"));
    let concealment = Concealment {
        body: true,
        to: Some("+44770090XXXX".into()),
    };
    let all = (0..10).map(|number| match number {
        0 | 1 => Change::Delete { id: id(number) },
        2..6 => Change::Update(Update {
            concealment: concealment.clone(),
            ..update(number, Status::Delivered)
        }),
        6 | 7 => Change::Cancel {
            id: id(number),
            at_ms: 1,
            callbacks_due: StatusSet::EMPTY,
            concealment: concealment.clone(),
        },
        _ => Change::Redact {
            id: id(number),
            at_ms: 1,
        },
    });
    let applied = store.commit(&all.collect::<Vec<_>>()).unwrap();
    assert_eq!(applied, [Applied::Yes; 10]);
    let redacted = [8, 9].map(|number| Change::Delete { id: id(number) });
    store.commit(&redacted).unwrap();
    drop(store);
    assert!(!is_in_files(directory.path(), "very secret"));
    assert!(!is_in_files(directory.path(), "+447700901234"));
}

#[test]
fn a_file_is_not_kept_for_work_that_nobody_can_read() {
    // Columns: of the waiting messages 1 and 2, those that can't be read; what is forgotten.
    for (damaged, forgotten) in [(&[][..], 0), (&[1], 0), (&[1, 2], 7)] {
        let directory = Directory::new();
        let store = directory.sqlite();
        for number in 0..9 {
            let is_waiting = [1, 2].contains(&number);
            let message = message_with(number, |message| {
                message.status = if is_waiting {
                    Status::Queued
                } else {
                    Status::Delivered
                };
                message.is_backlog = is_waiting;
            });
            store.commit(&[Change::Insert(Box::new(message))]).unwrap();
        }
        let conn = Connection::open(&shards(directory.path())[0]).unwrap();
        for &number in damaged {
            let damage = "UPDATE messages SET encoding = 2 WHERE key = ?";
            conn.execute(damage, [id(number).key()]).unwrap();
        }
        let last_ms = created_ms(6_u32);
        assert_eq!(store.forget_before(last_ms).unwrap(), 0, "too early");
        assert_eq!(
            store.forget_before(last_ms + 1).unwrap(),
            forgotten,
            "{damaged:?}"
        );
        let kept = usize::from(forgotten == 0);
        assert_eq!(shards(directory.path()).len(), 1 + kept);
    }
}

#[test]
fn a_clean_stop_leaves_databases_only() {
    let directory = Directory::new();
    let store = directory.sqlite();
    insert(&store, 0..20, Status::Queued);
    assert_eq!(store.queue_depths().unwrap()().unwrap().len(), 1);
    drop(store);
    assert_databases_only(directory.path());
    assert_databases_only(&directory.path().join("messages"));
}

fn assert_databases_only(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains("-wal") && !name.contains("-shm"), "{name}");
    }
}

/// `postrider receipts` reads beside a running server, and leaves a stopped one's files alone.
#[test]
fn receipts_are_read_from_outside_without_a_trace() {
    let directory = Directory::new();
    let raw = |octet: u8| RawReceipt {
        received_ms: 5,
        carrier: "acme".into(),
        why: RawReason::NoId,
        octets: [octet].into(),
    };
    // Its name has everything that a URI reads otherwise.
    let path = directory.path().join("50% of #1?");
    let store = super::open(&path, &tiny()).unwrap();
    store.commit(&[Change::KeepRaw(raw(1))]).unwrap();
    assert_eq!(raw_receipts(&path, 0, 9).unwrap(), [raw(1)]);
    store.commit(&[Change::KeepRaw(raw(2))]).unwrap();
    assert_eq!(raw_receipts(&path, 0, 9).unwrap(), [raw(1), raw(2)]);
    drop(store);
    assert_databases_only(&path);
    assert_eq!(raw_receipts(&path, 0, 9).unwrap(), [raw(1), raw(2)]);
    assert_databases_only(&path);
}

/// The recipe of `docs/storage.md`, on a store that is running.
#[test]
fn a_backup_of_a_running_store_opens() {
    let (directory, backup) = (Directory::new(), Directory::new());
    let store = directory.sqlite();
    insert(&store, 0..20, Status::Queued);
    let copy = |name: &Path| {
        let conn = Connection::open(directory.path().join(name)).unwrap();
        let to = backup.path().join(name);
        conn.execute("VACUUM INTO ?", [to.to_str().unwrap()])
            .unwrap();
    };
    let key = ListKey {
        scope: Scope::Sender(SenderNo(1)),
        channels: ChannelGroup::Text,
        user: PhoneNumber::from_digits(14_155_550_199).unwrap(),
    };
    let event = OptOutEvent {
        id: id(0),
        account: AccountNo(1),
        key,
        is_blocked: true,
        cause: OptOutCause::of(OptOutSource::Others),
    };
    store.opt_outs().apply(&[event]).unwrap();
    fs::create_dir(backup.path().join("messages")).unwrap();
    // Every file of the recipe, and no other.
    let script = include_str!("../../../../docs/storage.md");
    for entry in fs::read_dir(directory.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_database = Path::new(&name).extension().is_some_and(|it| it == "db");
        let line = format!("sqlite3 data/{name} \"VACUUM INTO 'backup/{name}'\"");
        assert!(
            !is_database || script.contains(&line),
            "{name} is not in the recipe"
        );
    }
    copy(Path::new("sticky.db"));
    copy(Path::new("alerts.db"));
    copy(Path::new("opt_outs.db"));
    copy(Path::new("parked.db"));
    for shard in shards(directory.path()) {
        copy(shard.strip_prefix(directory.path()).unwrap());
        // It goes on meanwhile.
        let sent = Change::Update(update(0, Status::Sent));
        assert_eq!(store.commit(&[sent]).unwrap(), [Applied::Yes]);
    }
    copy(Path::new("control.db"));

    let copied = backup.sqlite();
    let page = |store: &SqliteStore| {
        let all = MessageFilter::default();
        store.list(&all, Cursor::Start, 99).unwrap()
    };
    assert_eq!(page(&copied).len(), 20);
    let opted_out = copied.opt_outs().opted_out(key.channels, key.user);
    assert_eq!(opted_out.unwrap(), [key.scope]);
    assert_eq!(page(&copied)[..19], page(&store)[..19]);
    insert(&copied, 20..30, Status::Queued);
    assert_eq!(copied.last_id().unwrap(), Some(id(29)));
}
