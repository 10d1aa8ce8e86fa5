//! The `api-version` query parameter.

use crate::error::Error;

/// Checks an `api-version`: `2016-10-01`, `2015-06-01`, any `7.N` or `7.N-preview[.M]`, and any
/// date from 2025 on, with or without `-preview`. Unknown newer dates are taken for the newest.
///
/// # Errors
/// `BadParameter` when it is missing or unknown.
pub fn check(version: Option<&str>) -> Result<(), Error> {
    let Some(version) = version.filter(|text| !text.is_empty()) else {
        return Err(Error::bad_parameter("api-version must be specified"));
    };
    if is_known(version) {
        return Ok(());
    }
    let shown: String =
        version.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).take(32).collect();
    Err(Error::bad_parameter(format!(
        "The specified version ({shown}) is not recognized. Consider using the latest supported version (2026-04-01)."
    )))
}

fn is_known(version: &str) -> bool {
    if matches!(version, "2015-06-01" | "2016-10-01") {
        return true;
    }
    if let Some(minor) = version.strip_prefix("7.") {
        let (number, preview) = minor.split_once('-').map_or((minor, None), |(number, tail)| (number, Some(tail)));
        let counted = |text: &str| text.is_empty() || text.strip_prefix('.').is_some_and(is_number);
        return is_number(number) && preview.is_none_or(|tail| tail.strip_prefix("preview").is_some_and(counted));
    }
    is_date(version.strip_suffix("-preview").unwrap_or(version))
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten()
    };
    let (year, month, day) = (next(4), next(2), next(2));
    parts.next().is_none()
        && year.is_some_and(|year| year >= 2025)
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_range_is_accepted_not_a_list() {
        for good in [
            "2015-06-01",
            "2016-10-01",
            "7.0",
            "7.6",
            "7.6-preview.2",
            "7.4-preview",
            "2025-07-01",
            "2026-04-01",
            "2026-03-01-preview",
            "2031-01-31",
        ] {
            assert!(check(Some(good)).is_ok(), "{good}");
        }
        for bad in ["", "6.0", "7", "7.", "7.x", "7.1-beta", "2019-01-01", "2026-13-01", "2026-04-01-preview-1", "1.0"]
        {
            assert!(check(Some(bad)).is_err(), "{bad}");
        }
        assert!(check(None).is_err());
    }
}
