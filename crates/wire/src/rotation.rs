//! Key rotation policies (REST reference `KeyRotationPolicy`) and the ISO 8601 durations in them.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

use crate::error::Error;

/// A calendar duration of years, months and days: `P2Y`, `P90D`, `P1Y6M`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    /// Years.
    pub years: u16,
    /// Months.
    pub months: u16,
    /// Days.
    pub days: u16,
}

impl Duration {
    /// So many days.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self { years: 0, months: 0, days }
    }

    /// Reads an ISO 8601 duration without a time part.
    ///
    /// # Errors
    /// `BadParameter` with an example.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or_else(|| {
            Error::bad_parameter(
                "Not a duration: use years, months and days of ISO 8601, such as P90D, P3M, P2Y or P1Y6M",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix(['P', 'p'])?;
        let mut duration = Self { years: 0, months: 0, days: 0 };
        let mut units = "YMD".chars();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, tail) = rest.split_at_checked(digits)?;
            let amount: u16 = number.parse().ok().filter(|amount| *amount <= 36_500)?;
            let unit = tail.chars().next()?.to_ascii_uppercase();
            // Each unit at most once, in falling order.
            units.find(|candidate| *candidate == unit)?;
            match unit {
                'Y' => duration.years = amount,
                'M' => duration.months = amount,
                _ => duration.days = amount,
            }
            rest = tail.get(1..)?;
        }
        (duration.nominal_days() > 0).then_some(duration)
    }

    /// Its length with 365 days to the year and 30 to the month: for comparing, not for dates.
    #[must_use]
    pub fn nominal_days(self) -> i64 {
        i64::from(self.years) * 365 + i64::from(self.months) * 30 + i64::from(self.days)
    }

    /// `start` plus the duration, by the calendar in UTC; the end of a shorter month is its last
    /// day. Unix seconds; saturates far beyond any real date.
    #[must_use]
    pub fn after(self, start: i64) -> i64 {
        self.shift(start, 1)
    }

    /// `end` minus the duration, by the calendar in UTC.
    #[must_use]
    pub fn before(self, end: i64) -> i64 {
        self.shift(end, -1)
    }

    fn shift(self, from: i64, sign: i64) -> i64 {
        let nominal = from.saturating_add(sign.saturating_mul(self.nominal_days()).saturating_mul(86_400));
        let Ok(moment) = OffsetDateTime::from_unix_timestamp(from) else { return nominal };
        let months = i64::from(moment.year()) * 12 + i64::from(u8::from(moment.month())) - 1
            + sign * (i64::from(self.years) * 12 + i64::from(self.months));
        let shifted = i32::try_from(months.div_euclid(12))
            .ok()
            .zip(u8::try_from(months.rem_euclid(12) + 1).ok().and_then(|month| Month::try_from(month).ok()));
        let date = shifted
            .and_then(|(year, month)| Date::from_calendar_date(year, month, moment.day().min(month.length(year))).ok());
        let Some(date) = date else { return nominal };
        moment.replace_date(date).unix_timestamp().saturating_add(sign * i64::from(self.days) * 86_400)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        for (amount, unit) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Duration {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

/// When a key is to be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotateWhen {
    /// So long after the latest version was made.
    AfterCreate(Duration),
    /// So long before the latest version expires.
    BeforeExpiry(Duration),
}

/// A rotation policy that has passed validation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RotationPolicy {
    /// How long a version made by rotation lives.
    pub expiry_time: Option<Duration>,
    /// When to rotate.
    pub rotate: Option<RotateWhen>,
    /// How long before expiry to notify.
    pub notify_before_expiry: Option<Duration>,
    /// When the policy was first set, unix seconds; `None` for the default policy.
    pub created: Option<i64>,
    /// When it was last set.
    pub updated: Option<i64>,
}

impl RotationPolicy {
    /// What a key has that was never given a policy: notify 30 days before expiry.
    #[must_use]
    pub fn unset() -> Self {
        Self { notify_before_expiry: Some(Duration::days(30)), ..Self::default() }
    }

