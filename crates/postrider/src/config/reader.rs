//! Reads a [`Setting`] into whatever type is wanted, and says where it went wrong.
//!
//! A serde `Deserializer`. What it adds to the usual: problems carry their path and, for a wrong key,
//! the keys there are; texts of the environment become what is wanted; and an enum of tables is told
//! apart by the key `kind` (the carriers).

use std::collections::btree_map;
use std::str::FromStr;
use std::{iter, vec};

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::problem::Problem;
use super::setting::Setting;

/// Reads a whole tree.
pub(crate) fn read<T: DeserializeOwned>(setting: Setting) -> Result<T, Problem> {
    T::deserialize(Reader(setting))
}

/// The key that tells which kind of table a table is.
const KIND: &str = "kind";

struct Reader(Setting);

impl Reader {
    /// Reads by the shape of what was given; the visitor refuses a wrong one.
    fn by_shape<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Setting::Table(table) => visitor.visit_map(Table {
                entries: table.into_iter(),
                current: None,
            }),
            Setting::List(list) => visitor.visit_seq(List(list.into_iter().enumerate())),
            Setting::Text(text) | Setting::Value(toml::Value::String(text)) => {
                visitor.visit_string(text)
            }
            Setting::Value(toml::Value::Integer(number)) => visitor.visit_i64(number),
            Setting::Value(toml::Value::Float(number)) => visitor.visit_f64(number),
            Setting::Value(toml::Value::Boolean(flag)) => visitor.visit_bool(flag),
            Setting::Value(toml::Value::Datetime(time)) => {
                let given = format!("date `{time}`");
                Err(Error::invalid_type(Unexpected::Other(&given), &visitor))
            }
            Setting::Value(compound) => Self(compound.into()).by_shape(visitor),
        }
    }

    /// Parses a text of the environment as `T`; reads anything else by its shape.
    fn text_as<'de, T: FromStr, V: Visitor<'de>>(
        self,
        visitor: V,
        visit: impl FnOnce(V, T) -> Result<V::Value, Problem>,
    ) -> Result<V::Value, Problem> {
        let Setting::Text(text) = &self.0 else {
            return self.by_shape(visitor);
        };
        match text.trim().parse() {
            Ok(value) => visit(visitor, value),
            Err(_) => Err(Error::invalid_value(Unexpected::Str(text), &visitor)),
        }
    }

    /// Reads a text of the environment as TOML, where a list or a table is wanted.
    fn text_as_toml<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let Setting::Text(text) = &self.0 else {
            return self.by_shape(visitor);
        };
        let parsed = format!("value = {text}").parse::<toml::Table>();
        match parsed.ok().and_then(|mut table| table.remove("value")) {
            Some(value) => Self(value.into()).by_shape(visitor),
            None => Err(Error::invalid_value(Unexpected::Str(text), &visitor)),
        }
    }
}

macro_rules! read_integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            self.text_as(visitor, |visitor, number| visitor.visit_i64(number))
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.by_shape(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text_as(visitor, V::visit_bool)
    }

    read_integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text_as(visitor, V::visit_f64)
    }

    /// A setting that is given is not absent.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text_as_toml(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.text_as_toml(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text_as_toml(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.text_as_toml(visitor)
    }

    /// A text is a plain variant; a table says by its `kind` which variant the rest of it is.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Setting::Text(name) | Setting::Value(toml::Value::String(name)) => {
                visitor.visit_enum(Variant {
                    name,
                    key: None,
                    content: None,
                })
            }
            Setting::Table(mut table) => match table.remove(KIND) {
                Some(Setting::Text(name) | Setting::Value(toml::Value::String(name))) => visitor
                    .visit_enum(Variant {
                        name,
                        key: Some(KIND),
                        content: Some(Setting::Table(table)),
                    }),
                Some(_) => Err(Problem::at(KIND, "expected a text")),
                None => Err(Error::missing_field(KIND)),
            },
            other => Self(other).by_shape(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}

struct Table {
    entries: btree_map::IntoIter<String, Setting>,
    current: Option<(String, Setting)>,
}

impl<'de> MapAccess<'de> for Table {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(StringDeserializer::new(key.clone()));
        self.current = Some((key, value));
        read.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let (key, value) = self
            .current
            .take()
            .ok_or_else(|| Problem::custom("no key"))?;
        seed.deserialize(Reader(value))
            .map_err(|problem| problem.within(&key))
    }
}

struct List(iter::Enumerate<vec::IntoIter<Setting>>);

impl<'de> SeqAccess<'de> for List {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Problem> {
        let Some((index, element)) = self.0.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(Reader(element));
        read.map(Some)
            .map_err(|problem| problem.within_element(index))
    }
}

struct Variant {
    name: String,
    /// The key that named it.
    key: Option<&'static str>,
    content: Option<Setting>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Problem;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content), Problem> {
        let read = seed.deserialize(StringDeserializer::new(self.name));
        let variant = read.map_err(|problem: Problem| match self.key {
            Some(key) => problem.within(key),
            None => problem,
        })?;
        Ok((variant, Content(self.content)))
    }
}

