//! Rotation policies, and what happens on its own when the time has come.

use strongroom_wire::Error;
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::rotation::{RotateWhen, RotationPolicy};

use super::layout::{Event, Head, StoredVersion, TIMERS, Timer, TimerAction, Timers, moment};
use super::{Engine, TRIES, decode, encode, records_error};
use crate::cx::{Cx, Time};
use crate::provider::KeyProvider;
use crate::records::{Batch, Expected, RecordKey, Records, RecordsError, Scan};

/// The least time between rotations that a policy can ask for: 7 days (REST reference).
const LEAST_BETWEEN_ROTATIONS: i64 = 7 * 86_400;

/// The timers of all vaults that are due at `now`, earliest first, at most `limit`, and only those
/// after the one given.
///
/// # Errors
/// Those of the store.
pub async fn due_timers<R: Records>(
    records: &R,
    now: Time,
    limit: usize,
    after: Option<RecordKey>,
) -> Result<Vec<Timer>, RecordsError> {
    let before = RecordKey::new(format!("{TIMERS}{}", moment(now.seconds().saturating_add(1))));
    let scan = Scan { before: Some(before), after, ..Scan::prefix(TIMERS, limit) };
    let due = records.scan(&scan).await?;
    Ok(due.iter().filter_map(|(key, _)| Timer::from_key(key)).collect())
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    /// Does what a timer asks for, if it is still due. Safe to call twice: the second call finds
    /// nothing to do.
    ///
    /// # Errors
    /// Those of the store and the key provider; the timer stays, to be tried again.
    pub async fn fire(&self, cx: &Cx, timer: &Timer) -> Result<(), Error> {
        let now = cx.now.seconds();
        let done = match timer.action {
            TimerAction::Purge => self.destroy(timer.kind, &timer.name, Some(now)).await,
            TimerAction::Rotate => self.rotate(cx, &timer.name, Some(now)).await.map(drop),
            TimerAction::Notify => self.record_near_expiry(cx, &timer.name).await,
        };
        match done {
            // Somebody else was faster, or the object is gone: its timers went with it.
            Err(error) if error.kind.wire().0 == 404 => Ok(()),
            other => other,
        }
    }

    pub(super) async fn write_policy(
        &self,
        cx: &Cx,
        name: &ObjectName,
        policy: RotationPolicy,
    ) -> Result<RotationPolicy, Error> {
        let kind = Kind::Key;
        let folded = name.folded();
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (mut head, revision) = self.live_head(kind, name).await?;
            let now = cx.now.seconds();
            let created = head.policy.as_ref().and_then(|policy| policy.created).unwrap_or(now);
            let policy = RotationPolicy { created: Some(created), updated: Some(now), ..policy.clone() };
            head.policy = Some(policy.clone());
            let mut batch = Batch::default();
            batch.expect(self.keys.live(kind, &folded), Expected::Revision(revision));
            if let Some((stored, _)) = self.stored(kind, name, head.current).await? {
                self.set_timers(&mut batch, kind, &mut head, &stored);
            }
            batch.put(self.keys.live(kind, &folded), encode(&head)?);
            match self.shared.records.commit(batch).await {
                Ok(_) => return Ok(policy),
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    async fn record_near_expiry(&self, cx: &Cx, name: &ObjectName) -> Result<(), Error> {
        let kind = Kind::Key;
        let folded = name.folded();
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (mut head, revision) = self.live_head(kind, name).await?;
            let now = cx.now.seconds();
            let Some(due) = head.timers.notify.filter(|due| *due <= now) else { return Ok(()) };
            let expires = self.stored(kind, name, head.current).await?.and_then(|(stored, _)| stored.exp);
            let event = Event {
                event_type: "Microsoft.KeyVault.KeyNearExpiry".to_owned(),
                kind,
                name: head.name.clone(),
                version: head.current,
                expires,
                at: now,
            };
            let before = head.timers;
            head.timers.notify = None;
            head.notified = Some((head.current, due));
            let mut batch = Batch::default();
            batch.expect(self.keys.live(kind, &folded), Expected::Revision(revision));
            batch.put(self.keys.event(cx.now.millis(), head.current), encode(&event)?);
            self.replace_timers(&mut batch, kind, &folded, &before, &head.timers);
            batch.put(self.keys.live(kind, &folded), encode(&head)?);
            match self.shared.records.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// The events recorded in this vault, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events(&self, limit: usize) -> Result<Vec<Event>, Error> {
        let scan = Scan::prefix(self.keys.events_prefix(), limit);
        let found = self.shared.records.scan(&scan).await.map_err(records_error)?;
        found.iter().map(|(key, record)| decode(key, record)).collect()
    }

    /// Works out when the current version, `stored`, is due for what, and puts that into the head
    /// and the batch.
    pub(super) fn set_timers(&self, batch: &mut Batch, kind: Kind, head: &mut Head, stored: &StoredVersion) {
        let before = head.timers;
        head.timers = match kind {
            Kind::Key => due(head.policy.as_ref(), stored),
            Kind::Secret => Timers::default(),
        };
        // Told once: a change of something else is no news.
        if head.timers.notify.is_some_and(|due| head.notified == Some((head.current, due))) {
            head.timers.notify = None;
        }
        self.replace_timers(batch, kind, &head.name.folded(), &before, &head.timers);
    }

    pub(super) fn replace_timers(&self, batch: &mut Batch, kind: Kind, folded: &str, before: &Timers, after: &Timers) {
        let (old, new) = (self.keys.timers(before, kind, folded), self.keys.timers(after, kind, folded));
        for key in old.iter().filter(|key| !new.contains(key)) {
            batch.delete(key.clone());
        }
        for key in new.into_iter().filter(|key| !old.contains(key)) {
            batch.put(key, Vec::new());
        }
    }
}

fn due(policy: Option<&RotationPolicy>, stored: &StoredVersion) -> Timers {
    let unset = RotationPolicy::unset();
    let policy = policy.unwrap_or(&unset);
    let rotate = policy.rotate.and_then(|when| match when {
        RotateWhen::AfterCreate(after) => Some(after.after(stored.created)),
        // A version that was not made by rotation has no expiry of its own: the policy's counts.
        RotateWhen::BeforeExpiry(before) => {
            let by_policy = policy.expiry_time.map(|lifetime| lifetime.after(stored.created));
            let due = stored.exp.or(by_policy).map(|expires| before.before(expires));
            // Policies are checked in nominal days and followed by the calendar, where two years
            // and 24 months are the same: a version that rotation made is not rotated at once.
            let earliest = stored.created.saturating_add(LEAST_BETWEEN_ROTATIONS);
            if stored.exp.is_none() || stored.exp == by_policy { due.map(|due| due.max(earliest)) } else { due }
        }
    });
    let notify = policy.notify_before_expiry.zip(stored.exp).map(|(before, expires)| before.before(expires));
    Timers { purge: None, rotate, notify }
}
