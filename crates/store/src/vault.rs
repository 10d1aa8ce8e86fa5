//! `Vault`: names, versions, attributes, soft delete and key operations. Everything that keeps or
//! fronts secrets and keys is one of these.

use async_trait::async_trait;
use strongroom_crypto::KeySpec;
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::attributes::{AttributesChange, Recovery, Tags};
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::rotation::RotationPolicy;
use strongroom_wire::{Error, Sensitive};

use crate::cx::Cx;
use crate::provider::{Operation, Output};

/// What a vault can do, for display. The conformance suite holds it against behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// The keys it can make and take in.
    pub keys: Vec<KeySpec>,
    /// Can it keep keys in hardware.
    pub hardware_keys: bool,
    /// Can it rotate keys, and by policy.
    pub rotation: bool,
    /// Can it back up and restore.
    pub backup: bool,
}

/// Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// May it be used.
    pub enabled: bool,
    /// Not before.
    pub not_before: Option<i64>,
    /// Not from here on.
    pub expires: Option<i64>,
    /// When the version was made.
    pub created: i64,
    /// When it was last changed.
    pub updated: i64,
    /// What the vault promises after deletion.
    pub recovery: Recovery,
}

/// What distinguishes a secret from a key.
#[derive(Debug)]
pub enum Body {
    /// A secret.
    Secret {
        /// What the value is.
        content_type: Option<String>,
        /// The value: present in answers to set and get of a live secret, and nowhere else.
        value: Option<Sensitive<String>>,
    },
    /// A key; the private half never leaves its provider.
    Key {
        /// The public half. Absent in lists from a remote vault, which does not send it.
        public: Option<PublicJwk>,
        /// Permitted operations. Empty in lists from a remote vault.
        key_ops: Vec<KeyOp>,
        /// Is it kept in hardware.
        hardware: bool,
    },
}

/// When an object was deleted, and when it will be purged. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// Deleted at.
    pub deleted: i64,
    /// Purged at.
    pub scheduled_purge: i64,
}

/// One version of a secret or key.
#[derive(Debug)]
pub struct Object {
    /// Its name, in the case first used.
    pub name: ObjectName,
    /// Its version. In a remote vault's lists, which do not tell it, `None`.
    pub version: Option<Version>,
    /// Attributes.
    pub attributes: ObjectAttributes,
    /// Tags; `None` when none were ever set.
    pub tags: Option<Tags>,
    /// The rest.
    pub body: Body,
    /// Set when it is soft-deleted.
    pub deletion: Option<Deletion>,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Secret or key.
    pub kind: Kind,
    /// Name.
    pub name: ObjectName,
    /// Version; `None` is the latest.
    pub version: Option<Version>,
}

impl Target {
    /// The latest version.
    #[must_use]
    pub const fn latest(kind: Kind, name: ObjectName) -> Self {
        Self { kind, name, version: None }
    }
}

/// Which objects to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The latest version of each live object, by name.
    Live(Kind),
    /// The latest version of each soft-deleted object, by name.
    Deleted(Kind),
    /// All versions of one live object, oldest first.
    Versions(Kind, ObjectName),
}

/// Where in a list to go on: opaque, from the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A page of a list.
#[derive(Debug)]
pub struct ObjectPage {
    /// The objects. May be empty although there are more.
    pub items: Vec<Object>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// What all new versions may be given.
#[derive(Debug, Clone, Default)]
pub struct NewAttributes {
    /// Attributes.
    pub attributes: AttributesChange,
    /// Tags.
    pub tags: Option<Tags>,
}

/// A new current version of an object. Nothing is inherited, except by `RotateKey`.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a request, and moved, not kept")]
pub enum NewVersion {
    /// A secret.
    Secret {
        /// The value: at most 25,600 bytes.
        value: Sensitive<String>,
        /// What it is: at most 255 characters.
        content_type: Option<String>,
        /// The rest.
        with: NewAttributes,
    },
    /// A key, generated.
    Key {
        /// Type and size.
        spec: KeySpec,
        /// In hardware.
        hardware: bool,
        /// Permitted operations; `None` is all that the type can do.
        key_ops: Option<Vec<KeyOp>>,
        /// The rest.
        with: NewAttributes,
    },
    /// A key, from outside.
    ImportedKey {
        /// The material.
        jwk: ImportJwk,
        /// In hardware.
        hardware: bool,
        /// Permitted operations; `None` is all that the type can do.
        key_ops: Option<Vec<KeyOp>>,
        /// The rest.
        with: NewAttributes,
    },
    /// New material for a key, everything else from its latest version, expiry by its policy.
    RotatedKey,
}

impl NewVersion {
    /// Secret or key.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Secret { .. } => Kind::Secret,
            Self::Key { .. } | Self::ImportedKey { .. } | Self::RotatedKey => Kind::Key,
        }
    }
}

