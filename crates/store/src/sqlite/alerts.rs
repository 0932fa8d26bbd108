//! `alerts.db`: what customers are told went wrong, for thirty days.
//!
//! A file of its own, since alerts are many when all else is in trouble: writing and forgetting them
//! holds up no message. Written in batches, a flush each.

use std::path::PathBuf;

use parking_lot::Mutex;
use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::message::AccountNo;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::{Id, ServiceSid};
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, params_from_iter};

use crate::alerts::{Alert, AlertFilter, AlertRepeat, AlertStore, Exchange};
use crate::contract::{Cursor, Result, StoreError};
use crate::sqlite::connection::{CacheKib, open_writer};
use crate::sqlite::failure::About;
use crate::sqlite::few_readers::FewReaders;
use crate::sqlite::migrations::Kind;

/// People read alerts, a page at a time.
const READERS: usize = 2;

const CACHE: CacheKib = CacheKib(1 << 10);

pub(super) struct Alerts {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: FewReaders<READERS>,
}

impl Alerts {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let writer = open_writer(&path, Kind::Alerts, 4096, CACHE).about(&path)?;
        let readers = FewReaders::new(path.clone(), CACHE);
        Ok(Self {
            path,
            writer: Mutex::new(writer),
            readers,
        })
    }

    pub(super) fn close_readers(&self) {
        self.readers.close();
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.readers.read(read)
    }

    fn change<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut conn = self.writer.lock();
        let work = || {
            let transaction = conn.transaction()?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok::<_, StoreError>(answer)
        };
        work().about(&self.path)
    }
}

const SELECT: &str = "SELECT key, tail, account, code, level, resource, service, scope, text, count, \
     updated_ms, method, url, status, request_headers, request_variables, response_headers, \
     response_body FROM alerts";

impl AlertStore for Alerts {
    fn write(&self, alerts: &[Alert], repeats: &[AlertRepeat]) -> Result<()> {
        self.change(|conn| {
            for alert in alerts {
                insert(conn, alert)?;
            }
            for repeat in repeats {
                conn.prepare_cached(
                    "UPDATE alerts SET count = count + ?, updated_ms = max(updated_ms, ?) \
                     WHERE key = ? AND tail = ?",
                )?
                .execute((
                    saturated(repeat.count),
                    repeat.last_ms,
                    repeat.id.key(),
                    repeat.id.tail(),
                ))?;
            }
            Ok(())
        })
    }

    fn find(&self, id: Id) -> Result<Option<Alert>> {
        self.read(|conn| {
            let mut select =
                conn.prepare_cached(&format!("{SELECT} WHERE key = ? AND tail = ?"))?;
            let mut rows = select.query((id.key(), id.tail()))?;
            rows.next()?.map(alert).transpose()
        })
    }

    fn list(&self, filter: &AlertFilter, cursor: Cursor, limit: usize) -> Result<Vec<Alert>> {
        // Without statistics SQLite might as well walk along all accounts' keys.
        let index = filter.level.map_or("by_account", |_| "by_level");
        let mut sql = format!("{SELECT} INDEXED BY {index} WHERE account = ?");
        let mut values = vec![Value::from(filter.account.0)];
        let mut and = |condition: &str, value: i64| {
            sql.push_str(condition);
            values.push(Value::from(value));
        };
        if let Some(level) = filter.level {
            and(" AND level = ?", level_no(level));
        }
        if let Some(from_ms) = filter.from_ms {
            and(" AND key >= ?", Id::first_key_at(from_ms));
        }
        if let Some(before_ms) = filter.before_ms {
            and(" AND key < ?", Id::first_key_at(before_ms));
        }
        let order = match cursor {
            Cursor::Start => "DESC",
            Cursor::After(id) => {
                and(" AND key < ?", id.key());
                "DESC"
            }
            Cursor::Before(id) => {
                and(" AND key > ?", id.key());
                "ASC"
            }
        };
        and(
            &format!(" ORDER BY key {order} LIMIT ?"),
            i64::try_from(limit).unwrap_or(i64::MAX),
        );
        let mut page = self.read(|conn| select(conn, &sql, values))?;
        if order == "ASC" {
            page.reverse();
        }
        Ok(page)
    }

