//! Files of settings: JSON, YAML, Java properties and `.env`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value};

/// A file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Nested or flat objects.
    Json,
    /// Nested or flat mappings.
    Yaml,
    /// key=value lines, as Java reads them.
    Properties,
    /// KEY=value lines, as shells and dotenv readers do; `__` stands for a colon.
    Env,
}

/// What a file holds: settings, and feature flags by their names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) settings: BTreeMap<String, Option<String>>,
    pub(super) flags: BTreeMap<String, Value>,
}

impl Format {
    /// By the file's name, unless it was said.
    pub(super) fn of(said: Option<Self>, file: &Path) -> Result<Self, String> {
        let by_name = || {
            let name = file.file_name()?.to_str()?.to_ascii_lowercase();
            match name.rsplit_once('.').map_or(name.as_str(), |(_, extension)| extension) {
                "json" => Some(Self::Json),
                "yaml" | "yml" => Some(Self::Yaml),
                "properties" => Some(Self::Properties),
                "env" => Some(Self::Env),
                _ => None,
            }
        };
        said.or_else(by_name)
            .ok_or_else(|| format!("the format of {} is not known by its name: give --format", file.display()))
    }

    /// Reads a file's text. `separator` joins the names of nested settings.
    pub(super) fn read(self, text: &str, separator: &str) -> Result<Content, String> {
        let nested = match self {
            // Neither reader's own text is shown: it can quote a value.
            Self::Json => serde_json::from_str(text)
                .map_err(|fault| format!("not valid JSON (line {}, column {})", fault.line(), fault.column()))?,
            Self::Yaml => serde_saphyr::from_str::<Value>(text).map_err(|fault| {
                let place = fault.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
                format!("not valid YAML{}", place.unwrap_or_default())
            })?,
            Self::Properties => return properties(text),
            Self::Env => return env(text),
        };
        let Value::Object(mut members) = nested else { return Err("it is not an object with settings".to_owned()) };
        let mut content = Content { flags: take_flags(&mut members)?, ..Content::default() };
        for (name, value) in members {
            flatten(&mut content.settings, name, value, separator);
        }
        Ok(content)
    }

    /// Writes a file's text; with a `separator`, JSON and YAML are nested by it.
    pub(super) fn write(self, content: &Content, separator: Option<&str>) -> Result<String, String> {
        match self {
            Self::Json | Self::Yaml => {
                let mut members = nest(&content.settings, separator)?;
                if !content.flags.is_empty() {
                    let flags: Vec<Value> = content.flags.values().cloned().collect();
                    members.insert(SECTION.to_owned(), serde_json::json!({ FLAGS: flags }));
                }
                let text = if self == Self::Json {
                    serde_json::to_string_pretty(&members).map_err(|fault| fault.to_string())
                } else {
                    serde_saphyr::to_string(&members).map_err(|fault| fault.to_string())
                };
                text.map(|text| format!("{}\n", text.trim_end()))
            }
            Self::Properties => {
                Ok(content.settings.iter().map(|(key, value)| property(key, value.as_deref())).collect())
            }
            Self::Env => Ok(content.settings.iter().map(|(key, value)| variable(key, value.as_deref())).collect()),
        }
    }
}

/// Where Microsoft's feature management looks for flags in a file.
const SECTION: &str = "feature_management";
const FLAGS: &str = "feature_flags";

fn take_flags(members: &mut Map<String, Value>) -> Result<BTreeMap<String, Value>, String> {
    let Some(section) = members.remove(SECTION) else { return Ok(BTreeMap::new()) };
    let flags = section.get(FLAGS).and_then(Value::as_array);
    let flags = flags.ok_or_else(|| format!("{SECTION} has no list {FLAGS}"))?;
    let named = flags.iter().map(|flag| {
        let id = flag.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(|id| (id.to_owned(), flag.clone())).ok_or_else(|| format!("a flag under {FLAGS} has no id"))
    });
    named.collect()
}

fn flatten(into: &mut BTreeMap<String, Option<String>>, name: String, value: Value, separator: &str) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                flatten(into, format!("{name}{separator}{member}"), value, separator);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, value) in items.into_iter().enumerate() {
                flatten(into, format!("{name}{separator}{number}"), value, separator);
            }
        }
        Value::Null => drop(into.insert(name, None)),
        Value::String(text) => drop(into.insert(name, Some(text))),
        other => drop(into.insert(name, Some(other.to_string()))),
    }
}

