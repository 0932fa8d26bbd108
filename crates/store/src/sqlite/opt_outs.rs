//! `opt_outs.db`: the opt-out list and its history.
//!
//! Nearly all questions are about users who never opted out. A filter in memory, 1.25 octets an entry,
//! answers those; the rest is one look-up by key. The filter is made by [`OptOutStore::warm_up`], and
//! until then every question goes to the file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use parking_lot::{Mutex, RwLock};
use postrider_core::clock::Millis;
use postrider_core::message::{AccountNo, SenderNo};
use postrider_core::opt_out::{ChannelGroup, Language, ListKey, Rule, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, MessageKind, MessageSid, ServiceSid};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::connection::{CacheKib, open_writer};
use super::failure::About;
use super::few_readers::FewReaders;
use super::key_set::KeySet;
use super::migrations::Kind;
use crate::contract::{Cursor, Result, StoreError};
use crate::opt_outs::{
    OptOutCause, OptOutEntry, OptOutEvent, OptOutFilter, OptOutSource, OptOutStore,
};

/// Questions at one time.
const READERS: usize = 4;

const CACHE: CacheKib = CacheKib(2 << 10);

/// Room in the filter for entries that are still to come.
const HEADROOM: u64 = 100_000;

pub(super) struct OptOuts {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: FewReaders<READERS>,
    filter: RwLock<Filter>,
}

/// What is known of the entries without the file.
enum Filter {
    /// Nothing yet, but for these users.
    Cold(Vec<u128>),
    Warm(KeySet),
}

impl OptOuts {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let writer = open_writer(&path, Kind::OptOuts, 4096, CACHE).about(&path)?;
        let readers = FewReaders::new(path.clone(), CACHE);
        Ok(Self {
            path,
            writer: Mutex::new(writer),
            readers,
            filter: RwLock::new(Filter::Cold(Vec::new())),
        })
    }

    pub(super) fn close_readers(&self) {
        self.readers.close();
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.readers.read(read)
    }

    fn may_have(&self, channels: ChannelGroup, user: PhoneNumber) -> bool {
        match &*self.filter.read() {
            Filter::Cold(_) => true,
            Filter::Warm(users) => users.may_have(hash(channels, user)),
        }
    }

    fn write(&self, events: &[OptOutEvent]) -> Result<Vec<bool>> {
        let mut conn = self.writer.lock();
        let transaction = conn.transaction()?;
        let mut changed = Vec::with_capacity(events.len());
        for event in events {
            changed.push(apply(&transaction, event)?);
        }
        transaction.commit()?;
        // Still under the writer's lock: what a filter in the making misses is noted before it counts.
        let mut filter = self.filter.write();
        for event in events {
            let user = hash(event.key.channels, event.key.user);
            match &mut *filter {
                Filter::Cold(news) => news.push(user),
                Filter::Warm(users) => users.add(user),
            }
        }
        Ok(changed)
    }
}

impl OptOutStore for OptOuts {
    fn apply(&self, events: &[OptOutEvent]) -> Result<Vec<bool>> {
        self.write(events).about(&self.path)
    }