    /// Validates what a client sent.
    ///
    /// # Errors
    /// `BadParameter` that names the rule.
    pub fn from_wire(sent: &RotationPolicyBody) -> Result<Self, Error> {
        let duration = |text: &Option<String>| text.as_deref().map(Duration::parse).transpose();
        let expiry_time = duration(&sent.attributes.clone().unwrap_or_default().expiry_time)?;
        if expiry_time.is_some_and(|expiry| expiry.nominal_days() < 28) {
            return Err(Error::bad_parameter("attributes.expiryTime is at least 28 days (P28D)"));
        }
        let mut policy = Self { expiry_time, ..Self::default() };
        let actions = sent.lifetime_actions.as_deref().unwrap_or_default();
        for LifetimeAction { trigger, action } in actions {
            let after = duration(&trigger.time_after_create)?;
            let before = duration(&trigger.time_before_expiry)?;
            if action.kind.eq_ignore_ascii_case("rotate") {
                policy.set_rotate(after, before)?;
            } else if action.kind.eq_ignore_ascii_case("notify") {
                policy.set_notify(after, before)?;
            } else {
                return Err(Error::bad_parameter("A lifetime action's type is Rotate or Notify"));
            }
        }
        Ok(policy)
    }

    fn set_rotate(&mut self, after: Option<Duration>, before: Option<Duration>) -> Result<(), Error> {
        let when = match (after, before) {
            (Some(after), None) => RotateWhen::AfterCreate(after),
            (None, Some(before)) => RotateWhen::BeforeExpiry(before),
            _ => {
                return Err(Error::bad_parameter(
                    "A Rotate action has exactly one trigger: timeAfterCreate or timeBeforeExpiry",
                ));
            }
        };
        let lifetime = self.expiry_time.map(Duration::nominal_days);
        match when {
            RotateWhen::AfterCreate(after) => {
                let days = after.nominal_days();
                if days < 7 || lifetime.is_some_and(|lifetime| days > lifetime - 7) {
                    return Err(Error::bad_parameter(
                        "timeAfterCreate is at least 7 days, and at least 7 days less than expiryTime",
                    ));
                }
            }
            RotateWhen::BeforeExpiry(before) => {
                let days = before.nominal_days();
                let Some(lifetime) = lifetime else {
                    return Err(Error::bad_parameter("timeBeforeExpiry needs attributes.expiryTime"));
                };
                if days < 7 || days > lifetime - 7 {
                    return Err(Error::bad_parameter(
                        "timeBeforeExpiry is at least 7 days, and at least 7 days less than expiryTime",
                    ));
                }
            }
        }
        if self.rotate.replace(when).is_some() {
            return Err(Error::bad_parameter("A policy has at most one Rotate action"));
        }
        Ok(())
    }

    fn set_notify(&mut self, after: Option<Duration>, before: Option<Duration>) -> Result<(), Error> {
        let (None, Some(before)) = (after, before) else {
            return Err(Error::bad_parameter("A Notify action has the trigger timeBeforeExpiry and no other"));
        };
        if self.expiry_time.is_some_and(|expiry| before.nominal_days() >= expiry.nominal_days()) {
            return Err(Error::bad_parameter("timeBeforeExpiry is less than expiryTime"));
        }
        if self.notify_before_expiry.replace(before).is_some() {
            return Err(Error::bad_parameter("A policy has at most one Notify action"));
        }
        Ok(())
    }

    /// The body of an answer; `id` is `{vault}/keys/{name}/rotationpolicy`.
    #[must_use]
    pub fn to_wire(&self, id: Option<String>) -> RotationPolicyBody {
        let text = |duration: Duration| Some(duration.to_string());
        let action = |kind: &str, trigger| LifetimeAction { trigger, action: ActionType { kind: kind.to_owned() } };
        let rotate = self.rotate.map(|when| match when {
            RotateWhen::AfterCreate(after) => {
                action("Rotate", Trigger { time_after_create: text(after), time_before_expiry: None })
            }
            RotateWhen::BeforeExpiry(before) => {
                action("Rotate", Trigger { time_after_create: None, time_before_expiry: text(before) })
            }
        });
        let notify = self
            .notify_before_expiry
            .map(|before| action("Notify", Trigger { time_after_create: None, time_before_expiry: text(before) }));
        RotationPolicyBody {
            id,
            lifetime_actions: Some(rotate.into_iter().chain(notify).collect()),
            attributes: Some(PolicyAttributes {
                expiry_time: self.expiry_time.and_then(text),
                created: self.created,
                updated: self.updated,
            }),
        }
    }
}

/// `KeyRotationPolicy` on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationPolicyBody {
    /// Identifier; in answers only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// At most one Rotate and one Notify.
    #[serde(rename = "lifetimeActions", default)]
    pub lifetime_actions: Option<Vec<LifetimeAction>>,
    /// Lifetime and times.
    #[serde(default)]
    pub attributes: Option<PolicyAttributes>,
}

