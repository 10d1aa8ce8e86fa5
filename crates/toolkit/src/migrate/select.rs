//! Which objects are meant.

use strongroom_wire::ids::{Kind, ObjectName};

/// Which objects are meant: all, or those of a kind, or whose names fit a pattern.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only secrets, or only keys.
    pub kind: Option<Kind>,
    /// Patterns with `*` for any text and `?` for any character; without one, all names are meant.
    /// Case does not count, as in names.
    pub names: Vec<String>,
}

impl Selection {
    pub(super) fn has(&self, name: &ObjectName) -> bool {
        self.names.is_empty() || self.names.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), &name.folded()))
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on after the last `*`, when what follows it does not fit here.
    let (mut at, mut in_text, mut star) = (0_usize, 0_usize, None::<(usize, usize)>);
    while let Some(byte) = text.get(in_text) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at = at.saturating_add(1);
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at = at.saturating_add(1);
                in_text = in_text.saturating_add(1);
            }
            _ => {
                let Some((star_at, from)) = star else { return false };
                let next = from.saturating_add(1);
                star = Some((star_at, next));
                (at, in_text) = (star_at.saturating_add(1), next);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, text, wanted) in [
            ("*", "anything", true),
            ("app-*", "app-1", true),
            ("app-*", "my-app-1", false),
            ("*-key", "app-key", true),
            ("*-key", "app-key-2", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
