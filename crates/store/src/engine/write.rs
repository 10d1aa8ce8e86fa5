//! Writing: new versions and changes to versions.

use strongroom_crypto::{KeySpec, random_u128};
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::attributes::{AttributesChange, Tags, check_tags};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::{Error, Sensitive, keys, secrets};

use super::layout::{Event, Head, StoredBody, StoredKey, StoredVersion, Timers, object};
use super::{Engine, TRIES, as_found, encode, internal, provider_error, records_error};
use crate::cx::{Cx, Time};
use crate::provider::{KeyProvider, ProvidedKey};
use crate::records::{Batch, Expected, Records, RecordsError};
use crate::vault::{Change, NewAttributes, NewVersion, Object, Target};

/// New material for a key that is rotated.
struct Made {
    spec: KeySpec,
    hardware: bool,
    key: ProvidedKey,
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    pub(super) async fn write_new(&self, cx: &Cx, name: &ObjectName, new: NewVersion) -> Result<Object, Error> {
        let kind = new.kind();
        if !matches!(new, NewVersion::RotatedKey) {
            // Before any work: a key is not made for a name that cannot take it.
            self.refuse_deleted(kind, name).await?;
        }
        match new {
            NewVersion::Secret { value, content_type, with } => {
                check_secret_value(&value)?;
                check_content_type(content_type.as_deref())?;
                check_tags(with.tags.as_ref(), secrets::MAX_TAG_CHARS)?;
                let stored = new_version(cx.now, with, StoredBody::Secret { content_type, value });
                self.commit_new(cx, kind, name, stored).await
            }
            NewVersion::Key { spec, hardware, key_ops, with } => {
                let (custodian, hardware) = self.custodian(hardware)?;
                check_new_key(key_ops.as_deref(), &with)?;
                let made = custodian.generate(spec).await.map_err(provider_error)?;
                self.commit_new_key(cx, name, (made, hardware), key_ops, with).await
            }
            NewVersion::ImportedKey { jwk, hardware, key_ops, with } => {
                let (custodian, hardware) = self.custodian(hardware)?;
                check_new_key(key_ops.as_deref(), &with)?;
                let made = custodian.import(jwk).await.map_err(provider_error)?;
                self.commit_new_key(cx, name, (made, hardware), key_ops, with).await
            }
            NewVersion::RotatedKey => self.rotate(cx, name, None).await,
        }
    }

    async fn commit_new_key(
        &self,
        cx: &Cx,
        name: &ObjectName,
        (made, hardware): (ProvidedKey, bool),
        key_ops: Option<Vec<KeyOp>>,
        with: NewAttributes,
    ) -> Result<Object, Error> {
        let ProvidedKey { handle, public, loaded } = made;
        let key = StoredKey {
            key_ops: key_ops.unwrap_or_else(|| default_key_ops(&public)),
            public,
            hardware,
            shared: false,
            handle: Sensitive::new(Base64Url(handle.expose().clone())),
        };
        let stored = new_version(cx.now, with, StoredBody::Key(key));
        match self.commit_new(cx, Kind::Key, name, stored).await {
            Ok(object) => {
                if let Some(version) = object.version {
                    self.shared.loaded.insert((self.vault.clone(), name.folded(), version), loaded);
                }
                Ok(object)
            }
            Err(error) => {
                self.discard(hardware, &handle).await;
                Err(error)
            }
        }
    }

    /// Removes material that nothing refers to; a failure changes nothing for the caller.
    pub(super) async fn discard(&self, hardware: bool, handle: &Sensitive<Vec<u8>>) {
        let Ok((custodian, _)) = self.custodian(hardware) else { return };
        if let Err(fault) = custodian.destroy(handle).await {
            tracing::warn!(%fault, "an unused key was left with its provider");
        }
    }

