//! Dates as clients write them and as we do. Clients write `x-ms-date` and `Accept-Datetime` in
//! several forms (contract, traps 29).

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Unix seconds as an HTTP date: `Sat, 21 Nov 2026 00:12:31 GMT` (RFC 9110 section 5.6.7).
#[must_use]
pub fn http_date(seconds: i64) -> String {
    let at = moment(seconds);
    let day = DAYS.get(usize::from(at.weekday().number_days_from_monday())).copied().unwrap_or_default();
    let month = MONTHS.get(usize::from(u8::from(at.month())).saturating_sub(1)).copied().unwrap_or_default();
    let (year, date) = (at.year(), at.day());
    format!("{day}, {date:02} {month} {year:04} {:02}:{:02}:{:02} GMT", at.hour(), at.minute(), at.second())
}

/// Unix seconds as `2026-11-21T00:12:31+00:00`.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    let at = moment(seconds);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+00:00", at.hour(), at.minute(), at.second())
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Reads a date; unix seconds, rounded down. Understood are HTTP dates, `Nov, 21 2026 00:12:31.5
/// GMT` (the Python SDK), RFC 3339, and `2023-01-01 00:00:00[+02:00]` (Python's `str`).
#[must_use]
pub fn parse_date(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    let at = if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
        iso(text)?
    } else {
        named_month(text)?
    };
    Some(at.unix_timestamp())
}

fn iso(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let rest = rest.trim();
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "Z"),
    };
    Some(date.with_time(time_of_day(clock.trim())?).assume_offset(offset_of(offset)?))
}

fn named_month(text: &str) -> Option<OffsetDateTime> {
    let (mut month, mut day, mut year, mut clock) = (None, None, None, None);
    for token in text.split([' ', ',']).filter(|token| !token.is_empty()) {
        if let Some(number) = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(token)) {
            month = u8::try_from(number.checked_add(1)?).ok();
        } else if token.contains(':') {
            clock = Some(time_of_day(token)?);
        } else if token.bytes().all(|byte| byte.is_ascii_digit()) {
            match token.len() {
                1 | 2 => day = token.parse::<u8>().ok(),
                4 => year = token.parse::<i32>().ok(),
                _ => return None,
            }
        } else if !(["GMT", "UTC", "Z"].contains(&token) || DAYS.iter().any(|name| name.eq_ignore_ascii_case(token))) {
            return None;
        }
    }
    let date = Date::from_calendar_date(year?, Month::try_from(month?).ok()?, day?).ok()?;
    Some(date.with_time(clock?).assume_utc())
}

fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let second = parts.next().unwrap_or("0");
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A leap second counts as the one before.
    Time::from_hms(hour, minute, second.parse::<u8>().ok()?.min(59)).ok()
}

fn offset_of(text: &str) -> Option<UtcOffset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(UtcOffset::UTC);
    }
    let negative = text.starts_with('-');
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sign = if negative { -1 } else { 1 };
    UtcOffset::from_hms(hours.checked_mul(sign)?, minutes.checked_mul(sign)?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_clients_send_is_read() {
        let at = 1_795_219_951;
        for text in [
            "Sat, 21 Nov 2026 00:12:31 GMT",
            "Nov, 21 2026 00:12:31.541274 GMT",
            "2026-11-21 00:12:31",
            "2026-11-21 00:12:31.541274",
            "2026-11-21 02:12:31+02:00",
            "2026-11-20T19:12:31.9-05:00",
            "2026-11-21T00:12:31Z",
            " sat, 21 nov 2026 00:12:31 UTC ",
        ] {
            assert_eq!(parse_date(text), Some(at), "{text}");
        }
        assert_eq!(http_date(at), "Sat, 21 Nov 2026 00:12:31 GMT");
        assert_eq!(rfc3339(at), "2026-11-21T00:12:31+00:00");
        assert_eq!(parse_date("2026-11-21"), Some(at - 751));
    }

    #[test]
    fn nonsense_is_none() {
        for text in [
            "",
            "now",
            "2026-13-01 00:00:00",
            "2026-02-30",
            "Nov 21 00:00:00",
            "25:00:00",
            "2026-11-21T00:00:00+99:00",
            "\u{661}",
            "99999999999-01-01",
            "Sat, 21 Nov 2026 00:12:31 CET",
            "2026-11-21T1:2:3:4",
            "--",
            "2026-",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