    fn opted_out(&self, channels: ChannelGroup, user: PhoneNumber) -> Result<Vec<Scope>> {
        if !self.may_have(channels, user) {
            return Ok(Vec::new());
        }
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT user, channels, scope FROM entries \
                 WHERE user = ? AND channels = ? AND is_blocked",
            )?;
            let of_user = (user.digits().cast_signed(), channels_column(channels));
            let mut rows = select.query(of_user)?;
            let mut scopes = Vec::new();
            while let Some(row) = rows.next()? {
                scopes.push(key(row, 0)?.scope);
            }
            Ok(scopes)
        })
    }

    fn warm_up(&self) -> Result<()> {
        let users = self.read(|conn| {
            let count: i64 =
                conn.query_row("SELECT count(*) FROM entries", (), |row| row.get(0))?;
            let users = KeySet::new(count.unsigned_abs() + HEADROOM);
            let mut select = conn.prepare("SELECT user, channels, scope FROM entries")?;
            let mut rows = select.query(())?;
            while let Some(row) = rows.next()? {
                let key = key(row, 0)?;
                users.add(hash(key.channels, key.user));
            }
            Ok(users)
        })?;
        let mut filter = self.filter.write();
        if let Filter::Cold(news) = &*filter {
            for user in news {
                users.add(*user);
            }
            *filter = Filter::Warm(users);
        }
        Ok(())
    }

    fn find(&self, id: Id) -> Result<Option<OptOutEntry>> {
        self.read(|conn| {
            // The first event has the entry's id.
            let key = conn
                .prepare_cached("SELECT user, channels, scope FROM events WHERE key = ?")?
                .query_row([id.key()], |row| Ok(key(row, 0)))
                .optional()?
                .transpose()?;
            let Some(key) = key else { return Ok(None) };
            let sql = format!(
                "{} WHERE e.user = ? AND e.channels = ? AND e.scope = ?",
                entries("")
            );
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows = select.query(columns(&key))?;
            let entry = rows.next()?.map(entry).transpose()?;
            Ok(entry.filter(|entry| entry.id == id))
        })
    }

    fn list(
        &self,
        filter: &OptOutFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<OptOutEntry>> {
        let index = match filter {
            // All of one user's are next to each other in the table itself.
            OptOutFilter { user: Some(_), .. } => "NOT INDEXED",
            OptOutFilter { scope: Some(_), .. } => "INDEXED BY by_scope",
            OptOutFilter { .. } => "INDEXED BY by_account",
        };
        let mut sql = format!("{} WHERE e.account = ?", entries(index));
        let mut values = vec![Value::from(filter.account.0)];
        let mut and = |condition: &str, value: Value| {
            sql.push_str(condition);
            values.push(value);
        };
        if let Some(scope) = filter.scope {
            and(" AND e.scope = ?", scope_column(scope).into());
        }
        if let Some(user) = filter.user {
            and(" AND e.user = ?", user.digits().cast_signed().into());
        }
        if let Some(is_blocked) = filter.is_blocked {
            and(" AND e.is_blocked = ?", i64::from(is_blocked).into());
        }
        let order = match cursor {
            Cursor::Start => "DESC",
            Cursor::After(id) => {
                and(" AND e.key < ?", id.key().into());
                "DESC"
            }
            Cursor::Before(id) => {
                and(" AND e.key > ?", id.key().into());
                "ASC"
            }
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!("{sql} ORDER BY e.key {order} LIMIT {limit}");
        self.read(|conn| {
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows = select.query(params_from_iter(values))?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(entry(row)?);
            }
            if order == "ASC" {
                entries.reverse();
            }
            Ok(entries)
        })
    }

    fn history(
        &self,
        account: AccountNo,
        user: PhoneNumber,
        limit: usize,
    ) -> Result<Vec<OptOutEvent>> {
        let sql = format!(
            "SELECT {EVENT} FROM events v WHERE v.user = ? AND v.account = ? ORDER BY v.key DESC LIMIT ?"
        );
        self.read(|conn| {
            let mut select = conn.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = select.query((user.digits().cast_signed(), account.0, limit))?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(event(row)?);
            }
            Ok(events)
        })
    }

    fn blocked_since(&self, since_ms: Millis) -> Result<Vec<ListKey>> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT user, channels, scope FROM entries INDEXED BY by_change \
                 WHERE updated_ms >= ? AND is_blocked",
            )?;
            let mut rows = select.query([since_ms])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                keys.push(key(row, 0)?);
            }
            Ok(keys)
        })
    }
}

fn apply(conn: &Connection, event: &OptOutEvent) -> Result<bool> {
    let (user, channels, scope) = columns(&event.key);
    let at_ms = event.id.created_ms();
    let changed = conn
        .prepare_cached(
            "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5) \
             ON CONFLICT DO UPDATE SET account = ?4, is_blocked = ?7, updated_ms = ?8, last = ?5 \
             WHERE is_blocked <> ?7",
        )?
        .execute((
            user,
            channels,
            &scope,
            event.account.0,
            event.id.key(),
            event.id.tail(),
            event.is_blocked,
            at_ms,
        ))?;
    if changed == 0 {
        return Ok(false);
    }
    let OptOutCause {
        source,
        message,
        keyword,
        language,
        rule,
        actor,
        note,
        consent_ms,
    } = &event.cause;
    conn.prepare_cached("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute((
            event.id.key(),
            event.id.tail(),
            event.account.0,
            user,
            channels,
            scope,
            event.is_blocked,
            *source as u8,
            message.map(|message| message.id.as_u128().to_be_bytes()),
            keyword.as_deref(),
            language.map(Language::key),
            rule.map(Rule::as_str),
            actor.as_deref(),
            note.as_deref(),
            consent_ms,
        ))?;
    Ok(true)
}

