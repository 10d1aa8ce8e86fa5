//! Components, and the text that is signed (RFC 9421 section 2).

use std::fmt;

use super::structured::{Bare, Item, item, quoted};
use super::{HttpSignatureError, Message, malformed};

/// A covered component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    name: String,
    /// Of `@query-param`.
    parameter: Option<String>,
}

impl Component {
    /// As people write it: `@path`, `content-type`, `@query-param;name="x"`.
    pub(super) fn parse(text: &str) -> Result<Self, HttpSignatureError> {
        let (name, params) = text.split_once(';').map_or((text, None), |(name, params)| (name, Some(params)));
        let raw = match params {
            Some(params) => format!("{};{params}", quoted(name)?),
            None => quoted(name)?,
        };
        Self::of_item(item(&raw)?)
    }

    pub(super) fn of_item((name, params): Item) -> Result<Self, HttpSignatureError> {
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"@!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(legal) {
            return Err(malformed("a component is named in lower case"));
        }
        let parameter = match (name.as_str(), params.as_slice()) {
            ("@query-param", [(key, Bare::Text(value))]) if key == "name" => Some(value.clone()),
            ("@query-param", _) => return Err(malformed("@query-param has one parameter: name")),
            (_, []) => None,
            _ => return Err(malformed("a component has parameters that are not read here")),
        };
        Ok(Self { name, parameter })
    }

    /// Has it this name? One that has parameters is written with them.
    pub(super) fn is(&self, name: &str) -> bool {
        if self.parameter.is_none() { self.name == name } else { Self::parse(name).as_ref() == Ok(self) }
    }

    fn value(&self, message: &Message) -> Result<String, HttpSignatureError> {
        let value = match (self.name.as_str(), &self.parameter) {
            ("@query-param", Some(name)) => message.query_param(name),
            (derived, _) if derived.starts_with('@') => message.derived(derived),
            (field, _) => message.field(field),
        };
        value.ok_or_else(|| malformed(&format!("the message has no {}", self.name)))
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.name)?;
        match &self.parameter {
            Some(name) => write!(f, ";name={}", quoted(name).unwrap_or_default()),
            None => Ok(()),
        }
    }
}

/// The signature base (section 2.5): a line a component, then `params` as they stand in
/// `Signature-Input`.
pub(super) fn signature_base(
    message: &Message,
    components: &[Component],
    params: &str,
) -> Result<String, HttpSignatureError> {
    let mut lines = Vec::with_capacity(components.len() + 1);
    for (place, component) in components.iter().enumerate() {
        if components.iter().take(place).any(|earlier| earlier == component) {
            return Err(malformed("a component is covered twice"));
        }
        let value = component.value(message)?;
        // A line's end in a value would make two lines of it.
        if value.contains(['\r', '\n']) || !value.is_ascii() {
            return Err(malformed("a value to be signed has a line's end in it, or is not ASCII"));
        }
        lines.push(format!("{component}: {value}"));
    }
    lines.push(format!("\"@signature-params\": {params}"));
    Ok(lines.join("\n"))
}
