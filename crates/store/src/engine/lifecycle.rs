//! Soft delete: delete, recover, purge.

use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::layout::{Head, StoredBody, StoredDeletion, StoredVersion, Timers, decode, object};
use super::{Engine, TRIES, encode, provider_error, records_error};
use crate::cx::Cx;
use crate::provider::KeyProvider;
use crate::records::{Batch, Expected, RecordKey, Records, RecordsError, Scan};
use crate::vault::Object;

/// Versions looked at in one go while purging.
const CHUNK: usize = 256;

impl<R: Records, P: KeyProvider> Engine<R, P> {
    pub(super) async fn soft_delete(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        let folded = name.folded();
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (before, revision) = self.live_head(kind, name).await?;
            let recovery = self.recovery();
            let deleted = cx.now.seconds();
            let scheduled_purge = deleted.saturating_add(recovery.seconds());
            let head = Head {
                deletion: Some(StoredDeletion { deleted, scheduled_purge, recovery }),
                timers: Timers { purge: Some(scheduled_purge), ..Timers::default() },
                ..before.clone()
            };
            let mut batch = Batch::default();
            batch.expect(self.keys.live(kind, &folded), Expected::Revision(revision));
            batch.expect(self.keys.deleted(kind, &folded), Expected::Absent);
            batch.delete(self.keys.live(kind, &folded));
            batch.put(self.keys.deleted(kind, &folded), encode(&head)?);
            self.replace_timers(&mut batch, kind, &folded, &before.timers, &head.timers);
            match self.commit_moved(batch, kind, name, &head).await? {
                Some(object) => return Ok(object),
                None => continue,
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    pub(super) async fn undelete(&self, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        let folded = name.folded();
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (before, revision) = self.deleted_head(kind, name).await?;
            let mut head = Head { deletion: None, ..before };
            let mut batch = Batch::default();
            batch.expect(self.keys.deleted(kind, &folded), Expected::Revision(revision));
            batch.expect(self.keys.live(kind, &folded), Expected::Absent);
            batch.delete(self.keys.deleted(kind, &folded));
            if let Some((stored, _)) = self.stored(kind, name, head.current).await? {
                self.set_timers(&mut batch, kind, &mut head, &stored);
            }
            batch.put(self.keys.live(kind, &folded), encode(&head)?);
            match self.commit_moved(batch, kind, name, &head).await? {
                Some(object) => return Ok(object),
                None => continue,
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// Commits a move of the head; `None` when it has to be tried again.
    async fn commit_moved(
        &self,
        batch: Batch,
        kind: Kind,
        name: &ObjectName,
        head: &Head,
    ) -> Result<Option<Object>, Error> {
        let Some((stored, _)) = self.stored(kind, name, head.current).await? else {
            return Ok(None);
        };
        match self.shared.records.commit(batch).await {
            Ok(_) => Ok(Some(object(head, head.current, stored, self.recovery(), false))),
            Err(RecordsError::Conflict) => Ok(None),
            Err(fault) => Err(records_error(fault)),
        }
    }

    pub(super) async fn purge_on_request(&self, kind: Kind, name: &ObjectName) -> Result<(), Error> {
        let (head, _) = self.deleted_head(kind, name).await?;
        let promised = head.deletion.is_some_and(|deletion| deletion.recovery.purge_protection);
        if promised || self.recovery().purge_protection {
            return Err(Error::new(
                ErrorKind::PurgeProtected,
                "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault \
                 service will automatically purge it after the retention period has passed.",
            ));
        }
        self.destroy(kind, name, None).await
    }

    /// Purges what is soft-deleted; when `due` is given, only if its retention has ended by then.
    pub(super) async fn destroy(&self, kind: Kind, name: &ObjectName, due: Option<i64>) -> Result<(), Error> {
        let folded = name.folded();
        let deleted_key = self.keys.deleted(kind, &folded);
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (head, revision) = self.deleted_head(kind, name).await?;
            if due.is_some_and(|due| head.deletion.is_none_or(|deletion| deletion.scheduled_purge > due)) {
                return Ok(());
            }
            let mut batch = Batch::default();
            batch.expect(deleted_key.clone(), Expected::Revision(revision));
            batch.delete(deleted_key.clone());
            self.replace_timers(&mut batch, kind, &folded, &head.timers, &Timers::default());
            let handles = self.add_versions(&mut batch, kind, &folded).await?;
            match self.shared.records.commit(batch).await {
                Ok(_) => {
                    for (version, hardware, handle) in handles {
                        self.shared.loaded.remove(&(self.vault.clone(), folded.clone(), version));
                        if let Some(handle) = handle {
                            self.custodian(hardware)?.0.destroy(&handle).await.map_err(provider_error)?;
                        }
                    }
                    return Ok(());
                }
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// Adds the removal of all versions to the batch, and returns the handles of the keys among them.
    async fn add_versions(
        &self,
        batch: &mut Batch,
        kind: Kind,
        folded: &str,
    ) -> Result<Vec<(Version, bool, Option<Sensitive<Vec<u8>>>)>, Error> {
        let prefix = self.keys.versions_prefix(kind, folded);
        let mut handles = Vec::new();
        let mut after: Option<RecordKey> = None;
        loop {
            let scan = Scan { after, ..Scan::prefix(prefix.clone(), CHUNK) };
            let found = self.shared.records.scan(&scan).await.map_err(records_error)?;
            for (key, record) in &found {
                let stored: StoredVersion = decode(key, record)?;
                let version = key.as_str().strip_prefix(&prefix).and_then(Version::parse);
                // The cache forgets a shared key, too; its material stays.
                if let (StoredBody::Key(stored), Some(version)) = (stored.body, version) {
                    let Base64Url(handle) = stored.handle.expose();
                    handles.push((version, stored.hardware, (!stored.shared).then(|| Sensitive::new(handle.clone()))));
                }
                batch.delete(key.clone());
            }
            if found.len() < CHUNK {
                return Ok(handles);
            }
            after = found.into_iter().next_back().map(|(key, _)| key);
        }
    }
}