/// An entry `e` with the event `v` that made it what it is.
fn entries(index: &str) -> String {
    format!(
        "SELECT {EVENT}, e.key, e.tail, e.updated_ms FROM entries e {index} \
         CROSS JOIN events v ON v.key = e.last"
    )
}

const EVENT: &str = "v.key, v.tail, v.account, v.user, v.channels, v.scope, v.is_blocked, v.source, \
     v.message, v.keyword, v.language, v.rule, v.actor, v.note, v.consent_ms";

fn entry(row: &Row<'_>) -> Result<OptOutEntry> {
    Ok(OptOutEntry {
        last: event(row)?,
        id: Id::from_key(row.get(15)?, row.get(16)?),
        updated_ms: row.get(17)?,
    })
}

fn event(row: &Row<'_>) -> Result<OptOutEvent> {
    let no: i64 = row.get(0)?;
    let corrupt =
        |what: &str| StoreError::Corrupt(format!("event {no} of the opt-out list: {what}"));
    let source: u8 = row.get(7)?;
    let source = OptOutSource::ALL
        .into_iter()
        .find(|known| *known as u8 == source);
    let message: Option<[u8; 16]> = row.get(8)?;
    let language: Option<String> = row.get(10)?;
    let rule: Option<String> = row.get(11)?;
    let rule = rule.map(|rule| Rule::ALL.into_iter().find(|known| known.as_str() == rule));
    let text = |column| {
        row.get::<_, Option<String>>(column)
            .map(|text| text.map(Into::into))
    };
    Ok(OptOutEvent {
        id: Id::from_key(no, row.get(1)?),
        account: AccountNo(row.get(2)?),
        key: key(row, 3)?,
        is_blocked: row.get(6)?,
        cause: OptOutCause {
            source: source.ok_or_else(|| corrupt("its source is unknown"))?,
            // Text messages only have keywords.
            message: message.map(|id| MessageSid {
                id: Id::from_u128(u128::from_be_bytes(id)),
                kind: MessageKind::Sms,
            }),
            keyword: text(9)?,
            language: language
                .map(|key| Language::parse(&key).ok_or_else(|| corrupt("its language is unknown")))
                .transpose()?,
            rule: rule
                .map(|rule| rule.ok_or_else(|| corrupt("its rule is unknown")))
                .transpose()?,
            actor: text(12)?,
            note: text(13)?,
            consent_ms: row.get(14)?,
        },
    })
}

/// User, channels and scope.
fn columns(key: &ListKey) -> (i64, i64, Vec<u8>) {
    (
        key.user.digits().cast_signed(),
        channels_column(key.channels),
        scope_column(key.scope),
    )
}

fn channels_column(channels: ChannelGroup) -> i64 {
    match channels {
        ChannelGroup::Text => 1,
        ChannelGroup::WhatsApp => 2,
    }
}

fn scope_column(scope: Scope) -> Vec<u8> {
    match scope {
        Scope::Service(sid) => [&[1], &sid.0.as_u128().to_be_bytes()[..]].concat(),
        Scope::Sender(no) => [&[2], &no.0.to_be_bytes()[..]].concat(),
    }
}

/// From three columns, the first of which is this one.
fn key(row: &Row<'_>, first: usize) -> Result<ListKey> {
    let user: i64 = row.get(first)?;
    let corrupt = |what: &str| StoreError::Corrupt(format!("opt-out of {user}: {what}"));
    let channels: i64 = row.get(first + 1)?;
    let scope: Vec<u8> = row.get(first + 2)?;
    let scope = match scope.split_first() {
        Some((1, id)) => {
            let id = <[u8; 16]>::try_from(id).ok();
            id.map(|id| Scope::Service(ServiceSid(Id::from_u128(u128::from_be_bytes(id)))))
        }
        Some((2, no)) => {
            let no = <[u8; 4]>::try_from(no).ok();
            no.map(|no| Scope::Sender(SenderNo(u32::from_be_bytes(no))))
        }
        Some(_) | None => None,
    };
    Ok(ListKey {
        scope: scope.ok_or_else(|| corrupt("its scope is unreadable"))?,
        channels: match channels {
            1 => ChannelGroup::Text,
            2 => ChannelGroup::WhatsApp,
            _ => return Err(corrupt("its channels are unknown")),
        },
        user: PhoneNumber::from_digits(user.unsigned_abs())
            .ok_or_else(|| corrupt("that is no number"))?,
    })
}

/// Two hashes of 64 bits. They are never stored, so they may differ from version to version.
fn hash(channels: ChannelGroup, user: PhoneNumber) -> u128 {
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        (which, channels, user).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