fn nest(settings: &BTreeMap<String, Option<String>>, separator: Option<&str>) -> Result<Map<String, Value>, String> {
    let mut root = Map::new();
    for (key, value) in settings {
        let value = value.clone().map_or(Value::Null, Value::String);
        let parts: Vec<&str> = match separator.filter(|separator| !separator.is_empty()) {
            Some(separator) => key.split(separator).collect(),
            None => vec![key.as_str()],
        };
        let clash =
            || format!("{key} is both a setting and the beginning of others: give another --separator, or none");
        let (last, before) = parts.split_last().ok_or_else(clash)?;
        let mut place = &mut root;
        for part in before {
            let next = place.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            place = next.as_object_mut().ok_or_else(clash)?;
        }
        if place.insert((*last).to_owned(), value).is_some() {
            return Err(clash());
        }
    }
    Ok(root.into_iter().map(|(name, value)| (name, lists(value))).collect())
}

/// Objects whose members are `0`, `1`, … become lists again.
fn lists(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let mut members: Map<String, Value> = members.into_iter().map(|(name, value)| (name, lists(value))).collect();
    let is_list = (0..members.len()).all(|number| members.contains_key(&number.to_string()));
    if !is_list || members.is_empty() {
        return Value::Object(members);
    }
    Value::Array((0..members.len()).filter_map(|number| members.remove(&number.to_string())).collect())
}

/// Java's format (`java.util.Properties`).
fn properties(text: &str) -> Result<Content, String> {
    let mut content = Content::default();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        // An odd number of backslashes at the end: it goes on.
        while line.len().saturating_sub(line.trim_end_matches('\\').len()) % 2 == 1 {
            line.pop();
            line.push_str(lines.next().map_or("", |(_, next)| next.trim_start()));
        }
        let mut key = String::new();
        let mut rest = line.chars();
        while let Some(character) = rest.next() {
            match character {
                '\\' => escape(&mut key, &mut rest, number)?,
                '=' | ':' => break,
                blank if blank.is_whitespace() => {
                    let after = rest.as_str().trim_start();
                    rest = after.strip_prefix(['=', ':']).unwrap_or(after).chars();
                    break;
                }
                plain => key.push(plain),
            }
        }
        let mut value = String::new();
        let mut rest = rest.as_str().trim_start().chars();
        while let Some(character) = rest.next() {
            match character {
                '\\' => escape(&mut value, &mut rest, number)?,
                plain => value.push(plain),
            }
        }
        content.settings.insert(key, Some(value));
    }
    Ok(content)
}

fn escape(into: &mut String, rest: &mut std::str::Chars<'_>, line: usize) -> Result<(), String> {
    match rest.next() {
        Some('n') => into.push('\n'),
        Some('t') => into.push('\t'),
        Some('r') => into.push('\r'),
        Some('f') => into.push('\u{c}'),
        Some('u') => {
            let digits: String = rest.by_ref().take(4).collect();
            let character = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
            into.push(
                character.ok_or_else(|| format!("line {}: \\u has four hexadecimal digits", line.saturating_add(1)))?,
            );
        }
        Some(other) => into.push(other),
        None => {}
    }
    Ok(())
}

fn property(key: &str, value: Option<&str>) -> String {
    let escaped = |text: &str, of_key: bool| {
        let mut out = String::new();
        for (at, character) in text.chars().enumerate() {
            match character {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '\\' => out.push_str("\\\\"),
                '=' | ':' | '#' | '!' if of_key => out.extend(['\\', character]),
                ' ' if of_key || at == 0 => out.push_str("\\ "),
                plain => out.push(plain),
            }
        }
        out
    };
    format!("{}={}\n", escaped(key, true), escaped(value.unwrap_or_default(), false))
}

fn env(text: &str) -> Result<Content, String> {
    let mut content = Content::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let (key, value) = pair.ok_or_else(|| format!("line {}: it is not KEY=value", number.saturating_add(1)))?;
        content.settings.insert(key.trim().replace("__", ":"), Some(unquoted(value.trim())));
    }
    Ok(content)
}

fn unquoted(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return inner.replace(r"'\''", "'");
    }
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        // A comment behind an unquoted value.
        return value.split_once(" #").map_or(value, |(value, _)| value.trim_end()).to_owned();
    };
    let (mut out, mut rest) = (String::new(), inner.chars());
    while let Some(character) = rest.next() {
        match (character, character == '\\') {
            (_, true) => match rest.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (plain, false) => out.push(plain),
        }
    }
    out
}

