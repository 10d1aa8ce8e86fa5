//! JSON bodies, read strictly: UTF-8, and an object is an object. Serde's derived readers would
//! take `["v"]` for `{"value": "v"}`.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

/// Why a body could not be read. It names places and never content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not UTF-8 (RFC 8259 section 8.1).
    #[error("The request body is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("The request body is not valid JSON (line {line}, column {column})")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but not what is expected there.
    #[error("Property has invalid value (line {line}, column {column})")]
    Data {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// Reads a body.
///
/// # Errors
/// [`JsonFault`].
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonFault> {
    let text = std::str::from_utf8(body).map_err(|_invalid| JsonFault::NotUtf8)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    // The reader's own text can quote the content.
    T::deserialize(Strict(&mut reader)).and_then(|value| reader.end().map(|()| value)).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        match fault.classify() {
            serde_json::error::Category::Data => JsonFault::Data { line, column },
            _ => JsonFault::Syntax { line, column },
        }
    })
}

/// Anything that takes part in reading, handing itself on to all that lies below it.
struct Strict<T>(T);

macro_rules! forward {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Strict(visitor))
        })+
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    /// The point of it all: a struct is read as a map, and as nothing else.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, Strict(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Strict(visitor))
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty,)+) => {
        $(fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        })+
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64,
        visit_str: &str, visit_borrowed_str: &'de str, visit_string: String,
        visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(data)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(inner))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Outer {
        name: Option<String>,
        inner: Option<Inner>,
        list: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        on: Option<bool>,
        number: u32,
    }

    #[test]
    fn objects_are_read_and_lists_in_their_place_are_not() {
        let body = br#"{"name":"n","inner":{"on":true},"list":[{"number":7}],"unknown":[1,{"a":null}]}"#;
        let read: Outer = from_slice(body).unwrap();
        assert_eq!(read.inner, Some(Inner { on: Some(true), number: 0 }));
        assert_eq!((read.name.as_deref(), read.list.as_slice()), (Some("n"), &[Inner { on: None, number: 7 }][..]));
        for body in [r#"["n"]"#, r#"{"inner":[true]}"#, r#"{"list":[[true]]}"#, r#"{"list":{}}"#, "7", "null"] {
            let fault = from_slice::<Outer>(body.as_bytes()).unwrap_err();
            assert!(matches!(fault, JsonFault::Data { .. }), "{body}: {fault}");
        }
    }

    #[test]
    fn what_is_no_json_or_no_text_is_told_apart() {
        for body in ["", "{", "{}x", "{\"a\"}", "{\"name\":\"n\",}"] {
            let fault = from_slice::<Outer>(body.as_bytes()).unwrap_err();
            assert!(matches!(fault, JsonFault::Syntax { .. }), "{body}: {fault}");
        }
        assert_eq!(from_slice::<Outer>(b"{\"unknown\":\"\xff\"}"), Err(JsonFault::NotUtf8));
    }
}
