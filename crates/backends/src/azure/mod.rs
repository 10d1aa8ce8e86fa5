//! [`AzureVault`]: a vault behind the Key Vault protocol, Azure's own or another Strongroom.

mod challenge;
mod translate;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_crypto::KeySpec;
use strongroom_store::Cx;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{
    Change, Cursor, Listing, NewVersion, Object, ObjectPage, Offers, Performed, Target, Vault,
};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, parse_object_id};
use strongroom_wire::keys::{
    BackupBlob, KeyBundle, KeyItem, KeyOperationParameters, KeyOperationResult, KeyVerifyResult,
};
use strongroom_wire::page::Page;
use strongroom_wire::rotation::{RotationPolicy, RotationPolicyBody};
use strongroom_wire::secrets::SecretBundle;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::retry::{Repeat, Retry};
use translate::{Subject, key_item, key_object, secret_object, to_wire};
use transport::Transport;

pub use challenge::scope as challenge_scope;

/// The protocol version that is asked for.
const API_VERSION: &str = "2025-07-01";

/// How to reach a vault.
pub struct AzureVaultOptions {
    /// `https://NAME.vault.azure.net`, or a Strongroom's; https only.
    pub url: String,
    /// Gives tokens: any credential of `azure_identity`.
    pub credential: Arc<dyn TokenCredential>,
    /// The HTTP client to use. One client for a whole process pools connections best.
    pub http: reqwest::Client,
}

/// A vault behind the Key Vault protocol. The request's context stays on this side: time and
/// caller are the server's business.
pub struct AzureVault {
    transport: Transport,
}

impl AzureVault {
    /// A client of that vault. Nothing is sent yet.
    ///
    /// # Errors
    /// `BadParameter` when the URL is not an https URL of a host.
    pub fn new(options: AzureVaultOptions) -> Result<Self, Error> {
        Ok(Self { transport: Transport::new(&options.url, options.credential, options.http)? })
    }

    /// With another deadline for a request with all its tries; by default that of [`Retry`]. To
    /// cancel a call, drop its future.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.transport.retry_mut().deadline = deadline;
        self
    }

    /// With another way to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        *self.transport.retry_mut() = retry;
        self
    }

    async fn call<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        subject: Subject,
    ) -> Result<A, Error> {
        let repeat = if method == Method::GET { Repeat::Freely } else { Repeat::WhenRefused };
        self.transport.call(method, path, API_VERSION, body, repeat, subject).await
    }

    async fn bundle<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        subject: Subject,
    ) -> Result<Object, Error> {
        match subject.kind {
            Kind::Secret => secret_object(self.call::<B, SecretBundle>(method, path, body, subject).await?),
            Kind::Key => key_object(self.call::<B, KeyBundle>(method, path, body, subject).await?),
        }
    }
}

/// No body, where one could be.
const NOTHING: Option<&()> = None;

fn live_path(target: &Target) -> String {
    // An empty last segment stands for the latest version.
    let version = target.version.map(|version| version.to_string()).unwrap_or_default();
    format!("/{}/{}/{version}", target.kind.collection(), target.name)
}

fn name_path(kind: Kind, name: &ObjectName, action: &str) -> String {
    format!("/{}/{name}{action}", kind.collection())
}

fn deleted_path(kind: Kind, name: &ObjectName, action: &str) -> String {
    format!("/{}/{name}{action}", kind.deleted_collection())
}