struct Content(Option<Setting>);

impl<'de> VariantAccess<'de> for Content {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(Problem::custom("expected a text, given a table")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        match self.0 {
            Some(content) => seed.deserialize(Reader(content)),
            None => Err(Problem::custom(
                "expected a table with a `kind`, given a text",
            )),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Problem> {
        Err(Error::invalid_type(Unexpected::TupleVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        Err(Error::invalid_type(Unexpected::StructVariant, &visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct All {
        flag: bool,
        port: u16,
        rate: f64,
        name: String,
        maybe: Option<u32>,
        names: Vec<String>,
        codes: BTreeMap<String, u32>,
        mode: Mode,
        things: Vec<Thing>,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        #[default]
        Fast,
        VerySlow,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Thing {
        Box(Dimensions),
        Bag(Dimensions),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Dimensions {
        width: u8,
    }

    fn read_toml(toml: &str) -> Result<All, String> {
        let table = toml.parse::<toml::Table>().unwrap();
        read(table.into()).map_err(|problem: Problem| problem.to_string())
    }

    #[test]
    fn values_of_the_file_have_their_types() {
        let read = read_toml(
            "flag = true\nport = 7\nrate = 2\nname = \"n\"\nmaybe = 3\nnames = [\"a\"]\n\
             codes = { x = 1 }\nmode = \"very_slow\"\n\
             [[things]]\nkind = \"bag\"\nwidth = 4\n",
        );
        let expected = All {
            flag: true,
            port: 7,
            rate: 2.0,
            name: "n".into(),
            maybe: Some(3),
            names: vec!["a".into()],
            codes: BTreeMap::from([("x".into(), 1)]),
            mode: Mode::VerySlow,
            things: vec![Thing::Bag(Dimensions { width: 4 })],
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn texts_of_the_environment_become_what_is_wanted() {
        let texts = [
            ("flag", "true"),
            ("port", "7"),
            ("rate", "0.5"),
            ("name", "1234"),
            ("maybe", "3"),
            ("names", "[\"a\", \"b\"]"),
            ("codes", "{ x = 1 }"),
            ("mode", "very_slow"),
            ("things", "[{ kind = \"box\", width = 4 }]"),
        ];
        let table = texts.map(|(key, text)| (key.to_owned(), Setting::Text(text.into())));
        let all: All = read(Setting::Table(table.into())).unwrap();
        let expected = All {
            flag: true,
            port: 7,
            rate: 0.5,
            name: "1234".into(),
            maybe: Some(3),
            names: vec!["a".into(), "b".into()],
            codes: BTreeMap::from([("x".into(), 1)]),
            mode: Mode::VerySlow,
            things: vec![Thing::Box(Dimensions { width: 4 })],
        };
        assert_eq!(all, expected);
        for (key, text) in [
            ("flag", "yes"),
            ("port", "-1"),
            ("names", "a, b"),
            ("rate", "fast"),
        ] {
            let table = BTreeMap::from([(key.to_owned(), Setting::Text(text.into()))]);
            let problem = read::<All>(Setting::Table(table)).unwrap_err().to_string();
            assert!(problem.starts_with(key), "{problem}");
        }
    }

    #[test]
    fn a_problem_says_where_and_what() {
        for (toml, expected) in [
            (
                "prot = 1",
                "prot: there is no such key; did you mean `port`?",
            ),
            (
                "port = 70000",
                "port: given integer `70000`, expected a whole number from 0 to 65535",
            ),
            (
                "port = \"7\"",
                "port: given string \"7\", expected a whole number from 0 to 65535",
            ),
            (
                "flag = 1",
                "flag: given integer `1`, expected true or false",
            ),
            (
                "names = [\"a\", 2]",
                "names[1]: given integer `2`, expected a text",
            ),
            (
                "names = \"a\"",
                "names: given string \"a\", expected a list",
            ),
            (
                "mode = \"slow\"",
                "mode: given \"slow\", expected \"fast\" or \"very_slow\"",
            ),
            (
                "things = [{ width = 1 }]",
                "things[0].kind: is required and not given",
            ),
            (
                "things = [{ kind = \"bagg\" }]",
                "things[0].kind: given \"bagg\", expected \"box\" or \"bag\"; did you mean \"bag\"?",
            ),
            (
                "things = [{ kind = \"box\" }]",
                "things[0].width: is required and not given",
            ),
            (
                "things = [{ kind = \"box\", with = 1 }]",
                "things[0].with: there is no such key; did you mean `width`?",
            ),
            (
                "maybe = 2026-01-01",
                "maybe: given date `2026-01-01`, expected a whole number from 0 to 4294967295",
            ),
        ] {
            assert_eq!(read_toml(toml), Err(expected.to_owned()), "{toml}");
        }
    }
}