fn variable(key: &str, value: Option<&str>) -> String {
    let name: String =
        key.replace(':', "__").chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let value = value.unwrap_or_default();
    let plain =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&byte));
    if plain {
        return format!("{name}={value}\n");
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    format!("{name}=\"{}\"\n", escaped.replace('$', "\\$").replace('`', "\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, Option<&str>)]) -> Content {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
        Content { settings: pairs.collect(), flags: BTreeMap::new() }
    }

    #[test]
    fn nested_files_are_flattened_and_nested_again() {
        let json = r#"{"a":{"b":"x","list":["p",{"q":1}]},"n":null,"t":true,"e":{}}"#;
        let yaml = "a:\n  b: x\n  list:\n    - p\n    - q: 1\nn: null\nt: true\ne: {}\n";
        let wanted = settings(&[
            ("a:b", Some("x")),
            ("a:list:0", Some("p")),
            ("a:list:1:q", Some("1")),
            ("e", Some("{}")),
            ("n", None),
            ("t", Some("true")),
        ]);
        assert_eq!(Format::Json.read(json, ":").unwrap(), wanted);
        assert_eq!(Format::Yaml.read(yaml, ":").unwrap(), wanted);
        for format in [Format::Json, Format::Yaml] {
            for separator in [None, Some(":")] {
                let text = format.write(&wanted, separator).unwrap();
                assert_eq!(format.read(&text, ":").unwrap(), wanted, "{text}");
            }
        }
        assert!(Format::Json.write(&wanted, Some(":")).unwrap().contains("\"list\": ["));
        assert!(Format::Json.write(&settings(&[("a", None), ("a:b", None)]), Some(":")).is_err());
    }

    #[test]
    fn lines_survive_in_both_formats_of_lines() {
        let odd = settings(&[
            ("a.b", Some("plain")),
            ("c:d", Some(" lead, \"quote\" and \\ and $x `y`")),
            ("e", Some("")),
            ("f", Some("two\nlines=1 # no comment")),
            ("g", Some("ü: !")),
        ]);
        let text = Format::Properties.write(&odd, None).unwrap();
        assert_eq!(Format::Properties.read(&text, ":").unwrap(), odd, "{text}");
        let text = Format::Env.write(&odd, None).unwrap();
        let read = Format::Env.read(&text, ":").unwrap();
        let values = |content: &Content| content.settings.values().cloned().collect::<Vec<_>>();
        assert_eq!(values(&read), values(&odd), "{text}");
        let java = "! c\n# c\n k1 : v1\nk2 v2\nlong = a\\\n   b\n\\u0061\\=b=c\\t\nempty\n";
        let wanted = settings(&[
            ("k1", Some("v1")),
            ("k2", Some("v2")),
            ("long", Some("ab")),
            ("a=b", Some("c\t")),
            ("empty", Some("")),
        ]);
        assert_eq!(Format::Properties.read(java, ":").unwrap(), wanted);
        let shell = "export A__B='it'\\''s'\nC=x # note\nD=\"q\\\"\"\n";
        assert_eq!(
            Format::Env.read(shell, ":").unwrap(),
            settings(&[("A:B", Some("it's")), ("C", Some("x")), ("D", Some("q\""))])
        );
    }

    #[test]
    fn flags_stand_in_their_own_section() {
        let text = r#"{"feature_management":{"feature_flags":[{"id":"Beta","enabled":true}]},"k":"v"}"#;
        let content = Format::Json.read(text, ":").unwrap();
        assert_eq!(content.flags["Beta"]["enabled"], true);
        let written = Format::Json.write(&content, None).unwrap();
        assert_eq!(Format::Json.read(&written, ":").unwrap(), content);
        for bad in ["[]", "{", r#"{"feature_management":{}}"#, r#"{"feature_management":{"feature_flags":[{}]}}"#] {
            assert!(Format::Json.read(bad, ":").is_err(), "{bad}");
        }
        assert_eq!(Format::of(None, Path::new("a/.env")), Ok(Format::Env));
        assert_eq!(Format::of(None, Path::new("x.YML")), Ok(Format::Yaml));
        assert!(Format::of(None, Path::new("x")).is_err());
    }
}
