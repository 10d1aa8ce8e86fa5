//! Reading: get, get deleted, lists.

use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::{Error, ErrorKind};

use super::layout::{Head, StoredVersion, decode, object};
use super::{Engine, records_error};
use crate::provider::KeyProvider;
use crate::records::{RecordKey, Records, Scan};
use crate::vault::{Cursor, Listing, Object, ObjectPage, Target};

impl<R: Records, P: KeyProvider> Engine<R, P> {
    pub(super) async fn read_live(&self, target: &Target) -> Result<Object, Error> {
        let (head, version, stored) = self.find(target).await?;
        if target.kind == Kind::Secret && !stored.enabled {
            return Err(Error::new(ErrorKind::SecretDisabled, "Operation get is not allowed on a disabled secret."));
        }
        Ok(object(&head, version, stored, self.recovery(), true))
    }

    pub(super) async fn read_deleted(&self, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        let (head, _) = self.deleted_head(kind, name).await?;
        match self.stored(kind, name, head.current).await? {
            Some((stored, _)) => Ok(object(&head, head.current, stored, self.recovery(), false)),
            // Purged between the two reads.
            None => Err(Error::deleted_not_found(kind, name.as_str())),
        }
    }

    pub(super) async fn read_page(
        &self,
        listing: &Listing,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<ObjectPage, Error> {
        match listing {
            Listing::Live(kind) => self.read_heads(self.keys.live_prefix(*kind), *kind, limit, after).await,
            Listing::Deleted(kind) => self.read_heads(self.keys.deleted_prefix(*kind), *kind, limit, after).await,
            Listing::Versions(kind, name) => self.read_versions(*kind, name, limit, after).await,
        }
    }

    async fn read_heads(
        &self,
        prefix: String,
        kind: Kind,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<ObjectPage, Error> {
        let after = after.map(|cursor| ObjectName::parse(&cursor.0).map(|name| name.folded())).transpose();
        let after = after.map_err(|_not_a_name| bad_cursor())?;
        let (found, next) = self.scan_page(prefix, limit, after).await?;
        let mut items = Vec::with_capacity(found.len());
        for (key, record) in &found {
            let head: Head = decode(key, record)?;
            // Absent when it was purged between the scan and this read.
            if let Some((stored, _)) = self.stored(kind, &head.name, head.current).await? {
                items.push(object(&head, head.current, stored, self.recovery(), false));
            }
        }
        Ok(ObjectPage { items, next })
    }

    async fn read_versions(
        &self,
        kind: Kind,
        name: &ObjectName,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<ObjectPage, Error> {
        let (head, _) = self.live_head(kind, name).await?;
        let after = after.map(|cursor| Version::parse(&cursor.0).ok_or_else(bad_cursor)).transpose()?;
        let prefix = self.keys.versions_prefix(kind, &name.folded());
        let (found, next) = self.scan_page(prefix.clone(), limit, after.map(|version| version.to_string())).await?;
        let mut items = Vec::with_capacity(found.len());
        for (key, record) in &found {
            let stored: StoredVersion = decode(key, record)?;
            if let Some(version) = key.as_str().strip_prefix(&prefix).and_then(Version::parse) {
                items.push(object(&head, version, stored, self.recovery(), false));
            }
        }
        Ok(ObjectPage { items, next })
    }

    /// One record more than asked for tells whether there is a next page.
    async fn scan_page(
        &self,
        prefix: String,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<(RecordKey, crate::records::Record)>, Option<Cursor>), Error> {
        let after = after.map(|last| RecordKey::new(format!("{prefix}{last}")));
        let scan = Scan { after, limit: limit.saturating_add(1), ..Scan::prefix(prefix.clone(), 0) };
        let mut found = self.shared.records.scan(&scan).await.map_err(records_error)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().and_then(|(key, _)| key.as_str().strip_prefix(&prefix));
        let next = last.filter(|_| more).map(|last| Cursor(last.to_owned()));
        Ok((found, next))
    }
}

fn bad_cursor() -> Error {
    Error::bad_parameter("The $skiptoken is not one that this vault gave; start the list anew")
}
