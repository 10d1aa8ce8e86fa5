//! Backup blobs: all versions of an object, sealed under the installation's backup key.
//!
//! `"STRB"`, a format byte, a kind byte, then AES-256-GCM over JSON, with those six bytes as
//! associated data. The same key opens it in another vault, or in another installation that was
//! given the key.

use serde::{Deserialize, Serialize};
use strongroom_crypto::constant_time_eq;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::rotation::RotationPolicy;
use strongroom_wire::{Error, Sensitive};

use super::layout::{Head, StoredBody, StoredVersion, Timers, decode, object};
use super::{Engine, TRIES, encode, internal, provider_error, records_error};
use crate::provider::KeyProvider;
use crate::records::{Batch, Expected, Records, RecordsError, Scan};
use crate::vault::Object;

/// More versions than this are not backed up.
const MAX_VERSIONS: usize = 500;

const HEADER_LEN: usize = 6;

#[derive(Serialize, Deserialize)]
struct Content {
    name: ObjectName,
    policy: Option<RotationPolicy>,
    versions: Vec<(Version, StoredVersion)>,
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    pub(super) async fn write_backup(&self, kind: Kind, name: &ObjectName) -> Result<Vec<u8>, Error> {
        for _ in 0..TRIES {
            if let Some(backup) = self.try_backup(kind, name).await? {
                return Ok(backup);
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// `None` when somebody else was faster.
    async fn try_backup(&self, kind: Kind, name: &ObjectName) -> Result<Option<Vec<u8>>, Error> {
        let (head, _) = self.live_head(kind, name).await?;
        let prefix = self.keys.versions_prefix(kind, &name.folded());
        let scan = Scan::prefix(prefix.clone(), MAX_VERSIONS.saturating_add(1));
        let found = self.shared.records.scan(&scan).await.map_err(records_error)?;
        if found.len() > MAX_VERSIONS {
            return Err(Error::bad_parameter(format!(
                "The {} has more than {MAX_VERSIONS} versions, which is the most that a backup holds",
                kind.noun()
            )));
        }
        let (mut versions, mut shared) = (Vec::with_capacity(found.len()), Batch::default());
        for (key, record) in &found {
            let version = key.as_str().strip_prefix(&prefix).and_then(Version::parse);
            let version = version.ok_or_else(|| internal("a version's record is misnamed", &head.name))?;
            let mut stored: StoredVersion = decode(key, record)?;
            if share(&mut stored) {
                shared.expect(key.clone(), Expected::Revision(record.revision));
                shared.put(key.clone(), encode(&stored)?);
            }
            if let StoredBody::Key(key) = &mut stored.body {
                let handle = Sensitive::new(key.handle.expose().0.clone());
                let (custodian, _) = self.custodian(key.hardware)?;
                let material = custodian.back_up(&handle).await.map_err(provider_error)?;
                key.handle = Sensitive::new(Base64Url(material.expose().clone()));
            }
            versions.push((version, stored));
        }
        if !shared.write.is_empty() {
            match self.shared.records.commit(shared).await {
                Ok(_) => {}
                Err(RecordsError::Conflict) => return Ok(None),
                Err(fault) => return Err(records_error(fault)),
            }
        }
        let content = Content { name: head.name, policy: head.policy, versions };
        let plaintext = zeroize::Zeroizing::new(encode(&content)?);
        let header = header(kind);
        let sealed = self.shared.backup_key.seal(&header, &plaintext);
        let sealed = sealed.map_err(|fault| internal("a backup could not be sealed", &fault))?;
        Ok(Some([&header[..], &sealed].concat()))
    }

    pub(super) async fn read_backup(&self, kind: Kind, blob: &[u8]) -> Result<Object, Error> {
        let content = self.open(kind, blob)?;
        let name = content.name;
        let current = content.versions.last().map(|(version, _)| *version).ok_or_else(|| refused(kind))?;
        let folded = name.folded();
        let _in_line = self.lock(kind, &name).await;
        self.refuse_deleted(kind, &name).await?;
        if self.head(&self.keys.live(kind, &folded)).await?.is_some() {
            return Err(exists(kind, &name));
        }
        let (policy, timers) = (content.policy, Timers::default());
        let mut head = Head { name, current, deletion: None, policy, timers, notified: None };
        let mut batch = Batch::default();
        let live_key = self.keys.live(kind, &folded);
        batch.expect(live_key.clone(), Expected::Absent);
        batch.expect(self.keys.deleted(kind, &folded), Expected::Absent);
        let mut latest = None;
        for (_, stored) in &content.versions {
            let belongs = match &stored.body {
                StoredBody::Secret { .. } => kind == Kind::Secret,
                StoredBody::Key(key) => {
                    kind == Kind::Key
                        && self.shared.custodian(key.hardware).is_some_and(|(_, there)| there == key.hardware)
                }
            };
            if !belongs {
                return Err(refused(kind));
            }
        }
        let mut handles = Vec::new();
        for (version, mut stored) in content.versions {
            share(&mut stored);
            if let StoredBody::Key(key) = &mut stored.body {
                let backup = Sensitive::new(key.handle.expose().0.clone());
                let (custodian, hardware) = self.custodian(key.hardware)?;
                let handle = match custodian.restore(&backup).await {
                    Ok(handle) => handle,
                    Err(fault) => {
                        self.take_back(&handles).await;
                        return Err(provider_error(fault));
                    }
                };
                key.handle = Sensitive::new(Base64Url(handle.expose().clone()));
                // The same handle is the same key, which is not ours to destroy.
                if !constant_time_eq(handle.expose(), backup.expose()) {
                    handles.push((hardware, handle));
                }
            }
            batch.put(self.keys.version(kind, &folded, version), encode(&stored)?);
            latest = Some(stored);
        }
        let latest = latest.ok_or_else(|| refused(kind))?;
        self.set_timers(&mut batch, kind, &mut head, &latest);
        batch.put(live_key, encode(&head)?);
        match self.shared.records.commit(batch).await {
            Ok(_) => Ok(object(&head, current, latest, self.recovery(), false)),
            Err(fault) => {
                self.take_back(&handles).await;
                Err(if matches!(fault, RecordsError::Conflict) {
                    exists(kind, &head.name)
                } else {
                    records_error(fault)
                })
            }
        }
    }

    /// Nothing refers to keys that were taken in for a restore that failed.
    async fn take_back(&self, handles: &[(bool, Sensitive<Vec<u8>>)]) {
        for (hardware, handle) in handles {
            self.discard(*hardware, handle).await;
        }
    }

    fn open(&self, kind: Kind, blob: &[u8]) -> Result<Content, Error> {
        let (head, sealed) = blob.split_at_checked(HEADER_LEN).ok_or_else(|| refused(kind))?;
        if head != header(kind) {
            return Err(refused(kind));
        }
        let earlier = self.shared.earlier_backup_key.as_ref();
        let opened = [Some(&self.shared.backup_key), earlier].into_iter().flatten();
        let opened = opened.filter_map(|key| key.open(head, sealed).ok()).next().ok_or_else(|| refused(kind))?;
        serde_json::from_slice(opened.expose()).map_err(|_unreadable| refused(kind))
    }
}

const fn header(kind: Kind) -> [u8; HEADER_LEN] {
    let kind = match kind {
        Kind::Secret => b's',
        Kind::Key => b'k',
    };
    [b'S', b'T', b'R', b'B', 1, kind]
}

fn refused(kind: Kind) -> Error {
    Error::bad_parameter(format!(
        "The blob is not a {} backup that this installation can open: it is damaged, of another kind, or was sealed \
         with another backup key",
        kind.noun()
    ))
}

/// Notes that a backup refers to the same material. True when that was not known.
const fn share(stored: &mut StoredVersion) -> bool {
    match &mut stored.body {
        StoredBody::Key(key) if key.hardware && !key.shared => {
            key.shared = true;
            true
        }
        _ => false,
    }
}

fn exists(kind: Kind, name: &ObjectName) -> Error {
    Error::new(
        strongroom_wire::ErrorKind::Conflict,
        format!("A {} named {name} exists already; a backup is restored only where its name is free", kind.noun()),
    )
}
