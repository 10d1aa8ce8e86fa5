//! Names that may have been meant.

/// The name that is most like another: at most two letters apart, whatever the case and the hyphens.
pub(super) fn nearest(name: &str, names: &[String]) -> Option<String> {
    let folded = |name: &str| -> String {
        name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = folded(name);
    let most = wanted.len().min(6) / 3;
    let apart = names.iter().map(|one| (strsim::levenshtein(&wanted, &folded(one)), one));
    apart.filter(|(apart, _)| *apart <= most).min_by_key(|(apart, _)| *apart).map(|(_, one)| one.clone())
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
}
