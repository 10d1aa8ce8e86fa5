//! Spans of time as people write them.

/// Seconds of `90d`, `12h`, `30m` or `10s`.
pub(crate) fn parse_span(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a span of time: write 90d, 12h, 30m or 10s");
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(number) {
        Some("d") => 86_400,
        Some("h") => 3_600,
        Some("m") => 60,
        Some("s") => 1,
        _ => return Err(wrong()),
    };
    let amount: u32 = number.parse().map_err(|_not_a_number| wrong())?;
    Ok(i64::from(amount).saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        assert_eq!(parse_span("90d"), Ok(7_776_000));
        assert_eq!(parse_span("10s"), Ok(10));
        for bad in ["", "d", "90", "-1d", "1w", "1.5d"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }
}
