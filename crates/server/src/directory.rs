//! The directory: tenant, applications, managed identities, role assignments, and the keys that
//! sign tokens. Kept in the store under `$sys`, and in memory as of the last change.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strongroom_auth::{
    Application, Assignments, Caller, DataAction, Decision, Installation, RoleAssignment, RotationSchedule, Scope,
    SigningKey, SigningKeyRing, StoredSigningKey,
};
use strongroom_store::records::{Batch, Expected, RecordKey, RecordsError, Scan};
use strongroom_store::{Records, Time};
use strongroom_wire::Error;
use tokio::sync::{Mutex, MutexGuard};

use crate::faults::{internal, unavailable};

const SITE: &str = "$sys/site";
const APPLICATIONS: &str = "$sys/application/";
const IDENTITIES: &str = "$sys/identity/";
const ASSIGNMENTS: &str = "$sys/assignment/";
const SIGNING_KEYS: &str = "$sys/signing-key/";

/// What an installation is, once and for all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// Tenant id, a GUID.
    pub tenant: String,
    /// Subscription id, a GUID.
    pub subscription: String,
    /// The resource group that its vaults are in.
    pub resource_group: String,
}

/// A user-assigned managed identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Its name.
    pub name: String,
    /// Client id, a GUID.
    pub client_id: String,
    /// Object id of its service principal, a GUID.
    pub object_id: String,
}

/// What is known of it all at one moment.
struct View {
    applications: HashMap<String, Arc<Application>>,
    identities: Vec<ManagedIdentity>,
    assignments: Assignments,
    ring: Arc<SigningKeyRing>,
}

/// The directory of one installation.
pub struct Directory {
    records: Arc<dyn Records>,
    /// Subscription and resource group, for scopes.
    pub installation: Installation,
    site: Site,
    schedule: RotationSchedule,
    view: ArcSwap<View>,
    // Keeps changes of this process in line; the store's expectations keep other processes out.
    changing: Mutex<()>,
    rotating: Mutex<()>,
    administering: Mutex<()>,
}

impl Directory {
    /// Opens the directory; on a new store, makes it with `site`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(records: Arc<dyn Records>, site: Site, now: Time) -> Result<Self, Error> {
        let site = first_or_stored(&records, SITE, site).await?;
        let view = View::read(&records).await?;
        let directory = Self {
            records,
            installation: Installation {
                subscription: site.subscription.clone(),
                resource_group: site.resource_group.clone(),
            },
            site,
            schedule: RotationSchedule::default(),
            view: ArcSwap::from_pointee(view),
            changing: Mutex::new(()),
            rotating: Mutex::new(()),
            administering: Mutex::new(()),
        };
        directory.rotate_signing_keys(now).await?;
        Ok(directory)
    }

    /// The tenant's id.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.site.tenant
    }

    /// The installation's ids.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The keys that sign tokens.
    #[must_use]
    pub fn ring(&self) -> Arc<SigningKeyRing> {
        Arc::clone(&self.view.load().ring)
    }

    /// May the caller do any of `actions` on `scope`?
    #[must_use]
    pub fn decide(&self, caller: &Caller, actions: &[DataAction], scope: &Scope) -> Decision {
        self.view.load().assignments.decide_any(caller, actions, scope)
    }

    /// An application by its id.
    #[must_use]
    pub fn application(&self, app_id: &str) -> Option<Arc<Application>> {
        self.view.load().applications.get(&app_id.to_ascii_lowercase()).cloned()
    }

    /// All applications.
    #[must_use]
    pub fn applications(&self) -> Vec<Arc<Application>> {
        let mut all: Vec<_> = self.view.load().applications.values().cloned().collect();
        all.sort_by(|a, b| a.display_name.cmp(&b.display_name));
        all
    }

    /// All managed identities.
    #[must_use]
    pub fn identities(&self) -> Vec<ManagedIdentity> {
        self.view.load().identities.clone()
    }

    /// All role assignments.
    #[must_use]
    pub fn assignments(&self) -> Vec<RoleAssignment> {
        self.view.load().assignments.all()
    }

    /// Held by who reads, changes and puts back.
    pub async fn administer(&self) -> MutexGuard<'_, ()> {
        self.administering.lock().await
    }

    /// Adds or replaces an application.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_application(&self, application: &Application) -> Result<(), Error> {
        let key = format!("{APPLICATIONS}{}", application.app_id.to_ascii_lowercase());
        self.change(|batch| put(batch, &key, application)).await
    }

    /// Adds or replaces a managed identity.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_identity(&self, identity: &ManagedIdentity) -> Result<(), Error> {
        let key = format!("{IDENTITIES}{}", identity.name.to_ascii_lowercase());
        self.change(|batch| put(batch, &key, identity)).await
    }

    /// Adds a role assignment; one that is there already (same role, principal and scope) is left
    /// as it is and returned.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn assign(&self, assignment: RoleAssignment) -> Result<RoleAssignment, Error> {
        let same = |other: &RoleAssignment| {
            other.role_id == assignment.role_id
                && other.principal_id == assignment.principal_id
                && other.scope == assignment.scope
        };
        if let Some(there) = self.assignments().into_iter().find(same) {
            return Ok(there);
        }
        let key = format!("{ASSIGNMENTS}{}", assignment.id);
        self.change(|batch| put(batch, &key, &assignment)).await?;
        Ok(assignment)
    }

    /// Removes a role assignment; false when there is none of that id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unassign(&self, id: &str) -> Result<bool, Error> {
        if !self.assignments().iter().any(|assignment| assignment.id == id) {
            return Ok(false);
        }
        let key = RecordKey::new(format!("{ASSIGNMENTS}{id}"));
        self.change(|batch| {
            batch.delete(key);
            Ok(())
        })
        .await?;
        Ok(true)
    }

    /// Makes the next signing key when it is time, and drops those that no token needs any more.
    ///
    /// # Errors
    /// Those of the store and of key generation.
    pub async fn rotate_signing_keys(&self, now: Time) -> Result<(), Error> {
        let plan = || self.ring().plan(now.seconds(), &self.schedule);
        if plan().is_empty() {
            return Ok(());
        }
        let _alone = self.rotating.lock().await;
        // Another task may have done it meanwhile.
        let plan = plan();
        if plan.is_empty() {
            return Ok(());
        }
        let made = match plan.generate {
            Some(times) => {
                // RSA generation takes a while: not on an I/O thread.
                let made = tokio::task::spawn_blocking(move || SigningKey::generate(&times)).await;
                Some(made.map_err(|_lost| internal("a signing key could not be made"))?.map_err(|error| {
                    tracing::error!(%error, "a signing key could not be made");
                    internal("a signing key could not be made")
                })?)
            }
            None => None,
        };
        self.change(|batch| {
            for kid in &plan.drop {
                batch.delete(RecordKey::new(format!("{SIGNING_KEYS}{kid}")));
            }
            match &made {
                Some(key) => {
                    let stored = key.to_stored().map_err(|_unwritable| internal("a signing key cannot be written"))?;
                    put(batch, &format!("{SIGNING_KEYS}{}", key.kid()), &stored)
                }
                None => Ok(()),
            }
        })
        .await
    }

    async fn change(&self, fill: impl FnOnce(&mut Batch) -> Result<(), Error>) -> Result<(), Error> {
        let _in_line = self.changing.lock().await;
        let mut batch = Batch::default();
        fill(&mut batch)?;
        self.records.commit(batch).await.map_err(|fault| unavailable(&fault))?;
        self.view.store(Arc::new(View::read(&self.records).await?));
        Ok(())
    }
}

