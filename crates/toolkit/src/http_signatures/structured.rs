//! As much of structured fields (RFC 9651) as signatures need: dictionaries, inner lists, strings,
//! integers, booleans, tokens and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{HttpSignatureError, malformed};

/// Longest field that is read.
const MAX_LEN: usize = 65_536;

/// A bare item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bare {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A token or bytes, which mean nothing here.
    Other,
}

pub(super) type Params = Vec<(String, Bare)>;

/// An item of an inner list: a string with its parameters.
pub(super) type Item = (String, Params);

/// Members and their raw values, in order. A name that stands twice is refused.
pub(super) fn parse_dictionary(field: &str) -> Result<Vec<(&str, &str)>, HttpSignatureError> {
    if field.len() > MAX_LEN {
        return Err(malformed("a signature's field is too long"));
    }
    let mut reader = Reader(field.trim_matches(' '));
    let mut members: Vec<(&str, &str)> = Vec::new();
    loop {
        let label = reader.key()?;
        reader.require('=')?;
        let start = reader.0;
        if reader.0.starts_with('(') {
            drop(reader.list()?)
        } else {
            drop(reader.bare()?)
        }
        drop(reader.params()?);
        let raw = start.get(..start.len() - reader.0.len()).unwrap_or_default();
        if members.iter().any(|(known, _)| *known == label) {
            return Err(malformed("a label stands twice in a signature's field"));
        }
        members.push((label, raw));
        reader.skip_spaces();
        if reader.0.is_empty() {
            return Ok(members);
        }
        reader.require(',')?;
        reader.skip_spaces();
    }
}

/// The items of an inner list, and its parameters.
pub(super) fn inner_list(raw: &str) -> Result<(Vec<Item>, Params), HttpSignatureError> {
    let mut reader = Reader(raw);
    let (items, params) = (reader.list()?, reader.params()?);
    if reader.0.is_empty() { Ok((items, params)) } else { Err(malformed("a signature's input cannot be read")) }
}

/// One item with its parameters.
pub(super) fn item(raw: &str) -> Result<Item, HttpSignatureError> {
    let mut reader = Reader(raw);
    let (name, params) = (reader.text()?, reader.params()?);
    if reader.0.is_empty() { Ok((name, params)) } else { Err(malformed("a component cannot be read")) }
}

/// Bytes as an item.
pub(super) fn bytes(bytes: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(bytes))
}

pub(super) fn read_bytes(raw: &str) -> Option<Vec<u8>> {
    STANDARD.decode(raw.strip_prefix(':')?.strip_suffix(':')?).ok()
}

