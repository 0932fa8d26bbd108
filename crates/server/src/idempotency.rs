//! `Idempotency-Key`: a create request that may be repeated without creating twice.
//!
//! The one place where a POST with a key is met, so that every resource has this without knowing: the
//! request runs on a draft of the settings, and what it changed is committed together with its answer.
//! Only messages, which are no settings, remember their requests themselves. Rules in `docs/api.md`.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::settings::Account;
use postrider_core::sid;
use postrider_engine::Begun;
use sha2::{Digest as _, Sha256};

use crate::app::body_type;
use crate::auth::Access;
use crate::call::Call;
use crate::error::Refusal;
use crate::form::BodyType;
use crate::product::Product;
use crate::reply::{Answer, Reply};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of webhooks, taken on requests as well.
const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
/// Of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const MAX_KEY: usize = 255;

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let mut given = given.chain(headers.get_all(IDEMPOTENCY_TOKEN));
    let Some(first) = given.next() else {
        return Ok(None);
    };
    if given.any(|other| other != first) {
        return Err(refusal(
            "'Idempotency-Key' and 'I-Twilio-Idempotency-Token' say different things; give one of them",
        ));
    }
    let key = first.as_bytes();
    let is_key = (1..=MAX_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    let key = str::from_utf8(key).ok().filter(|_| is_key);
    let refused = || refusal("'Idempotency-Key' must be 1 to 255 visible ASCII characters");
    Ok(Some(key.ok_or_else(refused)?))
}

fn refusal(text: &'static str) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

/// Answers a POST that carries a key.
pub(crate) async fn answer(
    mut call: Call<'_>,
    product: Product,
    path: &[&str],
    key: &str,
) -> Answer {
    let account = owner(&call, product, path)?;
    let is_message = is_message(product, path);
    let repeatable = Repeatable {
        key: key_hash(key),
        fingerprint: fingerprint(&call, product, path, key, is_message),
    };
    if is_message {
        call.repeatable = Some(repeatable);
        return call.route(product, path).await;
    }
    match call.engine.begin(&account, repeatable).await? {
        Begun::Repeated(status, body) => {
            Ok(Reply::text(status, "application/json", body).replayed())
        }
        Begun::First(first) => {
            call.engine = Cow::Owned(first.engine());
            let reply = call.route(product, path).await?;
            // With the request's body and the draft's tables, which need not wait for the disk.
            drop(call);
            let body = str::from_utf8(&reply.body).ok();
            let created = body.filter(|_| reply.is_creation);
            first
                .finish(created.map(|body| (reply.status, body)))
                .await?;
            Ok(reply)
        }
    }
}

impl Reply {
    /// Says that it is the first answer, given again.
    pub(crate) fn replayed(mut self) -> Self {
        self.headers.push((REPLAYED, "true"));
        self
    }
}

/// Whose key it is: the account's that the request is about.
fn owner(call: &Call<'_>, product: Product, path: &[&str]) -> Result<Arc<Account>, Refusal> {
    let caller = &call.caller;
    match (product, path) {
        (Product::Api, [_, "Accounts", sid, _, ..]) => {
            caller.account_in_path(call.directory(), sid, Access::Write)
        }
        _ => Ok(caller.account.clone()),
    }
}

fn is_message(product: Product, path: &[&str]) -> bool {
    matches!(
        (product, path),
        (
            Product::Api,
            [_, "Accounts", _, "Messages" | "Messages.json"]
        )
    )
}

fn key_hash(key: &str) -> KeyHash {
    let mut digest = Sha256::new();
    part(&mut digest, b"key");
    part(&mut digest, key.as_bytes());
    KeyHash(first_half(digest))
}

/// What makes two requests the same: the resource and the parameters, in whatever order they are
/// written, as long as those of one name keep theirs; of JSON and files the octets. The key is in it so that nobody who reads the
/// disk can try what a message said.
fn fingerprint(
    call: &Call<'_>,
    product: Product,
    path: &[&str],
    key: &str,
    is_message: bool,
) -> Fingerprint {
    let mut digest = Sha256::new();
    part(&mut digest, key.as_bytes());
    part(&mut digest, product.name().as_bytes());
    // An answer may show what only an auth token may see.
    let is_privileged = !is_message && call.caller.require_auth_token().is_ok();
    part(&mut digest, &[u8::from(is_privileged)]);
    part(&mut digest, &(path.len() as u64).to_be_bytes());
    for (index, segment) in path.iter().enumerate() {
        let is_last = index + 1 == path.len();
        let name = segment.strip_suffix(".json").filter(|_| is_last);
        let name = name.unwrap_or(segment);
        // Read in either case, so either is the same resource.
        let sid = sid::spelled(name);
        part(&mut digest, sid.as_deref().unwrap_or(name).as_bytes());
    }
    match body_type(product, path) {
        BodyType::Form => {}
        BodyType::Json | BodyType::Csv => {
            part(&mut digest, &call.body);
            return Fingerprint(first_half(digest));
        }
    }
    let mut parameters: Vec<_> = form_urlencoded::parse(&call.body).collect();
    // Stable, so that a list keeps its order.
    parameters.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, value) in parameters {
        part(&mut digest, name.as_bytes());
        part(&mut digest, value.as_bytes());
    }
    Fingerprint(first_half(digest))
}

/// With its length, so that no two sequences of parts are the same octets.
fn part(digest: &mut Sha256, octets: &[u8]) {
    digest.update((octets.len() as u64).to_be_bytes());
    digest.update(octets);
}

fn first_half(digest: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: values of the one header, of the other, the key or `None` for a refusal.
    type Row<'a> = (&'a [&'a str], &'a [&'a str], Option<&'a str>);

    #[test]
    fn a_key_is_visible_and_the_only_one() {
        let longest = "k".repeat(MAX_KEY);
        let too_long = "k".repeat(MAX_KEY + 1);
        let rows: &[Row<'_>] = &[
            (&["a!~"], &[], Some("a!~")),
            (&[], &["a"], Some("a")),
            (&["a"], &["a"], Some("a")),
            (&["a", "a"], &[], Some("a")),
            (&[&longest], &[], Some(&longest)),
            (&[&too_long], &[], None),
            (&[""], &[], None),
            (&["a b"], &[], None),
            (&["żółw"], &[], None),
            (&["a"], &["b"], None),
            (&["a", "b"], &[], None),
        ];
        for (keys, tokens, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, values) in [(IDEMPOTENCY_KEY, keys), (IDEMPOTENCY_TOKEN, tokens)] {
                for value in *values {
                    let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
                    headers.append(name.clone(), value);
                }
            }
            let given = key(&headers);
            if let Err(refusal) = &given {
                assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
            }
            assert_eq!(given.ok().flatten(), *expected, "{keys:?} {tokens:?}");
        }
        assert!(key(&HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn the_hashes_in_files_never_change() {
        assert_eq!(
            key_hash("a").to_string(),
            "01b6e486d0df0183626482ff1f9fb6d7"
        );
    }
}
