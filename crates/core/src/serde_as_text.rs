//! Types whose stored form is a text that people read too.

/// Stores a type as what it prints, and reads it back with a function from `&str` to `Result`.
#[macro_export]
macro_rules! serde_as_text {
    ($($name:ty = $read:expr;)+) => {$(
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                $read(&text).map_err(::serde::de::Error::custom)
            }
        }
    )+};
}