/// A change to a version. What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Attributes, member by member.
    pub attributes: AttributesChange,
    /// Tags; replace all.
    pub tags: Option<Tags>,
    /// Content type of a secret.
    pub content_type: Option<String>,
    /// Permitted operations of a key; replace all.
    pub key_ops: Option<Vec<KeyOp>>,
}

/// What an operation gave, and by which version of the key.
#[derive(Debug)]
pub struct Performed {
    /// The key's name, in the case first used.
    pub name: ObjectName,
    /// The version that was used.
    pub version: Version,
    /// The result.
    pub output: Output,
}

/// A vault of secrets and keys. Who may do what is decided before it is called.
///
/// Errors are those of the protocol (`strongroom_wire::ErrorKind`): a name that is not there is
/// `NotFound`, a name in use by a soft-deleted object is `DeletedButRecoverable`, and so on.
#[async_trait]
pub trait Vault: Send + Sync {
    /// What it can do, for display.
    fn offers(&self) -> Offers;

    /// A live object. A disabled secret is refused with `SecretDisabled`.
    async fn get(&self, cx: &Cx, target: &Target) -> Result<Object, Error>;

    /// A soft-deleted object.
    async fn get_deleted(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error>;

    /// A page of at most `limit` objects (1 to 25), without secret values.
    async fn list(&self, cx: &Cx, listing: &Listing, limit: usize, after: Option<&Cursor>)
    -> Result<ObjectPage, Error>;

    /// Makes a new current version.
    async fn put(&self, cx: &Cx, name: &ObjectName, new: NewVersion) -> Result<Object, Error>;

    /// Changes a version.
    async fn update(&self, cx: &Cx, target: &Target, change: Change) -> Result<Object, Error>;

    /// Soft-deletes an object with all its versions.
    async fn delete(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error>;

    /// Brings a soft-deleted object back as it was.
    async fn recover(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error>;

    /// Destroys a soft-deleted object for good. Refused under purge protection.
    async fn purge(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<(), Error>;

    /// Uses a key.
    async fn perform(&self, cx: &Cx, key: &Target, operation: Operation) -> Result<Performed, Error>;

    /// The rotation policy of a key; the default one when it was never set.
    async fn rotation_policy(&self, cx: &Cx, name: &ObjectName) -> Result<RotationPolicy, Error>;

    /// Sets the rotation policy of a key; returns it with its times.
    async fn set_rotation_policy(
        &self,
        cx: &Cx,
        name: &ObjectName,
        policy: RotationPolicy,
    ) -> Result<RotationPolicy, Error>;

    /// An encrypted, authenticated blob with all versions of a live object.
    async fn backup(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Vec<u8>, Error>;

    /// Re-creates an object from a blob of [`Vault::backup`], names and versions as they were.
    async fn restore(&self, cx: &Cx, kind: Kind, blob: &[u8]) -> Result<Object, Error>;
}

/// Most objects in a page (REST reference).
const LARGEST_PAGE: usize = 25;

/// All objects of a list, page after page: for vaults whose lists fit into memory.
///
/// # Errors
/// Those of [`Vault::list`].
pub async fn list_all(vault: &dyn Vault, cx: &Cx, listing: &Listing) -> Result<Vec<Object>, Error> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = vault.list(cx, listing, LARGEST_PAGE, after.as_ref()).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