/// A string as an item.
pub(super) fn quoted(text: &str) -> Result<String, HttpSignatureError> {
    if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(malformed("a text to be signed is not ASCII"));
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn require(&mut self, wanted: char) -> Result<(), HttpSignatureError> {
        self.0 = self.0.strip_prefix(wanted).ok_or_else(|| malformed("a signature's field cannot be read"))?;
        Ok(())
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|next| !wanted(next)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(end).unwrap_or(("", self.0));
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Result<&'a str, HttpSignatureError> {
        let legal = |next: char| next.is_ascii_lowercase() || next.is_ascii_digit() || "_-.*".contains(next);
        let key = self.take(legal);
        if key.starts_with(|first: char| first.is_ascii_lowercase() || first == '*') {
            Ok(key)
        } else {
            Err(malformed("a signature's field cannot be read"))
        }
    }

    fn list(&mut self) -> Result<Vec<Item>, HttpSignatureError> {
        self.require('(')?;
        let mut items = Vec::new();
        loop {
            self.skip_spaces();
            if let Some(rest) = self.0.strip_prefix(')') {
                self.0 = rest;
                return Ok(items);
            }
            items.push((self.text()?, self.params()?));
            if !self.0.starts_with([' ', ')']) {
                return Err(malformed("a signature's input cannot be read"));
            }
        }
    }

    fn params(&mut self) -> Result<Params, HttpSignatureError> {
        let mut params: Params = Vec::new();
        while let Some(rest) = self.0.strip_prefix(';') {
            self.0 = rest.trim_start_matches(' ');
            let key = self.key()?.to_owned();
            let value = match self.0.strip_prefix('=') {
                Some(rest) => {
                    self.0 = rest;
                    self.bare()?
                }
                None => Bare::Boolean(true),
            };
            if params.iter().any(|(known, _)| *known == key) {
                return Err(malformed("a parameter of a signature stands twice"));
            }
            params.push((key, value));
        }
        Ok(params)
    }

    fn bare(&mut self) -> Result<Bare, HttpSignatureError> {
        let first = self.0.chars().next();
        match first {
            Some('"') => self.text().map(Bare::Text),
            Some('-' | '0'..='9') => {
                let digits = self.take(|next| next == '-' || next.is_ascii_digit());
                let number = if digits.len() > 16 { None } else { digits.parse().ok() };
                number.map(Bare::Integer).ok_or_else(|| malformed("a number of a signature cannot be read"))
            }
            Some('?') => {
                let (value, rest) = match (self.0.strip_prefix("?1"), self.0.strip_prefix("?0")) {
                    (Some(rest), _) => (true, rest),
                    (_, Some(rest)) => (false, rest),
                    _ => return Err(malformed("a signature's field cannot be read")),
                };
                self.0 = rest;
                Ok(Bare::Boolean(value))
            }
            Some(':') => {
                self.require(':')?;
                self.take(|next| next.is_ascii_alphanumeric() || "+/=".contains(next));
                self.require(':')?;
                Ok(Bare::Other)
            }
            Some(first) if first.is_ascii_alphabetic() || first == '*' => {
                self.take(|next| next.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(next));
                Ok(Bare::Other)
            }
            _ => Err(malformed("a signature's field cannot be read")),
        }
    }

    fn text(&mut self) -> Result<String, HttpSignatureError> {
        let wrong = || malformed("a text of a signature cannot be read");
        self.require('"')?;
        let (mut text, mut rest) = (String::new(), self.0.char_indices());
        while let Some((at, next)) = rest.next() {
            match next {
                '"' => {
                    self.0 = self.0.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => match rest.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => return Err(wrong()),
                },
                ' '..='~' => text.push(next),
                _ => return Err(wrong()),
            }
        }
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_and_lists_are_read_and_what_is_none_is_refused() {
        let field = r#"a=("x" "y";name="p;,\"q");created=-5;keyid="k";flag;t=tok/en, b=:AAE=:"#;
        let members = parse_dictionary(field).unwrap();
        assert_eq!(members[1], ("b", ":AAE=:"));
        assert_eq!(read_bytes(members[1].1).unwrap(), [0, 1]);
        let (items, params) = inner_list(members[0].1).unwrap();
        assert_eq!(items[1], ("y".to_owned(), vec![("name".to_owned(), Bare::Text("p;,\"q".to_owned()))]));
        assert_eq!(params[0], ("created".to_owned(), Bare::Integer(-5)));
        assert_eq!(params[2], ("flag".to_owned(), Bare::Boolean(true)));
        for wrong in [
            "",
            "a",
            "a=",
            "A=1",
            "a=1,",
            "a=1 b=2",
            "a=\"x",
            "a=\"\\n\"",
            "a=?2",
            "a=(\"x\"\"y\")",
            "a=(x)",
            "a=(\"x\"",
            "a=1;b=1;b=2",
            "a=1, a=2",
            "a=99999999999999999999",
            "a=:$:",
            "a=\"\u{e4}\"",
            "a=1;",
            "\u{e4}=1",
        ] {
            assert!(parse_dictionary(wrong).is_err(), "{wrong}");
        }
        assert!(inner_list("1").is_err() && item("\"x\" ").is_err() && item("x").is_err());
    }
}
