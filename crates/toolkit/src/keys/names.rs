//! Names of keys that will still be understood in a year.

use strongroom_wire::ids::ObjectName;

/// What the words of names that say nothing are.
const EMPTY_WORDS: &[&str] = &[
    "a",
    "abc",
    "asdf",
    "bar",
    "baz",
    "default",
    "demo",
    "example",
    "foo",
    "key",
    "keys",
    "misc",
    "my",
    "mykey",
    "name",
    "new",
    "old",
    "sample",
    "secret",
    "something",
    "stuff",
    "temp",
    "test",
    "testing",
    "the",
    "thing",
    "tmp",
    "untitled",
    "x",
    "xyz",
];

/// What is wrong with a key's name; `None` when it says what the key is for, as `production-api-jwt-v2`,
/// `staging-webhook-ecdsa` and `ca-root-rsa4096-2024` do.
///
/// ```
/// use strongroom::keys::advise_name;
/// assert!(advise_name("key1").is_some_and(|advice| advice.contains("environment")));
/// assert_eq!(advise_name("production-api-jwt-v2"), None);
/// ```
#[must_use]
pub fn advise_name(name: &str) -> Option<String> {
    if let Err(error) = ObjectName::parse(name) {
        return Some(error.message);
    }
    let words: Vec<_> = name.split('-').filter(|word| !word.is_empty()).map(telling).collect();
    let telling = words.iter().filter(|telling| **telling).count();
    if telling >= 2 {
        return None;
    }
    let why = if telling == 0 { "says nothing" } else { "says too little" };
    Some(format!("{why}: put environment, purpose and kind or version into it, such as production-api-jwt-v2"))
}

/// Does a word say something? Not when it is an empty one, with a number behind it or none.
fn telling(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let letters = word.trim_end_matches(|last: char| last.is_ascii_digit());
    !letters.is_empty() && !EMPTY_WORDS.contains(&letters) && letters != "v"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_told_from_those_that_do() {
        for good in ["production-api-jwt-v2", "staging-webhook-ecdsa", "ca-root-rsa4096-2024", "document-signing-key"] {
            assert_eq!(advise_name(good), None, "{good}");
        }
        for bad in ["key1", "test", "Test-Key", "my-key-2", "foo", "key-v2", "2024", "-", "jwt", "a_b", "", "temp1-x"] {
            assert!(advise_name(bad).is_some(), "{bad}");
        }
    }
}
