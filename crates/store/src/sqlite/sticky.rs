//! `sticky.db`: the mappings of recipients to senders, a row of some thirty bytes each.
//!
//! One table by key and no index beside it. What is in here can be made again from messages, so
//! commits do not wait for the disk (`synchronous=NORMAL`: a power cut loses the last ones whole, never
//! half of one, and SQLite copies its log by itself).
//!
//! Lookups have connections of their own. Most of the time of a short query goes into beginning and
//! ending its transaction, so a connection that rests keeps its transaction open, until the next write:
//! one that was begun before would not see it. And since the log can't be started afresh while somebody
//! reads it, all of them end before a write begins; that is when the log is copied.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use postrider_core::clock::Millis;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, ServiceSid};
use rusqlite::{Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;

use crate::contract::{Result, StoreError};
use crate::sqlite::connection::{CacheKib, open_reader, open_writer};
use crate::sqlite::failure::About;
use crate::sqlite::migrations::Kind;
use crate::sticky::{
    RecipientCursor, StickyChange, StickyCount, StickyKey, StickySender, StickyStore,
};

/// Connections at rest; each takes three open files.
const READERS: usize = 8;

/// A longer log is copied into the table, and started afresh.
const LOG_MAX: u64 = 16 << 20;

/// For the inner pages of a table of a hundred million.
const CACHE: CacheKib = CacheKib(4 << 10);

pub(super) struct Sticky {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Reader>>,
    /// How many writes there were.
    writes: AtomicU64,
    services: Mutex<Services>,
}

struct Reader {
    conn: Connection,
    /// The writes that its open transaction sees; `None` if none is open.
    sees: Option<u64>,
}

impl Reader {
    fn begin(&mut self, writes: u64) -> Result<()> {
        if self.sees.is_none() {
            self.conn.prepare_cached("BEGIN")?.execute(())?;
            self.sees = Some(writes);
        }
        Ok(())
    }

    fn end_before(&mut self, writes: u64) -> Result<()> {
        if self.sees.is_some_and(|sees| sees != writes) {
            self.conn.prepare_cached("COMMIT")?.execute(())?;
            self.sees = None;
        }
        Ok(())
    }
}

/// The services' numbers in this file.
#[derive(Default)]
struct Services {
    no: FxHashMap<ServiceSid, i64>,
    sid: FxHashMap<i64, ServiceSid>,
}

impl Services {
    fn insert(&mut self, no: i64, sid: ServiceSid) {
        self.no.insert(sid, no);
        self.sid.insert(no, sid);
    }
}

impl Sticky {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let (writer, services) = prepare(&path).about(&path)?;
        Ok(Self {
            path,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            writes: AtomicU64::new(0),
            services: Mutex::new(services),
        })
    }

    pub(super) fn close_readers(&self) {
        self.readers.lock().clear();
    }

    /// Errors name the file.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let at_rest = self.readers.lock().pop();
        let mut reader = match at_rest {
            Some(reader) => reader,
            None => Reader {
                conn: open_reader(&self.path, CACHE).about(&self.path)?,
                sees: None,
            },
        };
        // Read before the transaction begins: what it sees may be newer, never older.
        let writes = self.writes.load(Ordering::SeqCst);
        reader.begin(writes).about(&self.path)?;
        let answer = read(&reader.conn).about(&self.path)?;
        let mut readers = self.readers.lock();
        let writes = self.writes.load(Ordering::SeqCst);
        reader.end_before(writes).about(&self.path)?;
        if readers.len() < READERS {
            readers.push(reader);
        }
        Ok(answer)
    }

    /// Transactions of connections at rest do not see what was just committed.
    fn end_reads(&self) -> Result<()> {
        let mut readers = self.readers.lock();
        let writes = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        for reader in readers.iter_mut() {
            reader.end_before(writes)?;
        }
        Ok(())
    }

    /// Copies the log if it is long. Readers that are in the middle of something keep the part they read
    /// from being overwritten; then the next write tries again.
    fn copy_log(&self, conn: &Connection) -> Result<()> {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        let length = std::fs::metadata(log).map_or(0, |log| log.len());
        if length > LOG_MAX {
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?;
        }
        Ok(())
    }

    /// One write after another, each on its own.
    fn transact(&self, write: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        let mut conn = self.writer.lock();
        let work = || {
            self.end_reads()?;
            self.copy_log(&conn)?;
            let transaction = conn.transaction()?;
            write(&transaction)?;
            transaction.commit()?;
            self.end_reads()
        };
        work().about(&self.path)
    }

    fn no_of(&self, service: ServiceSid) -> Option<i64> {
        self.services.lock().no.get(&service).copied()
    }

    /// The service's number, a new one if need be. Known to readers before they can see a mapping of
    /// it; should the transaction fail, so has the store.
    fn assign_no(&self, conn: &Connection, service: ServiceSid) -> Result<i64> {
        if let Some(no) = self.no_of(service) {
            return Ok(no);
        }
        let sid = service.0.as_u128().to_be_bytes();
        conn.prepare_cached("INSERT INTO services (sid) VALUES (?) ON CONFLICT DO NOTHING")?
            .execute([sid])?;
        let no = conn
            .prepare_cached("SELECT no FROM services WHERE sid = ?")?
            .query_row([sid], |row| row.get(0))?;
        self.services.lock().insert(no, service);
        Ok(no)
    }

    fn apply(&self, conn: &Connection, changes: &[StickyChange], reached: Id) -> Result<()> {
        let mut counts: FxHashMap<(i64, i64), i64> = FxHashMap::default();
        for change in changes {
            let service = self.assign_no(conn, change.key.service)?;
            let key = (service, digits(change.key.recipient));
            let former: Option<i64> = conn
                .prepare_cached(
                    "SELECT position FROM mappings WHERE service = ? AND recipient = ?",
                )?
                .query_row(key, |row| row.get(0))
                .optional()?;
            if let Some(position) = former {
                *counts.entry((service, position)).or_default() -= 1;
            }
            let Some(mapping) = change.sender else {
                conn.prepare_cached("DELETE FROM mappings WHERE service = ? AND recipient = ?")?
                    .execute(key)?;
                continue;
            };
            let position = mapping.position.cast_signed();
            *counts.entry((service, position)).or_default() += 1;
            conn.prepare_cached("REPLACE INTO mappings VALUES (?, ?, ?, ?, ?, ?)")?
                .execute((
                    key.0,
                    key.1,
                    mapping.sender.0,
                    position,
                    mapping.created_ms.div_euclid(1_000),
                    mapping.used_ms.div_euclid(1_000),
                ))?;
        }
        for ((service, position), difference) in counts {
            conn.prepare_cached(
                "INSERT INTO counts VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET mappings = mappings + ?3",
            )?
            .execute((service, position, difference))?;
        }
        conn.execute("DELETE FROM counts WHERE mappings = 0", ())?;
        conn.prepare_cached("REPLACE INTO progress VALUES (1, ?)")?
            .execute([reached.as_u128().to_be_bytes()])?;
        Ok(())
    }

    fn entry(&self, row: &Row<'_>) -> Result<(StickyKey, StickySender)> {
        let no: i64 = row.get(0)?;
        let recipient: i64 = row.get(1)?;
        let corrupt = |what: &str| StoreError::Corrupt(format!("mapping of {recipient}: {what}"));
        let service = self.services.lock().sid.get(&no).copied();
        let key = StickyKey {
            service: service.ok_or_else(|| corrupt("its service is unknown"))?,
            recipient: number(recipient).ok_or_else(|| corrupt("this is no phone number"))?,
        };
        Ok((key, sender(row, 2)?))
    }

    fn entries(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<(StickyKey, StickySender)>> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(sql)?;
            let mut rows = select.query(parameters)?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(self.entry(row)?);
            }
            Ok(entries)
        })
    }
}

