//! Filters on keys, labels, names and tags (contract 2.8.6).

use super::{MAX_NAME_CHARS, Problem};

/// Most alternatives in a filter, and most tag filters in a request.
pub const MAX_PATTERNS: usize = 5;

/// One alternative of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// No label.
    Null,
    /// This text.
    Exact(String),
    /// What begins with this text.
    Prefix(String),
}

/// A filter: any of its patterns, or everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Option<Vec<Pattern>>);

impl Filter {
    /// Everything.
    pub const ANY: Self = Self(None);

    /// Reads a filter: patterns with commas between them, `*` at the end of a prefix, NUL for no
    /// label, and `\` before a `*`, `,` or `\` that means itself. Empty, or with a `*` first, it
    /// lets everything through.
    ///
    /// # Errors
    /// `Invalid`, with the position.
    pub fn parse(parameter: &str, text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.starts_with('*') {
            return Ok(Self::ANY);
        }
        let mut reader = Reader { parameter, patterns: Vec::new(), literal: String::new(), prefix: false, null: false };
        let mut characters = text.chars().enumerate();
        while let Some((at, character)) = characters.next() {
            match character {
                ',' => reader.end(at)?,
                // Nothing may follow the star or the NUL of a pattern.
                _ if reader.prefix || reader.null => {
                    let detail = "Only a comma can follow a '*' or a null character.";
                    return Err(reader.fault(at, detail));
                }
                '*' => reader.prefix = true,
                '\0' if reader.literal.is_empty() => reader.null = true,
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | ',' | '\\'))) => reader.literal.push(escaped),
                    // The null label as some write it.
                    Some((_, '0')) if reader.literal.is_empty() => reader.null = true,
                    _ => return Err(reader.fault(at, "A '\\' stands only before '*', ',' or '\\'.")),
                },
                control if control.is_control() => {
                    return Err(reader.fault(at, "Control characters are not allowed."));
                }
                plain => reader.literal.push(plain),
            }
        }
        reader.end(text.chars().count())?;
        Ok(Self(Some(reader.patterns)))
    }

    /// Exactly this text.
    #[must_use]
    pub fn exact(text: &str) -> Self {
        Self(Some(vec![Pattern::Exact(text.to_owned())]))
    }

    /// Does it let `text` through? `None` is no label.
    #[must_use]
    pub fn matches(&self, text: Option<&str>) -> bool {
        let Some(patterns) = &self.0 else { return true };
        patterns.iter().any(|pattern| match (pattern, text) {
            (Pattern::Null, None) => true,
            (Pattern::Exact(exact), Some(text)) => exact == text,
            (Pattern::Prefix(prefix), Some(text)) => text.starts_with(prefix.as_str()),
            _ => false,
        })
    }

    /// Its patterns; `None` is everything.
    #[must_use]
    pub fn patterns(&self) -> Option<&[Pattern]> {
        self.0.as_deref()
    }
}

struct Reader<'a> {
    parameter: &'a str,
    patterns: Vec<Pattern>,
    literal: String,
    prefix: bool,
    null: bool,
}

impl Reader<'_> {
    /// Ends a pattern at character `at`.
    fn end(&mut self, at: usize) -> Result<(), Problem> {
        let literal = std::mem::take(&mut self.literal);
        let pattern = match (std::mem::take(&mut self.null), std::mem::take(&mut self.prefix)) {
            (true, _) => Pattern::Null,
            (false, true) => Pattern::Prefix(literal),
            (false, false) if literal.is_empty() => return Err(self.fault(at, "A pattern is empty.")),
            (false, false) => Pattern::Exact(literal),
        };
        if self.patterns.len() >= MAX_PATTERNS {
            return Err(self.fault(at, &format!("There are at most {MAX_PATTERNS} patterns.")));
        }
        if let Pattern::Exact(text) | Pattern::Prefix(text) = &pattern
            && text.chars().count() > MAX_NAME_CHARS
        {
            return Err(self.fault(at, &format!("A pattern has at most {MAX_NAME_CHARS} characters.")));
        }
        self.patterns.push(pattern);
        Ok(())
    }

    fn fault(&self, position: usize, detail: &str) -> Problem {
        Problem::Invalid { name: self.parameter.to_owned(), detail: detail.to_owned(), position: Some(position) }
    }
}