#[async_trait]
impl Vault for AzureVault {
    fn offers(&self) -> Offers {
        let rsa = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
        let keys = rsa.into_iter().chain(Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve))).collect();
        Offers { keys, hardware_keys: false, rotation: true, backup: true }
    }

    async fn get(&self, _cx: &Cx, target: &Target) -> Result<Object, Error> {
        self.bundle(Method::GET, &live_path(target), NOTHING, Subject::live(target)).await
    }

    async fn get_deleted(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        self.bundle(Method::GET, &deleted_path(kind, name, ""), NOTHING, Subject::deleted(kind)).await
    }

    async fn list(
        &self,
        _cx: &Cx,
        listing: &Listing,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<ObjectPage, Error> {
        let (kind, path) = match listing {
            Listing::Live(kind) => (*kind, format!("/{}", kind.collection())),
            Listing::Deleted(kind) => (*kind, format!("/{}", kind.deleted_collection())),
            Listing::Versions(kind, name) => (*kind, name_path(*kind, name, "/versions")),
        };
        // A cursor is the query of the server's next link: the link's host is never followed.
        let query = after.map_or_else(|| format!("maxresults={limit}"), |cursor| cursor.0.clone());
        let path = format!("{path}?{query}");
        let subject = Subject { kind, in_deleted: matches!(listing, Listing::Deleted(_)) };
        let (items, next) = match kind {
            Kind::Secret => {
                let page: Page<SecretBundle> = self.call(Method::GET, &path, NOTHING, subject).await?;
                (page.value.into_iter().map(secret_object).collect::<Result<_, _>>()?, page.next_link)
            }
            Kind::Key => {
                let page: Page<KeyItem> = self.call(Method::GET, &path, NOTHING, subject).await?;
                (page.value.into_iter().map(key_item).collect::<Result<_, _>>()?, page.next_link)
            }
        };
        Ok(ObjectPage { items, next: next.as_deref().and_then(translate::cursor) })
    }

    async fn put(&self, _cx: &Cx, name: &ObjectName, new: NewVersion) -> Result<Object, Error> {
        let subject = Subject { kind: new.kind(), in_deleted: false };
        match to_wire(new)? {
            translate::Put::Secret(body) => {
                self.bundle(Method::PUT, &name_path(Kind::Secret, name, ""), Some(&body), subject).await
            }
            translate::Put::Create(body) => {
                self.bundle(Method::POST, &name_path(Kind::Key, name, "/create"), Some(&body), subject).await
            }
            translate::Put::Import(body) => {
                self.bundle(Method::PUT, &name_path(Kind::Key, name, ""), Some(&body), subject).await
            }
            translate::Put::Rotate => {
                self.bundle(Method::POST, &name_path(Kind::Key, name, "/rotate"), NOTHING, subject).await
            }
        }
    }

    async fn update(&self, _cx: &Cx, target: &Target, change: Change) -> Result<Object, Error> {
        let (path, subject) = (live_path(target), Subject::live(target));
        match target.kind {
            Kind::Secret => {
                let body = translate::secret_update(change);
                self.bundle(Method::PATCH, &path, Some(&body), subject).await
            }
            Kind::Key => self.bundle(Method::PATCH, &path, Some(&translate::key_update(change)), subject).await,
        }
    }

    async fn delete(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        let subject = Subject { kind, in_deleted: false };
        self.bundle(Method::DELETE, &name_path(kind, name, ""), NOTHING, subject).await
    }

    async fn recover(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        self.bundle(Method::POST, &deleted_path(kind, name, "/recover"), NOTHING, Subject::deleted(kind)).await
    }

    async fn purge(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<(), Error> {
        let path = deleted_path(kind, name, "");
        let none: Option<&()> = None;
        let subject = Subject::deleted(kind);
        self.transport.send(Method::DELETE, &path, API_VERSION, none, Repeat::WhenRefused, subject).await.map(drop)
    }

    async fn perform(&self, cx: &Cx, key: &Target, operation: Operation) -> Result<Performed, Error> {
        let (action, body) = parameters(operation);
        // The answer to verify does not say which version it was.
        let version = match (key.version, action) {
            (None, "verify") => self.get(cx, &Target { kind: Kind::Key, ..key.clone() }).await?.version,
            (version, _) => version,
        };
        let target = Target { kind: Kind::Key, name: key.name.clone(), version };
        let path = format!("{}/{action}", live_path(&target));
        let subject = Subject::live(&target);
        if action == "verify" {
            let answer: KeyVerifyResult =
                self.transport.call(Method::POST, &path, API_VERSION, Some(&body), Repeat::Freely, subject).await?;
            let version = version.ok_or_else(|| translate::unexpected("a key without a version"))?;
            return Ok(Performed { name: key.name.clone(), version, output: Output::Verified(answer.value) });
        }
        let answer: KeyOperationResult =
            self.transport.call(Method::POST, &path, API_VERSION, Some(&body), Repeat::Freely, subject).await?;
        let (_, name, version) = parse_object_id(&answer.kid)?;
        let version = version.ok_or_else(|| translate::unexpected("a key id without a version"))?;
        let bytes = Sensitive::new(answer.value.expose().0.clone());
        Ok(Performed { name, version, output: Output::Bytes(bytes) })
    }

    async fn rotation_policy(&self, _cx: &Cx, name: &ObjectName) -> Result<RotationPolicy, Error> {
        let path = name_path(Kind::Key, name, "/rotationpolicy");
        let subject = Subject { kind: Kind::Key, in_deleted: false };
        translate::policy(&self.call(Method::GET, &path, NOTHING, subject).await?)
    }

    async fn set_rotation_policy(
        &self,
        _cx: &Cx,
        name: &ObjectName,
        policy: RotationPolicy,
    ) -> Result<RotationPolicy, Error> {
        let path = name_path(Kind::Key, name, "/rotationpolicy");
        let subject = Subject { kind: Kind::Key, in_deleted: false };
        let body: RotationPolicyBody = policy.to_wire(None);
        translate::policy(&self.call(Method::PUT, &path, Some(&body), subject).await?)
    }

    async fn backup(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Vec<u8>, Error> {
        let subject = Subject { kind, in_deleted: false };
        let blob: BackupBlob = self.call(Method::POST, &name_path(kind, name, "/backup"), NOTHING, subject).await?;
        blob.value.map(|Base64Url(bytes)| bytes).ok_or_else(|| translate::unexpected("a backup without a value"))
    }

    async fn restore(&self, _cx: &Cx, kind: Kind, blob: &[u8]) -> Result<Object, Error> {
        let body = BackupBlob { value: Some(Base64Url(blob.to_vec())) };
        let subject = Subject { kind, in_deleted: false };
        self.bundle(Method::POST, &format!("/{}/restore", kind.collection()), Some(&body), subject).await
    }
}

impl fmt::Debug for AzureVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureVault({})", self.transport.url())
    }
}

fn parameters(operation: Operation) -> (&'static str, KeyOperationParameters) {
    let body = |alg: &str, value: Vec<u8>| KeyOperationParameters {
        alg: Some(alg.to_owned()),
        value: Some(Sensitive::new(Base64Url(value))),
        digest: None,
    };
    match operation {
        Operation::Encrypt(alg, value) => ("encrypt", body(alg.as_str(), value.expose().clone())),
        Operation::Decrypt(alg, value) => ("decrypt", body(alg.as_str(), value)),
        Operation::Sign(alg, digest) => ("sign", body(alg.as_str(), digest)),
        Operation::Verify { algorithm, digest, signature } => {
            let body = body(algorithm.as_str(), signature);
            ("verify", KeyOperationParameters { digest: Some(Base64Url(digest)), ..body })
        }
        Operation::WrapKey(alg, value) => ("wrapkey", body(alg.as_str(), value.expose().clone())),
        Operation::UnwrapKey(alg, value) => ("unwrapkey", body(alg.as_str(), value)),
    }
}

/// For errors of our own making about what the server did.
fn unavailable(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("The vault does not answer: {what}"))
}