    fn recent(&self, since_ms: Millis, limit: usize) -> Result<Vec<Alert>> {
        let sql = format!("{SELECT} WHERE key >= ? ORDER BY key DESC LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [Id::first_key_at(since_ms), limit].map(Value::from);
        let mut recent = self.read(|conn| select(conn, &sql, values.into()))?;
        recent.reverse();
        Ok(recent)
    }

    fn about(&self, account: AccountNo, resource: &str) -> Result<Vec<Alert>> {
        let sql = format!(
            "{SELECT} INDEXED BY by_resource WHERE account = ? AND resource = ? ORDER BY key"
        );
        let values = vec![Value::from(account.0), Value::from(resource.to_owned())];
        self.read(|conn| select(conn, &sql, values))
    }

    fn rewrite(&self, alerts: &[Alert]) -> Result<()> {
        self.change(|conn| {
            for alert in alerts {
                let exchange = alert.exchange.as_deref();
                conn.prepare_cached(
                    "UPDATE alerts SET text = ?, method = ?, url = ?, status = ?, \
                     request_headers = ?, request_variables = ?, response_headers = ?, \
                     response_body = ? WHERE key = ? AND tail = ?",
                )?
                .execute(rusqlite::params![
                    &*alert.text,
                    exchange.map(|exchange| method_name(exchange.method)),
                    exchange.map(|exchange| &*exchange.url),
                    exchange.and_then(|exchange| exchange.status),
                    exchange.and_then(|exchange| exchange.request_headers.as_deref()),
                    exchange.and_then(|exchange| exchange.request_variables.as_deref()),
                    exchange.and_then(|exchange| exchange.response_headers.as_deref()),
                    exchange.and_then(|exchange| exchange.response_body.as_deref()),
                    alert.id.key(),
                    alert.id.tail(),
                ])?;
            }
            Ok(())
        })
    }

    fn forget_of(&self, account: AccountNo, before_ms: Millis, limit: usize) -> Result<usize> {
        self.change(|conn| {
            let old = "SELECT key, account FROM alerts INDEXED BY by_account \
                 WHERE account = ? AND key < ? ORDER BY key LIMIT ?";
            let before = Id::first_key_at(before_ms);
            forget(conn, old, (account.0, before, limit_of(limit)))
        })
    }

    fn forget(&self, before_ms: Millis, keep: usize, limit: usize) -> Result<usize> {
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        self.change(|conn| {
            let old = "SELECT key, account FROM alerts WHERE key < ? ORDER BY key LIMIT ?";
            let mut gone = forget(conn, old, (Id::first_key_at(before_ms), limit_of(limit)))?;
            let crowded: Vec<(i64, i64)> = conn
                .prepare_cached("SELECT account, alerts - ?1 FROM counts WHERE alerts > ?1")?
                .query_map([keep], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            for (account, excess) in crowded {
                let oldest =
                    "SELECT key, account FROM alerts WHERE account = ? ORDER BY key LIMIT ?";
                let most = excess.min(limit_of(limit - gone));
                gone += forget(conn, oldest, (account, most))?;
            }
            Ok(gone)
        })
    }
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn insert(conn: &Connection, alert: &Alert) -> Result<()> {
    let exchange = alert.exchange.as_deref();
    let added = conn
        .prepare_cached(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(rusqlite::params![
            alert.id.key(),
            alert.id.tail(),
            alert.account.0,
            alert.code.code(),
            level_no(alert.level),
            alert.resource.as_deref(),
            alert
                .service
                .map(|service| service.0.as_u128().to_be_bytes()),
            &*alert.scope,
            &*alert.text,
            saturated(alert.count),
            alert.updated_ms,
            exchange.map(|exchange| method_name(exchange.method)),
            exchange.map(|exchange| &*exchange.url),
            exchange.and_then(|exchange| exchange.status),
            exchange.and_then(|exchange| exchange.request_headers.as_deref()),
            exchange.and_then(|exchange| exchange.request_variables.as_deref()),
            exchange.and_then(|exchange| exchange.response_headers.as_deref()),
            exchange.and_then(|exchange| exchange.response_body.as_deref()),
        ])?;
    if added > 0 {
        conn.prepare_cached(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET alerts = alerts + 1",
        )?
        .execute([alert.account.0])?;
    }
    Ok(())
}

/// Deletes what a query gives.
fn forget(conn: &Connection, sql: &str, parameters: impl Params) -> Result<usize> {
    let old: Vec<(i64, i64)> = conn
        .prepare_cached(sql)?
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (key, account) in &old {
        conn.prepare_cached("DELETE FROM alerts WHERE key = ?")?
            .execute([key])?;
        conn.prepare_cached("UPDATE counts SET alerts = alerts - 1 WHERE account = ?")?
            .execute([account])?;
    }
    conn.execute("DELETE FROM counts WHERE alerts <= 0", ())?;
    Ok(old.len())
}

fn select(conn: &Connection, sql: &str, values: Vec<Value>) -> Result<Vec<Alert>> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next()? {
        alerts.push(alert(row)?);
    }
    Ok(alerts)
}

fn alert(row: &Row<'_>) -> Result<Alert> {
    let key: i64 = row.get(0)?;
    let corrupt = |what: String| StoreError::Corrupt(format!("alert {key}: {what}"));
    let code = ErrorCode::try_from(row.get::<_, u32>(3)?);
    let level: i64 = row.get(4)?;
    let service: Option<[u8; 16]> = row.get(6)?;
    Ok(Alert {
        id: Id::from_key(key, row.get(1)?),
        account: AccountNo(row.get(2)?),
        code: code.map_err(|error| corrupt(error.to_string()))?,
        level: LEVELS
            .into_iter()
            .find_map(|(no, known)| (no == level).then_some(known))
            .ok_or_else(|| corrupt(format!("level {level}")))?,
        resource: text(row, 5)?,
        service: service.map(|sid| ServiceSid(Id::from_u128(u128::from_be_bytes(sid)))),
        scope: row.get::<_, String>(7)?.into(),
        text: row.get::<_, String>(8)?.into(),
        count: row.get::<_, i64>(9)?.unsigned_abs(),
        updated_ms: row.get(10)?,
        exchange: exchange(row)?.map(Box::new),
    })
}

fn exchange(row: &Row<'_>) -> Result<Option<Exchange>> {
    let method: Option<String> = row.get(11)?;
    let (Some(method), Some(url)) = (method, text(row, 12)?) else {
        return Ok(None);
    };
    let is_get = method == method_name(HttpMethod::Get);
    Ok(Some(Exchange {
        method: if is_get {
            HttpMethod::Get
        } else {
            HttpMethod::Post
        },
        url,
        status: row.get(13)?,
        request_headers: text(row, 14)?,
        request_variables: text(row, 15)?,
        response_headers: text(row, 16)?,
        response_body: text(row, 17)?,
    }))
}

fn text(row: &Row<'_>, column: usize) -> Result<Option<Box<str>>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(String::into_boxed_str))
}

/// Numbers of levels in the file, for ever.
const LEVELS: [(i64, AlertLevel); 2] = [(1, AlertLevel::Error), (2, AlertLevel::Warning)];

fn level_no(level: AlertLevel) -> i64 {
    match level {
        AlertLevel::Error => 1,
        AlertLevel::Warning => 2,
    }
}

fn method_name(method: HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
    }
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