fn prepare(path: &Path) -> Result<(Connection, Services)> {
    let conn = open_writer(path, Kind::Sticky, 4096, CACHE)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    let mut services = Services::default();
    {
        let mut select = conn.prepare("SELECT no, sid FROM services")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            services.insert(row.get(0)?, ServiceSid(id(row, 1)?));
        }
    }
    Ok((conn, services))
}

impl StickyStore for Sticky {
    fn find(&self, key: StickyKey) -> Result<Option<StickySender>> {
        let Some(service) = self.no_of(key.service) else {
            return Ok(None);
        };
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT sender, position, created_s, used_s FROM mappings \
                 WHERE service = ? AND recipient = ?",
            )?;
            let mut rows = select.query((service, digits(key.recipient)))?;
            rows.next()?.map(|row| sender(row, 0)).transpose()
        })
    }

    fn write(&self, changes: &[StickyChange], reached: Id) -> Result<()> {
        self.transact(|conn| self.apply(conn, changes, reached))
    }

    fn reached(&self) -> Result<Option<Id>> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT reached FROM progress")?;
            let mut rows = select.query(())?;
            rows.next()?.map(|row| id(row, 0)).transpose()
        })
    }

    fn swept(&self) -> Result<Option<StickyKey>> {
        let place: Option<(i64, i64)> = self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT service, recipient FROM sweep")?;
            let row = select.query_row((), |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(row.optional()?)
        })?;
        let services = self.services.lock();
        // A place that can't be read is none.
        Ok(place.and_then(|(service, recipient)| {
            Some(StickyKey {
                service: services.sid.get(&service).copied()?,
                recipient: number(recipient)?,
            })
        }))
    }

    fn keep_swept(&self, place: Option<StickyKey>) -> Result<()> {
        let place = place.and_then(|key| Some((self.no_of(key.service)?, digits(key.recipient))));
        self.transact(|conn| {
            match place {
                Some((service, recipient)) => conn
                    .prepare_cached("REPLACE INTO sweep VALUES (1, ?, ?)")?
                    .execute((service, recipient))?,
                None => conn.prepare_cached("DELETE FROM sweep")?.execute(())?,
            };
            Ok(())
        })
    }

    fn counts(&self) -> Result<Vec<StickyCount>> {
        let services = self.services.lock().sid.clone();
        self.read(|conn| {
            let mut select =
                conn.prepare("SELECT service, position, mappings FROM counts ORDER BY 1, 2")?;
            let mut rows = select.query(())?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(&service) = services.get(&row.get::<_, i64>(0)?) else {
                    continue;
                };
                counts.push(StickyCount {
                    service,
                    position: row.get::<_, i64>(1)?.cast_unsigned(),
                    mappings: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
                });
            }
            Ok(counts)
        })
    }

    fn page(
        &self,
        after: Option<StickyKey>,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>> {
        let after = after.map_or((0, 0), |key| {
            (self.no_of(key.service).unwrap_or(0), digits(key.recipient))
        });
        self.entries(
            "SELECT * FROM mappings WHERE (service, recipient) > (?, ?) \
             ORDER BY service, recipient LIMIT ?",
            (after.0, after.1, i64::try_from(limit).unwrap_or(i64::MAX)),
        )
    }

    fn of_service(
        &self,
        service: ServiceSid,
        cursor: RecipientCursor,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>> {
        let Some(no) = self.no_of(service) else {
            return Ok(Vec::new());
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = match cursor {
            RecipientCursor::Start => 0,
            RecipientCursor::After(recipient) => digits(recipient),
            RecipientCursor::Before(recipient) => {
                let mut page = self.entries(
                    "SELECT * FROM mappings WHERE service = ? AND recipient < ? \
                     ORDER BY recipient DESC LIMIT ?",
                    (no, digits(recipient), limit),
                )?;
                page.reverse();
                return Ok(page);
            }
        };
        self.entries(
            "SELECT * FROM mappings WHERE service = ? AND recipient > ? \
             ORDER BY recipient LIMIT ?",
            (no, after, limit),
        )
    }
}

fn digits(number: PhoneNumber) -> i64 {
    number.digits().cast_signed()
}

fn number(digits: i64) -> Option<PhoneNumber> {
    PhoneNumber::from_digits(digits.cast_unsigned())
}

/// The last four columns of a mapping, from the given one on.
fn sender(row: &Row<'_>, first: usize) -> Result<StickySender> {
    let ms = |column| Ok::<Millis, StoreError>(row.get::<_, i64>(column)?.saturating_mul(1_000));
    Ok(StickySender {
        sender: SenderNo(row.get(first)?),
        position: row.get::<_, i64>(first + 1)?.cast_unsigned(),
        created_ms: ms(first + 2)?,
        used_ms: ms(first + 3)?,
    })
}

fn id(row: &Row<'_>, column: usize) -> Result<Id> {
    Ok(Id::from_u128(u128::from_be_bytes(row.get(column)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(recipient: u64) -> StickyKey {
        StickyKey {
            service: ServiceSid(Id::from_u128(1)),
            recipient: PhoneNumber::from_digits(12_000_000_000 + recipient).unwrap(),
        }
    }

    /// Somebody always reads, as on a busy server.
    #[test]
    fn the_log_does_not_grow_for_ever() {
        const WRITES: u64 = 60;
        const BATCH: u64 = 800;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sticky.db");
        let sticky = Sticky::open(path.clone()).unwrap();
        let sender = StickySender {
            sender: SenderNo(1),
            position: 1,
            created_ms: 0,
            used_ms: 0,
        };
        let log = || {
            std::fs::metadata(path.with_extension("db-wal"))
                .unwrap()
                .len()
        };
        let mut longest = 0;
        for write in 0..WRITES {
            let change = |index| StickyChange {
                // All over the table: nearly every change has a page of its own.
                key: key((write * BATCH + index) * 7_919_317 % 8_000_000_000),
                sender: Some(sender),
            };
            let changes: Vec<_> = (0..BATCH).map(change).collect();
            sticky.write(&changes, Id::MIN).unwrap();
            let last = changes.last().unwrap().key;
            assert_eq!(sticky.find(last).unwrap(), Some(sender));
            assert_eq!(sticky.find(key(7_999_999_999)).unwrap(), None);
            longest = longest.max(log());
        }
        assert!(longest > LOG_MAX, "the test writes too little: {longest}");
        assert!(longest < 2 * LOG_MAX, "{longest} octets");
    }
}
