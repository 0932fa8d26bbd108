//! The settings as they were given: a tree of TOML values and of texts from the environment.
//!
//! The two are kept apart because a variable has no types: `POSTRIDER__CARRIERS__0__PASSWORD=1234`
//! is a text where a text is wanted and a number where a number is wanted, whereas `password = 1234`
//! in the file is a mistake.

use std::collections::BTreeMap;

/// Variables with this prefix are settings: `POSTRIDER__SECTION__KEY`.
const PREFIX: &str = "POSTRIDER__";
const SEPARATOR: &str = "__";

/// The lists of tables whose elements have a number in a variable's name.
const NUMBERED: [&str; 3] = ["carriers", "routes", "caps"];

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    Table(BTreeMap<String, Setting>),
    List(Vec<Setting>),
    Value(toml::Value),
    /// From the environment: read as whatever is wanted in its place.
    Text(String),
}

impl Default for Setting {
    fn default() -> Self {
        Self::Table(BTreeMap::new())
    }
}

impl From<toml::Value> for Setting {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::Table(table) => table.into(),
            toml::Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            scalar => Self::Value(scalar),
        }
    }
}

impl From<toml::Table> for Setting {
    fn from(table: toml::Table) -> Self {
        let settings = table.into_iter().map(|(key, value)| (key, value.into()));
        Self::Table(settings.collect())
    }
}

impl Setting {
    /// Lays the environment's settings over these. The error names the variable that fits nowhere.
    pub(crate) fn overlay(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), String> {
        // Sorted, so that carrier 0 is made before carrier 1.
        let variables: BTreeMap<_, _> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        for (name, value) in variables {
            let path = name[PREFIX.len()..].to_lowercase();
            let path: Vec<_> = path.split(SEPARATOR).collect();
            self.put(&path, value)
                .map_err(|problem| format!("{name}: {problem}"))?;
        }
        Ok(())
    }

    fn put(&mut self, path: &[&str], value: String) -> Result<(), String> {
        let Some((key, rest)) = path.split_first() else {
            *self = Self::Text(value);
            return Ok(());
        };
        match self {
            Self::Table(table) => {
                let is_numbered = NUMBERED.contains(key) && !rest.is_empty();
                let child = table.entry((*key).to_owned()).or_insert_with(|| {
                    if is_numbered {
                        Self::List(Vec::new())
                    } else {
                        Self::default()
                    }
                });
                child.put(rest, value)
            }
            Self::List(elements) => {
                let count = elements.len();
                let index = key.parse().ok().filter(|index| *index <= count);
                let index: usize = index.ok_or_else(|| {
                    format!("\"{key}\" is none of the {count} there are, nor the next: expected 0 to {count}")
                })?;
                if index == count {
                    elements.push(Self::default());
                }
                elements[index].put(rest, value)
            }
            Self::Value(_) | Self::Text(_) => {
                Err(format!("there is no \"{key}\" in a plain value"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Setting {
        toml.parse::<toml::Table>().unwrap().into()
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn variables_replace_and_add() {
        let mut tree = settings("[server]\nlisten = \"a\"\n[[carriers]]\nname = \"acme\"\n");
        tree.overlay(variables(&[
            ("POSTRIDER__SERVER__LISTEN", "b"),
            ("POSTRIDER__CARRIERS__0__PASSWORD", "1234"),
            ("POSTRIDER__CARRIERS__1__NAME", "other"),
            ("POSTRIDER__PACE__ALPHA", "3"),
            ("POSTRIDER_AUTH_TOKEN", "not a setting"),
            ("PATH", "not one either"),
        ]))
        .unwrap();
        let text = |text: &str| Setting::Text(text.into());
        let table = |entries: Vec<(&str, Setting)>| {
            Setting::Table(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.into(), value))
                    .collect(),
            )
        };
        let acme = Setting::Value(toml::Value::String("acme".into()));
        let expected = table(vec![
            ("server", table(vec![("listen", text("b"))])),
            (
                "carriers",
                Setting::List(vec![
                    table(vec![("name", acme), ("password", text("1234"))]),
                    table(vec![("name", text("other"))]),
                ]),
            ),
            ("pace", table(vec![("alpha", text("3"))])),
        ]);
        assert_eq!(tree, expected);
    }

    #[test]
    fn a_variable_that_fits_nowhere_is_named() {
        for (name, expected) in [
            ("POSTRIDER__CARRIERS__1__NAME", "\"1\" is none of the 0"),
            (
                "POSTRIDER__CARRIERS__ACME__NAME",
                "\"acme\" is none of the 0",
            ),
            (
                "POSTRIDER__SERVER__LISTEN__PORT",
                "no \"port\" in a plain value",
            ),
        ] {
            let mut tree = settings("server.listen = \"a\"");
            let problem = tree.overlay(variables(&[(name, "1")])).unwrap_err();
            assert!(
                problem.starts_with(name) && problem.contains(expected),
                "{problem}"
            );
        }
    }
}
