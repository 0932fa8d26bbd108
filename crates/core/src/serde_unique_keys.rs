//! Tables that people write, whose keys may be spelled in several ways (`AC…` and `ac…`, `US` and `us`):
//! the same key twice is a mistake, and not the last one's to decide.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer as _, MapAccess, Visitor};

/// For `#[serde(deserialize_with = "…")]`. The error names both spellings.
pub fn read<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(UniqueKeys(PhantomData))
}

struct UniqueKeys<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for UniqueKeys<K, V>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
        let mut read = BTreeMap::new();
        while let Some(text) = table.next_key::<String>()? {
            let key: StrDeserializer<'_, A::Error> = text.as_str().into_deserializer();
            let key = K::deserialize(key)?;
            let value = table.next_value()?;
            if let Some((earlier, _)) = read.get(&key) {
                let problem = format!("{earlier} and {text} are the same; give it once");
                return Err(Error::custom(problem));
            }
            read.insert(key, (text, value));
        }
        let entries = read.into_iter().map(|(key, (_, value))| (key, value));
        Ok(entries.collect())
    }
}
