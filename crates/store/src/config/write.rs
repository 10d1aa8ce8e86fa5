//! Writing: set, delete, lock and unlock. Each is one batch: the key-value, its new revision, and
//! the timer that lets the one before expire.

use strongroom_wire::config::{Conditions, KeyValue, KeyValueId, NewKeyValue, Problem};
use strongroom_wire::ids::Version;

use super::layout::{StoredKeyValue, decode, encode};
use super::{Commit, ConfigStore, TRIES, contended, internal, length, new_etag, unavailable};
use crate::cx::Cx;
use crate::engine::next_version;
use crate::records::{Batch, Expected, Records, Scan};

/// What a change makes of a key-value.
enum Next {
    /// Nothing: it stays as it is.
    Same,
    /// This.
    Put(StoredKeyValue),
    /// It is gone.
    Deleted,
}

impl<R: Records> ConfigStore<R> {
    /// Sets a key-value. What is equal to what is there changes nothing, not even the etag.
    /// Without `with_description` (a client of before 2026-04-01) the description stays.
    ///
    /// # Errors
    /// `Invalid`, `PreconditionFailed`, `Locked`, `Quota`, and those of the store.
    pub async fn set(
        &self,
        cx: &Cx,
        id: &KeyValueId,
        new: NewKeyValue,
        with_description: bool,
        conditions: &Conditions,
    ) -> Result<KeyValue, Problem> {
        new.check(id)?;
        let mut changed = Some(new);
        self.change(cx, id, |before| {
            conditions.for_write(before.map(|before| before.etag.as_str()))?;
            if before.is_some_and(|before| before.locked) {
                return Err(Problem::Locked(id.key().to_owned()));
            }
            let new = changed.get_or_insert_default();
            let description = if with_description {
                new.description.clone()
            } else {
                before.and_then(|before| before.description.clone())
            };
            let same = before.is_some_and(|before| {
                before.content_type == new.content_type
                    && before.value.as_ref().map(|value| value.expose())
                        == new.value.as_ref().map(|value| value.expose())
                    && before.tags == *new.tags.get_or_insert_default()
                    && before.description == description
            });
            if same {
                return Ok(Next::Same);
            }
            Ok(Next::Put(StoredKeyValue {
                etag: new_etag()?,
                content_type: new.content_type.clone(),
                value: new.value.as_ref().map(strongroom_wire::Sensitive::duplicate),
                tags: new.tags.clone().unwrap_or_default(),
                locked: false,
                modified: cx.now.seconds(),
                description,
                revision: Version::from_bits(0),
                deleted: false,
            }))
        })
        .await?
        .ok_or(Problem::NotFound)
    }

    /// Deletes a key-value; what it was, or `None` when there was none.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Locked`, and those of the store.
    pub async fn delete(&self, cx: &Cx, id: &KeyValueId, conditions: &Conditions) -> Result<Option<KeyValue>, Problem> {
        self.change(cx, id, |before| {
            conditions.for_write(before.map(|before| before.etag.as_str()))?;
            match before {
                None => Ok(Next::Same),
                Some(before) if before.locked => Err(Problem::Locked(id.key().to_owned())),
                Some(_) => Ok(Next::Deleted),
            }
        })
        .await
    }

    /// Makes a key-value read-only, or writable again.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, and those of the store.
    pub async fn set_lock(
        &self,
        cx: &Cx,
        id: &KeyValueId,
        locked: bool,
        conditions: &Conditions,
    ) -> Result<KeyValue, Problem> {
        self.change(cx, id, |before| {
            let Some(before) = before else { return Err(Problem::NotFound) };
            conditions.for_write(Some(&before.etag))?;
            if before.locked == locked {
                return Ok(Next::Same);
            }
            Ok(Next::Put(StoredKeyValue {
                etag: new_etag()?,
                content_type: before.content_type.clone(),
                value: before.value.as_ref().map(strongroom_wire::Sensitive::duplicate),
                tags: before.tags.clone(),
                locked,
                modified: cx.now.seconds(),
                description: before.description.clone(),
                revision: Version::from_bits(0),
                deleted: false,
            }))
        })
        .await?
        .ok_or(Problem::NotFound)
    }

    /// Changes a key-value as `decide` says; gives what it is then, or what it was when it is gone.
    async fn change(
        &self,
        cx: &Cx,
        id: &KeyValueId,
        mut decide: impl FnMut(Option<&StoredKeyValue>) -> Result<Next, Problem> + Send,
    ) -> Result<Option<KeyValue>, Problem> {
        let key = self.layout.current(id);
        let _in_line = self.lock(id).await;
        for _ in 0..TRIES {
            let found = self.records.read(&key).await.map_err(unavailable)?;
            let before: Option<StoredKeyValue> = found.as_ref().map(|record| decode(&key, record)).transpose()?;
            let next = decide(before.as_ref())?;
            let mut new = match next {
                Next::Same => return Ok(before.map(|before| before.item(id.clone()))),
                Next::Put(new) => new,
                Next::Deleted => deletion(cx)?,
            };
            let last = match &before {
                Some(before) => Some(before.revision),
                None => self.last_revision(id).await?,
            };
            new.revision = next_version(cx.now, last).map_err(|fault| internal("no revision", &fault))?;
            let expires = cx.now.seconds().saturating_add(self.limits.load().history);
            let bytes = encode(&new)?;
            let size = bytes.len();
            if !new.deleted {
                self.require_room(size).await?;
            }
            let mut batch = Batch::default();
            let expected = found.as_ref().map_or(Expected::Absent, |record| Expected::Revision(record.revision));
            batch.expect(key.clone(), expected);
            if let Some(before) = &before {
                batch.put(self.layout.revision_timer(expires, id, before.revision), Vec::new());
            }
            if new.deleted {
                batch.put(self.layout.revision_timer(expires, id, new.revision), Vec::new());
                batch.delete(key.clone());
            } else {
                batch.put(key.clone(), bytes.clone());
            }
            let counted = length(&bytes);
            batch.put(self.layout.revision(id, new.revision), bytes);
            if self.commit(batch).await? == Commit::Done {
                self.account(counted).await;
                let shown = if new.deleted { before } else { Some(new) };
                return Ok(shown.map(|shown| shown.item(id.clone())));
            }
        }
        Err(contended())
    }

    /// The newest revision of what may have been deleted before.
    async fn last_revision(&self, id: &KeyValueId) -> Result<Option<Version>, Problem> {
        let found = self.records.scan(&Scan::prefix(self.layout.revisions_of(id), 1)).await.map_err(unavailable)?;
        let newest = found.first().map(|(key, record)| decode::<StoredKeyValue>(key, record)).transpose()?;
        Ok(newest.map(|newest| newest.revision))
    }
}

/// The mark that a key-value was deleted, for those who look back in time.
fn deletion(cx: &Cx) -> Result<StoredKeyValue, Problem> {
    Ok(StoredKeyValue {
        etag: new_etag()?,
        content_type: None,
        value: None,
        tags: strongroom_wire::config::ConfigTags::new(),
        locked: false,
        modified: cx.now.seconds(),
        description: None,
        revision: Version::from_bits(0),
        deleted: true,
    })
}