impl View {
    async fn read(records: &Arc<dyn Records>) -> Result<Self, Error> {
        let applications: Vec<Application> = read_all(records, APPLICATIONS).await?;
        let assignments: Vec<RoleAssignment> = read_all(records, ASSIGNMENTS).await?;
        let keys: Vec<StoredSigningKey> = read_all(records, SIGNING_KEYS).await?;
        let keys = keys.into_iter().map(SigningKey::from_stored).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|_unreadable| internal("a signing key cannot be read"))?;
        Ok(Self {
            applications: applications
                .into_iter()
                .map(|application| (application.app_id.to_ascii_lowercase(), Arc::new(application)))
                .collect(),
            identities: read_all(records, IDENTITIES).await?,
            assignments: Assignments::new(assignments),
            ring: Arc::new(SigningKeyRing::new(keys)),
        })
    }
}

/// A record that is made once: `value` when there is none yet, else what is there.
///
/// # Errors
/// Those of the store.
pub async fn first_or_stored<T>(records: &Arc<dyn Records>, key: &str, value: T) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
{
    let key = RecordKey::new(key);
    if let Some(found) = records.read(&key).await.map_err(|fault| unavailable(&fault))? {
        return decode(&found.value);
    }
    let mut batch = Batch::default();
    batch.expect(key.clone(), Expected::Absent);
    put(&mut batch, key.as_str(), &value)?;
    match records.commit(batch).await {
        Ok(_) => Ok(value),
        Err(RecordsError::Conflict) => {
            let found = records.read(&key).await.map_err(|fault| unavailable(&fault))?;
            decode(&found.ok_or_else(|| internal("a record is gone"))?.value)
        }
        Err(fault) => Err(unavailable(&fault)),
    }
}

async fn read_all<T: DeserializeOwned>(records: &Arc<dyn Records>, prefix: &str) -> Result<Vec<T>, Error> {
    let found = records.scan(&Scan::prefix(prefix, usize::MAX)).await.map_err(|fault| unavailable(&fault))?;
    found.iter().map(|(_, record)| decode(&record.value)).collect()
}

fn put<T: Serialize>(batch: &mut Batch, key: &str, value: &T) -> Result<(), Error> {
    let bytes = serde_json::to_vec(value).map_err(|_unwritable| internal("a record could not be written"))?;
    batch.put(RecordKey::new(key), bytes);
    Ok(())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_unreadable| internal("a record of the directory cannot be read"))
}