/// One action and what triggers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: ActionType,
}

/// When an action fires: ISO 8601 durations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// After the latest version was made.
    #[serde(rename = "timeAfterCreate", skip_serializing_if = "Option::is_none", default)]
    pub time_after_create: Option<String>,
    /// Before it expires.
    #[serde(rename = "timeBeforeExpiry", skip_serializing_if = "Option::is_none", default)]
    pub time_before_expiry: Option<String>,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionType {
    /// `Rotate` or `Notify`, in any case.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Lifetime and times of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAttributes {
    /// Lifetime of a rotated version: ISO 8601 duration.
    #[serde(rename = "expiryTime", skip_serializing_if = "Option::is_none", default)]
    pub expiry_time: Option<String>,
    /// When the policy was first set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<i64>,
    /// When it was last set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub updated: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: serde_json::Value) -> Result<RotationPolicy, Error> {
        RotationPolicy::from_wire(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn durations_are_calendar_durations() {
        for (text, days) in [("P90D", 90), ("P2Y", 730), ("P1Y6M", 545), ("p3m", 90), ("P1Y2M3D", 428)] {
            assert_eq!(Duration::parse(text).unwrap().nominal_days(), days, "{text}");
        }
        for bad in ["", "P", "90D", "P90", "P1D2M", "P1Y1Y", "PT1H", "P-1D", "P0D", "P99999D", "P1W", "P1D "] {
            assert!(Duration::parse(bad).is_err(), "{bad}");
        }
        // 2024-01-31 + 1 month = 2024-02-29; 2024-02-29 + 1 year = 2025-02-28.
        assert_eq!(Duration::parse("P1M").unwrap().after(1_706_659_200), 1_709_164_800);
        assert_eq!(Duration::parse("P1Y").unwrap().after(1_709_164_800), 1_740_700_800);
        assert_eq!(Duration::parse("P1Y").unwrap().before(1_740_700_800), 1_709_078_400);
    }

    #[test]
    fn the_documented_policy_round_trips() {
        let sent = serde_json::json!({
            "lifetimeActions": [
                {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "rotate"}},
                {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}},
            ],
            "attributes": {"expiryTime": "P2Y"},
        });
        let shown = serde_json::to_value(policy(sent).unwrap().to_wire(Some("id".into()))).unwrap();
        assert_eq!(shown["lifetimeActions"][0]["action"]["type"], "Rotate");
        assert_eq!(shown["lifetimeActions"][0]["trigger"], serde_json::json!({"timeAfterCreate": "P90D"}));
        assert_eq!(shown["attributes"], serde_json::json!({"expiryTime": "P2Y"}));
        assert_eq!(
            policy(serde_json::json!({"lifetimeActions": [], "attributes": {}})).unwrap(),
            RotationPolicy::default()
        );
    }

    #[test]
    fn each_rule_is_enforced() {
        let rotate = |trigger: serde_json::Value, expiry: Option<&str>| {
            policy(serde_json::json!({
                "lifetimeActions": [{"trigger": trigger, "action": {"type": "Rotate"}}],
                "attributes": {"expiryTime": expiry},
            }))
        };
        assert!(rotate(serde_json::json!({"timeAfterCreate": "P7D"}), None).is_ok());
        assert!(rotate(serde_json::json!({"timeAfterCreate": "P6D"}), None).is_err());
        assert!(rotate(serde_json::json!({"timeAfterCreate": "P25D"}), Some("P28D")).is_err());
        assert!(rotate(serde_json::json!({"timeBeforeExpiry": "P7D"}), None).is_err());
        assert!(rotate(serde_json::json!({"timeBeforeExpiry": "P7D"}), Some("P28D")).is_ok());
        assert!(rotate(serde_json::json!({"timeBeforeExpiry": "P7D"}), Some("P27D")).is_err());
        assert!(rotate(serde_json::json!({}), Some("P28D")).is_err());
        assert!(
            rotate(serde_json::json!({"timeBeforeExpiry": "P9D", "timeAfterCreate": "P9D"}), Some("P90D")).is_err()
        );
        let action = serde_json::json!({"trigger": {"timeBeforeExpiry": "P9D"}, "action": {"type": "Notify"}});
        assert!(policy(serde_json::json!({"lifetimeActions": [action, action]})).is_err());
    }
}
