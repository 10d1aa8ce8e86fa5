//! Attributes and tags, as they are given on the command line.

use strongroom_server::clock::Clock as _;
use strongroom_store::vault::{Change, NewAttributes};
use strongroom_wire::attributes::{AttributesChange, Tags};
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, Time as TimeOfDay};

use crate::cli::AttributeArgs;
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::span::parse_span;

/// For a new version.
pub(in crate::commands) fn new_attributes(arguments: &AttributeArgs) -> Result<NewAttributes, Failure> {
    Ok(NewAttributes { attributes: attributes(arguments)?, tags: tags(&arguments.tag)? })
}

/// For a version that is there.
pub(in crate::commands) fn change(arguments: &AttributeArgs) -> Result<Change, Failure> {
    Ok(Change { attributes: attributes(arguments)?, tags: tags(&arguments.tag)?, ..Change::default() })
}

fn attributes(arguments: &AttributeArgs) -> Result<AttributesChange, Failure> {
    let now = SystemClock.now().seconds();
    let moment = |option: &str, text: &Option<String>| {
        let read = text.as_deref().map(|text| moment(text, now)).transpose();
        read.map_err(|why| Failure::usage(format!("{option}: {why}")))
    };
    let enabled = match (arguments.enabled, arguments.disabled) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(AttributesChange {
        enabled,
        nbf: moment("--not-before", &arguments.not_before)?,
        exp: moment("--expires", &arguments.expires)?,
        exportable: None,
    })
}

/// Unix seconds of `+90d`, a date, or a date and time.
fn moment(text: &str, now: i64) -> Result<i64, String> {
    if let Some(span) = text.strip_prefix('+') {
        return Ok(now.saturating_add(parse_span(span)?));
    }
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(moment.unix_timestamp());
    }
    let date = Date::parse(text, &Iso8601::DATE);
    let date = date.map_err(|_other| {
        format!("{text:?} is no time: write 2027-01-31T12:00:00Z, 2027-01-31, or +90d for 90 days from now")
    })?;
    Ok(date.with_time(TimeOfDay::MIDNIGHT).assume_utc().unix_timestamp())
}

fn tags(pairs: &[String]) -> Result<Option<Tags>, Failure> {
    let read = |pair: &String| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("--tag {pair}: it is name=value"))),
    };
    let tags: Tags = pairs.iter().map(read).collect::<Result<_, _>>()?;
    Ok((!tags.is_empty()).then_some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_from_now() {
        assert_eq!(moment("+90d", 1_000), Ok(1_000 + 90 * 86_400));
        assert_eq!(moment("2027-01-31", 0), Ok(1_801_353_600));
        assert_eq!(moment("2027-01-31T01:00:00+01:00", 0), Ok(1_801_353_600));
        for bad in ["", "90d", "+", "+1w", "31.1.2027", "2027-02-30", "1801353600"] {
            assert!(moment(bad, 0).is_err(), "{bad}");
        }
    }
}
