//! `If-Match` and `If-None-Match` (RFC 9110 section 13.1, contract 2.8.5).

use super::Problem;

/// What a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tag {
    Any,
    Etag(String),
}

/// The conditions of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<Tag>,
    if_none_match: Option<Tag>,
}

/// What a read with conditions gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// 200 and the content.
    Content,
    /// 304.
    NotModified,
}

impl Conditions {
    /// From the values of the two headers. Of a list only the first tag counts.
    #[must_use]
    pub fn new(if_match: Option<&str>, if_none_match: Option<&str>) -> Self {
        Self { if_match: if_match.and_then(tag), if_none_match: if_none_match.and_then(tag) }
    }

    /// May it be written over what has the etag `current`?
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn for_write(&self, current: Option<&str>) -> Result<(), Problem> {
        let matches = |tag: &Tag| match (tag, current) {
            (_, None) => false,
            (Tag::Any, Some(_)) => true,
            (Tag::Etag(tag), Some(current)) => tag == current,
        };
        if self.if_match.as_ref().is_some_and(|tag| !matches(tag)) || self.if_none_match.as_ref().is_some_and(matches) {
            return Err(Problem::PreconditionFailed);
        }
        Ok(())
    }

    /// What does a read of that which has the etag `current` give?
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn for_read(&self, current: &str) -> Result<ReadOutcome, Problem> {
        let matches = |tag: &Tag| matches!(tag, Tag::Any) || matches!(tag, Tag::Etag(tag) if tag == current);
        if self.if_match.as_ref().is_some_and(|tag| !matches(tag)) {
            return Err(Problem::PreconditionFailed);
        }
        Ok(match &self.if_none_match {
            Some(tag) if matches(tag) => ReadOutcome::NotModified,
            _ => ReadOutcome::Content,
        })
    }
}

fn tag(header: &str) -> Option<Tag> {
    let first = header.split(',').next()?.trim();
    let bare = first.strip_prefix("W/").unwrap_or(first).trim_matches('"');
    match bare {
        "" => None,
        "*" => Some(Tag::Any),
        etag => Some(Tag::Etag(etag.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes() {
        let holds =
            |if_match, if_none_match, current| Conditions::new(if_match, if_none_match).for_write(current).is_ok();
        assert!(holds(None, None, None) && holds(None, None, Some("a")));
        assert!(holds(Some("\"a\""), None, Some("a")) && holds(Some("*"), None, Some("a")));
        assert!(holds(Some("W/\"a\", \"b\""), None, Some("a")), "only the first counts");
        assert!(!holds(Some("\"a\""), None, Some("b")) && !holds(Some("*"), None, None));
        assert!(!holds(Some("\"a\""), None, None));
        assert!(holds(None, Some("*"), None) && !holds(None, Some("*"), Some("a")));
        assert!(!holds(None, Some("\"a\""), Some("a")) && holds(None, Some("\"a\""), Some("b")));
    }

    #[test]
    fn reads() {
        let read = |if_match, if_none_match| Conditions::new(if_match, if_none_match).for_read("a");
        assert_eq!(read(None, None), Ok(ReadOutcome::Content));
        assert_eq!(read(None, Some("\"a\"")), Ok(ReadOutcome::NotModified));
        assert_eq!(read(None, Some("*")), Ok(ReadOutcome::NotModified));
        assert_eq!(read(None, Some("\"b\"")), Ok(ReadOutcome::Content));
        assert_eq!(read(Some("\"b\""), None), Err(Problem::PreconditionFailed));
        assert_eq!(read(Some("\"a\""), Some("\"b\"")), Ok(ReadOutcome::Content));
    }
}
