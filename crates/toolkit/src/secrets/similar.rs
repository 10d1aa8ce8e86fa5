//! Names that may have been meant.

/// The name that is most like another: at most two letters apart, whatever the case and the hyphens.
pub(super) fn nearest(name: &str, names: &[String]) -> Option<String> {
    let folded = |name: &str| -> Vec<char> {
        name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = folded(name);
    let most = wanted.len().min(6) / 3;
    let apart = names.iter().map(|one| (distance(&wanted, &folded(one)), one));
    apart.filter(|(apart, _)| *apart <= most).min_by_key(|(apart, _)| *apart).map(|(_, one)| one.clone())
}

/// Insertions, deletions and replacements from one to the other (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in (1_usize..).zip(one) {
        // What is left and above in the table, of which one row is kept.
        let (mut left, mut corner) = (number, number.saturating_sub(1));
        let mut next = vec![left];
        for (above, against) in row.iter().skip(1).zip(other) {
            let replaced = corner.saturating_add(usize::from(letter != against));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_when_it_is_nearly_the_same() {
        let names = ["DB-USERNAME", "DB-PASSWORD", "api-key", "a"].map(str::to_owned);
        let nearest = |name: &str| nearest(name, &names);
        for wrong in ["DbUsername", "db_username", "DB-USERNAM", "DB-USER-NMAE"] {
            assert_eq!(nearest(wrong).as_deref(), Some("DB-USERNAME"), "{wrong}");
        }
        assert_eq!(nearest("api-keys").as_deref(), Some("api-key"));
        for strange in ["smtp", "", "b", "database-username"] {
            assert_eq!(nearest(strange), None, "{strange}");
        }
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        let between =
            |one: &str, other: &str| distance(&one.chars().collect::<Vec<_>>(), &other.chars().collect::<Vec<_>>());
        for (one, other, wanted) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("same", "same", 0)]
        {
            assert_eq!(between(one, other), wanted, "{one} {other}");
        }
    }
}