    /// Makes `stored` the current version of `name`.
    async fn commit_new(&self, cx: &Cx, kind: Kind, name: &ObjectName, stored: StoredVersion) -> Result<Object, Error> {
        let folded = name.folded();
        let (live_key, deleted_key) = (self.keys.live(kind, &folded), self.keys.deleted(kind, &folded));
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let before = self.head(&live_key).await?;
            let version = next_version(cx.now, before.as_ref().map(|(head, _)| head.current))?;
            let mut head = match &before {
                Some((head, _)) => Head { current: version, ..head.clone() },
                None => Head {
                    name: name.clone(),
                    current: version,
                    deletion: None,
                    policy: None,
                    timers: Timers::default(),
                    notified: None,
                },
            };
            let mut batch = Batch::default();
            batch.expect(live_key.clone(), as_found(before.as_ref()));
            batch.expect(deleted_key.clone(), Expected::Absent);
            batch.put(self.keys.version(kind, &folded, version), encode(&stored)?);
            self.set_timers(&mut batch, kind, &mut head, &stored);
            batch.put(live_key.clone(), encode(&head)?);
            match self.shared.records.commit(batch).await {
                Ok(_) => return Ok(object(&head, version, stored, self.recovery(), true)),
                // Was it another writer, or is the name soft-deleted? Looked up only now: it seldom is.
                Err(RecordsError::Conflict) => self.refuse_deleted(kind, name).await?,
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// New material for a key; everything else is inherited. When `due` is given, only if the
    /// key's rotation is still due then: a second caller with the same `due` finds nothing to do
    /// and gets the current version.
    pub(super) async fn rotate(&self, cx: &Cx, name: &ObjectName, due: Option<i64>) -> Result<Object, Error> {
        // Made before others have to wait: an RSA key takes a second.
        let mut made = match due {
            None => Some(self.made_like_latest(name).await?),
            Some(_) => None,
        };
        let rotated = self.rotate_to(cx, name, due, &mut made).await;
        if let Some(Made { hardware, key, .. }) = made {
            self.discard(hardware, &key.handle).await;
        }
        rotated
    }

    /// Takes what was made when it fits; what is there afterwards was not used.
    async fn rotate_to(
        &self,
        cx: &Cx,
        name: &ObjectName,
        due: Option<i64>,
        made: &mut Option<Made>,
    ) -> Result<Object, Error> {
        let kind = Kind::Key;
        let folded = name.folded();
        let _in_line = self.lock(kind, name).await;
        for _ in 0..TRIES {
            let (before, revision) = self.live_head(kind, name).await?;
            let (latest, _) =
                self.stored(kind, name, before.current).await?.ok_or_else(|| Error::not_found(kind, name.as_str()))?;
            if due.is_some_and(|due| before.timers.rotate.is_none_or(|set| set > due)) {
                return Ok(object(&before, before.current, latest, self.recovery(), false));
            }
            let StoredBody::Key(old) = latest.body else {
                return Err(internal("a key's record holds no key", &folded));
            };
            let spec = old.spec().ok_or_else(|| internal("a key's size is unknown", &folded))?;
            if made.as_ref().is_none_or(|made| (made.spec, made.hardware) != (spec, old.hardware)) {
                let fresh = self.make(spec, old.hardware).await?;
                if let Some(unfit) = made.replace(fresh) {
                    self.discard(unfit.hardware, &unfit.key.handle).await;
                }
            }
            let Some(Made { key, hardware, .. }) = made.as_ref() else { continue };
            let now = cx.now.seconds();
            let expiry = before.policy.as_ref().and_then(|policy| policy.expiry_time);
            let stored = StoredVersion {
                enabled: latest.enabled,
                nbf: None,
                exp: expiry.map(|lifetime| lifetime.after(now)),
                created: now,
                updated: now,
                tags: latest.tags,
                body: StoredBody::Key(StoredKey {
                    public: key.public.clone(),
                    key_ops: old.key_ops,
                    hardware: *hardware,
                    shared: false,
                    handle: Sensitive::new(Base64Url(key.handle.expose().clone())),
                }),
            };
            let version = next_version(cx.now, Some(before.current))?;
            let mut head = Head { current: version, ..before };
            let mut batch = Batch::default();
            batch.expect(self.keys.live(kind, &folded), Expected::Revision(revision));
            batch.put(self.keys.version(kind, &folded, version), encode(&stored)?);
            self.set_timers(&mut batch, kind, &mut head, &stored);
            let event = Event {
                event_type: "Microsoft.KeyVault.KeyNewVersionCreated".to_owned(),
                kind,
                name: head.name.clone(),
                version,
                expires: stored.exp,
                at: now,
            };
            batch.put(self.keys.event(cx.now.millis(), version), encode(&event)?);
            batch.put(self.keys.live(kind, &folded), encode(&head)?);
            match self.shared.records.commit(batch).await {
                Ok(_) => {
                    if let Some(Made { key, .. }) = made.take() {
                        self.shared.loaded.insert((self.vault.clone(), folded, version), key.loaded);
                    }
                    return Ok(object(&head, version, stored, self.recovery(), false));
                }
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    /// A key of the type and size of the latest version.
    async fn made_like_latest(&self, name: &ObjectName) -> Result<Made, Error> {
        let (head, _) = self.live_head(Kind::Key, name).await?;
        let latest = self.stored(Kind::Key, name, head.current).await?;
        let like = match latest.map(|(latest, _)| latest.body) {
            Some(StoredBody::Key(key)) => key.spec().map(|spec| (spec, key.hardware)),
            _ => None,
        };
        let (spec, hardware) = like.ok_or_else(|| internal("a key's size is unknown", &name.folded()))?;
        self.make(spec, hardware).await
    }

    async fn make(&self, spec: KeySpec, hardware: bool) -> Result<Made, Error> {
        let (custodian, hardware) = self.custodian(hardware)?;
        let key = custodian.generate(spec).await.map_err(provider_error)?;
        Ok(Made { spec, hardware, key })
    }

    pub(super) async fn write_change(&self, cx: &Cx, target: &Target, change: Change) -> Result<Object, Error> {
        let kind = target.kind;
        let limit = match kind {
            Kind::Secret => secrets::MAX_TAG_CHARS,
            Kind::Key => keys::MAX_TAG_CHARS,
        };
        check_tags(change.tags.as_ref(), limit)?;
        check_content_type(change.content_type.as_deref())?;
        check_key_ops(change.key_ops.as_deref())?;
        check_not_exportable(&change.attributes)?;
        let folded = target.name.folded();
        let live_key = self.keys.live(kind, &folded);
        let _in_line = self.lock(kind, &target.name).await;
        for _ in 0..TRIES {
            let (mut head, head_revision) = self.live_head(kind, &target.name).await?;
            let version = target.version.unwrap_or(head.current);
            let Some((mut stored, revision)) = self.stored(kind, &target.name, version).await? else {
                return Err(Error::not_found(kind, &format!("{}/{version}", target.name)));
            };
            apply(&mut stored, &change, cx.now);
            let mut batch = Batch::default();
            batch.expect(live_key.clone(), Expected::Revision(head_revision));
            let version_key = self.keys.version(kind, &folded, version);
            batch.expect(version_key.clone(), Expected::Revision(revision));
            batch.put(version_key, encode(&stored)?);
            if version == head.current {
                let timers = head.timers;
                self.set_timers(&mut batch, kind, &mut head, &stored);
                if head.timers != timers {
                    batch.put(live_key.clone(), encode(&head)?);
                }
            }
            match self.shared.records.commit(batch).await {
                Ok(_) => return Ok(object(&head, version, stored, self.recovery(), false)),
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(records_error(fault)),
            }
        }
        Err(records_error(RecordsError::Conflict))
    }

    pub(super) async fn refuse_deleted(&self, kind: Kind, name: &ObjectName) -> Result<(), Error> {
        match self.head(&self.keys.deleted(kind, &name.folded())).await? {
            Some((head, _)) => Err(Error::deleted_but_recoverable(kind, head.name.as_str())),
            None => Ok(()),
        }
    }
}

fn new_version(now: Time, with: NewAttributes, body: StoredBody) -> StoredVersion {
    let AttributesChange { enabled, nbf, exp, .. } = with.attributes;
    let now = now.seconds();
    StoredVersion { enabled: enabled.unwrap_or(true), nbf, exp, created: now, updated: now, tags: with.tags, body }
}

fn apply(stored: &mut StoredVersion, change: &Change, now: Time) {
    let AttributesChange { enabled, nbf, exp, .. } = change.attributes;
    stored.enabled = enabled.unwrap_or(stored.enabled);
    stored.nbf = nbf.or(stored.nbf);
    stored.exp = exp.or(stored.exp);
    // Clients tell a change by this; a second is too coarse for two of them.
    stored.updated = now.seconds().max(stored.updated.saturating_add(1));
    if let Some(tags) = &change.tags {
        stored.tags = Some(Tags::clone(tags));
    }
    match &mut stored.body {
        StoredBody::Secret { content_type, .. } => {
            if let Some(new) = &change.content_type {
                *content_type = Some(new.clone());
            }
        }
        StoredBody::Key(key) => {
            if let Some(new) = &change.key_ops {
                key.key_ops.clone_from(new);
            }
        }
    }
}

/// A version greater than `last`, so that versions sort in the order in which they were made even
/// when the clock stands still or goes back (RFC 9562 section 5.7).
pub(crate) fn next_version(now: Time, last: Option<Version>) -> Result<Version, Error> {
    let random = random_u128().map_err(|fault| internal("no randomness", &fault))?;
    let millis = u128::try_from(now.millis()).unwrap_or_default() & 0xffff_ffff_ffff;
    let bits = (millis << 80) | (0x7 << 76) | (random & 0x0fff << 64) | (0x2 << 62) | (random & (u128::MAX >> 66));
    let bits = match last {
        Some(last) if bits <= last.bits() => last.bits().saturating_add(1),
        _ => bits,
    };
    Ok(Version::from_bits(bits))
}

fn default_key_ops(public: &strongroom_wire::jwk::PublicJwk) -> Vec<KeyOp> {
    use strongroom_wire::jwk::PublicJwk;
    match public {
        PublicJwk::Rsa { .. } => {
            vec![KeyOp::Encrypt, KeyOp::Decrypt, KeyOp::Sign, KeyOp::Verify, KeyOp::WrapKey, KeyOp::UnwrapKey]
        }
        PublicJwk::Ec { .. } => vec![KeyOp::Sign, KeyOp::Verify],
    }
}

fn check_secret_value(value: &Sensitive<String>) -> Result<(), Error> {
    let bytes = value.expose().len();
    if bytes <= secrets::MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Error::bad_parameter(format!(
        "The secret's value has {bytes} bytes; at most {} are allowed",
        secrets::MAX_VALUE_BYTES
    )))
}

fn check_content_type(content_type: Option<&str>) -> Result<(), Error> {
    if content_type.is_none_or(|text| text.chars().count() <= secrets::MAX_CONTENT_TYPE_CHARS) {
        return Ok(());
    }
    Err(Error::bad_parameter(format!("The content type has at most {} characters", secrets::MAX_CONTENT_TYPE_CHARS)))
}

fn check_new_key(key_ops: Option<&[KeyOp]>, with: &NewAttributes) -> Result<(), Error> {
    check_key_ops(key_ops)?;
    check_not_exportable(&with.attributes)?;
    check_tags(with.tags.as_ref(), keys::MAX_TAG_CHARS)
}

fn check_key_ops(key_ops: Option<&[KeyOp]>) -> Result<(), Error> {
    let key_ops = key_ops.unwrap_or_default();
    if key_ops.contains(&KeyOp::Import) && key_ops.len() > 1 {
        return Err(Error::bad_parameter("The key operation import does not go together with any other"));
    }
    if key_ops.contains(&KeyOp::Export) {
        return Err(Error::bad_parameter(
            "The key operation export needs an exportable key with a release policy, which software keys do not have",
        ));
    }
    Ok(())
}

fn check_not_exportable(attributes: &AttributesChange) -> Result<(), Error> {
    if attributes.exportable == Some(true) {
        return Err(Error::bad_parameter("Exportable keys must have release policy"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_even_when_the_clock_does_not() {
        let now = Time::from_seconds(1_800_000_000);
        let mut last = next_version(now, None).unwrap();
        assert_eq!(last.bits() >> 80, 1_800_000_000_000);
        for earlier in [0, 1, 5_000] {
            let next = next_version(Time::from_millis(now.millis() - earlier), Some(last)).unwrap();
            assert!(next > last);
            last = next;
        }
    }
}