/// `name=value`: a tag that has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFilter {
    name: String,
    value: Option<String>,
}

impl TagFilter {
    /// Reads one: split at the first `=` that has no `\` before it; NUL is the null value.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn parse(parameter: &str, text: &str) -> Result<Self, Problem> {
        let fault = |position, detail: &str| Problem::Invalid {
            name: parameter.to_owned(),
            detail: detail.to_owned(),
            position: Some(position),
        };
        let (mut name, mut value) = (String::new(), None::<String>);
        let mut characters = text.chars().enumerate();
        while let Some((at, character)) = characters.next() {
            let plain = match character {
                '=' if value.is_none() => {
                    value = Some(String::new());
                    continue;
                }
                '=' => return Err(fault(at, "A second '=' has to be written '\\='.")),
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | ',' | '\\' | '='))) => escaped,
                    Some((_, '0')) if value.as_deref() == Some("") => '\0',
                    _ => return Err(fault(at, "A '\\' stands only before '*', ',', '=' or '\\'.")),
                },
                plain => plain,
            };
            value.as_mut().unwrap_or(&mut name).push(plain);
        }
        let end = text.chars().count();
        let value = value.ok_or_else(|| fault(end, "A tag filter is name=value."))?;
        if name.is_empty() {
            return Err(fault(0, "The tag's name is empty."));
        }
        if name.chars().count() > MAX_NAME_CHARS || value.chars().count() > MAX_NAME_CHARS {
            return Err(fault(end, &format!("A tag's name and value have at most {MAX_NAME_CHARS} characters.")));
        }
        let value = if value == "\0" { None } else { Some(value) };
        if name.chars().chain(value.iter().flat_map(|value| value.chars())).any(char::is_control) {
            return Err(fault(end, "Control characters are not allowed."));
        }
        Ok(Self { name, value })
    }

    /// Is the tag there?
    #[must_use]
    pub fn matches(&self, tags: &super::ConfigTags) -> bool {
        tags.get(&self.name).is_some_and(|value| *value == self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<Pattern>> {
        Filter::parse("key", text).unwrap_or_else(|fault| panic!("{text}: {fault}")).0
    }

    #[test]
    fn filters() {
        let exact = |text: &str| Pattern::Exact(text.to_owned());
        let prefix = |text: &str| Pattern::Prefix(text.to_owned());
        assert_eq!(parsed(""), None);
        assert_eq!(parsed("*"), None);
        assert_eq!(parsed("a*"), Some(vec![prefix("a")]));
        assert_eq!(parsed("a,b*,\0"), Some(vec![exact("a"), prefix("b"), Pattern::Null]));
        assert_eq!(parsed(r"a\*\,\\"), Some(vec![exact(r"a*,\")]));
        assert_eq!(parsed(r"\0"), Some(vec![Pattern::Null]));
        assert_eq!(parsed("ü*"), Some(vec![prefix("ü")]));
        for (text, at) in
            [("a*b", 2), (r"a\b", 1), (r"a\", 1), ("a,,b", 2), ("a,", 2), ("a\0", 1), ("\0a", 1), ("a,b,c,d,e,f", 11)]
        {
            let Err(Problem::Invalid { position, .. }) = Filter::parse("key", text) else { panic!("{text:?}") };
            assert_eq!(position, Some(at), "{text:?}");
        }
        let filter = Filter::parse("label", "\0,prod*").unwrap();
        assert!(filter.matches(None) && filter.matches(Some("production")) && !filter.matches(Some("test")));
        assert!(!Filter::parse("label", "x").unwrap().matches(None) && Filter::ANY.matches(None));
    }

    #[test]
    fn tag_filters() {
        let tags = [("env".to_owned(), Some("a=b".to_owned())), ("n".to_owned(), None)].into();
        let matches = |text: &str| TagFilter::parse("tags", text).unwrap().matches(&tags);
        assert!(matches(r"env=a\=b") && matches("n=\0") && matches(r"n=\0"));
        assert!(!matches("n=") && !matches("env=a") && !matches("x=y"));
        for bad in ["", "a", "=b", "a=b=c", r"a\b=c", "a=\u{1}"] {
            assert!(TagFilter::parse("tags", bad).is_err(), "{bad:?}");
        }
    }
}
