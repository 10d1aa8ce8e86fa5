//! A ring in Redis. Keys as people know them: `jwt:key:{kid}` (a JSON record), `jwt:active:kid`,
//! `jwt:keys:set`. Changes are scripts that compare a version; there are no locks. Other instances are told
//! on the channel `jwt:changes`.
//!
//! Private keys lie in `jwt:private:{kid}`, sealed (AES-256-GCM) with a key that Redis does not have, and
//! records carry a MAC by it: who can write to Redis can retire keys, and cannot bring in one of his own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError, Script};
use serde::{Deserialize, Serialize};
use strongroom_crypto::{AeadKey, CryptoError, KdfParams, PrivateKey, constant_time_eq, derive_root_key, hmac_sha256};
use strongroom_store::Time;
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::{self, Base64Url};
use strongroom_wire::jwk::PublicJwk;
use tokio::sync::watch;

use super::error::StoreError;
use super::state::{Kid, RingKey, Snapshot, in_order, spec_of};
use super::store::KeyStore;

/// What errors call it.
const PLACE: &str = "Redis";

/// An operation with all its tries ends after this time.
const DEADLINE: Duration = Duration::from_secs(10);

/// A private key that is in no list vanishes after so many seconds.
const STRAY_SECONDS: u64 = 3600;

const SALT: &str = "jwt:seal";
const CHANGES: &str = "jwt:changes";

const LOAD: &str = "
local answer = {redis.call('GET', 'jwt:version:keys') or '', redis.call('GET', 'jwt:version:active') or '',
    redis.call('GET', 'jwt:active:kid') or ''}
for _, kid in ipairs(redis.call('SMEMBERS', 'jwt:keys:set')) do
    answer[#answer + 1] = redis.call('GET', 'jwt:key:' .. kid) or ''
end
return answer";

/// Arguments: the versions of list and active kid that were read, the kid to make active or nothing, how many
/// records there are to write, kids and records in turn, kids to remove. A version that is `-` is not
/// compared, and its part not written.
const SAVE: &str = "
local function stands(name, version) return version == '-' or (redis.call('GET', name) or '') == version end
if not stands('jwt:version:keys', ARGV[1]) or not stands('jwt:version:active', ARGV[2]) then return 0 end
local written = tonumber(ARGV[4])
for at = 5, 4 + 2 * written, 2 do
    redis.call('SET', 'jwt:key:' .. ARGV[at], ARGV[at + 1])
    redis.call('SADD', 'jwt:keys:set', ARGV[at])
    redis.call('PERSIST', 'jwt:private:' .. ARGV[at])
end
for at = 5 + 2 * written, #ARGV do
    redis.call('SREM', 'jwt:keys:set', ARGV[at])
    redis.call('DEL', 'jwt:key:' .. ARGV[at])
end
if ARGV[1] ~= '-' then redis.call('INCR', 'jwt:version:keys') end
if ARGV[2] ~= '-' then
    if redis.call('SISMEMBER', 'jwt:keys:set', ARGV[3]) == 0 then return 0 end
    redis.call('SET', 'jwt:active:kid', ARGV[3])
    redis.call('INCR', 'jwt:version:active')
end
redis.call('PUBLISH', 'jwt:changes', '1')
return 1";

/// A version that is not compared.
const ANY: &str = "-";

/// What seals the private keys in Redis.
pub enum RedisSeal {
    /// A passphrase; the salt lies in Redis.
    Passphrase(Sensitive<String>),
    /// 32 random bytes.
    Key(Sensitive<[u8; 32]>),
}

/// `KeyStore:Type` = Redis.
pub struct RedisKeyStore {
    connection: ConnectionManager,
    seal: AeadKey,
    mac: Sensitive<[u8; 32]>,
    opened: Mutex<HashMap<Kid, Arc<PrivateKey>>>,
    /// Records that were found to be ours.
    read: Mutex<HashMap<String, RingKey>>,
    changes: watch::Receiver<u64>,
}

/// What lies under `jwt:key:{kid}`.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    key: RingKey,
    /// HMAC-SHA-256 over what must not be changed.
    mac: Base64Url,
}

impl RedisKeyStore {
    /// Connects: `redis://…`, or `rediss://…` over TLS; or as .NET writes it, `host:port,password=…`.
    ///
    /// # Errors
    /// `Invalid` when that is no address, `Unauthorized`, `Unavailable`.
    pub async fn connect(address: &Sensitive<String>, seal: RedisSeal) -> Result<Self, StoreError> {
        let url = url_of(address.expose());
        let info = url.expose().as_str().into_connection_info().map_err(|_quotes_it| {
            StoreError::Invalid(
                "ConnectionStrings:Redis: redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss://".to_owned(),
            )
        })?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings)).map_err(|error| fault(&error))?;
        let (told, changes) = watch::channel(0_u64);
        let listen = move |push: PushInfo| {
            // What was said while nobody listened is not known.
            if matches!(push.kind, PushKind::Message | PushKind::Disconnection | PushKind::Subscribe) {
                told.send_modify(|count| *count = count.wrapping_add(1));
            }
            Ok::<(), std::convert::Infallible>(())
        };
        let config = ConnectionManagerConfig::new()
            .set_push_sender(listen)
            .set_automatic_resubscription()
            .set_connection_timeout(Some(Duration::from_secs(5)))
            .set_response_timeout(Some(Duration::from_secs(5)))
            .set_number_of_retries(2);
        let connected = ConnectionManager::new_with_config(client, config);
        let connected = tokio::time::timeout(DEADLINE, connected).await.map_err(|_elapsed| late())?;
        let mut connection = connected.map_err(|error| fault(&error))?;
        connection.subscribe(CHANGES).await.map_err(|error| fault(&error))?;
        let seal = seal_key(&mut connection, seal).await?;
        let mac = Sensitive::new(hmac_sha256(seal.expose(), b"strongroom: records of a key ring"));
        Ok(Self { connection, seal, mac, opened: Mutex::default(), read: Mutex::default(), changes })
    }

    fn mac(&self, key: &RingKey) -> Result<[u8; 32], StoreError> {
        let fixed = serde_json::to_vec(&(&key.kid, key.algorithm, key.created, key.carried, &key.public));
        Ok(hmac_sha256(self.mac.expose(), &fixed.map_err(|fault| StoreError::Invalid(fault.to_string()))?))
    }

    fn record(&self, key: &RingKey) -> Result<String, StoreError> {
        let record = Record { key: key.clone(), mac: Base64Url(self.mac(key)?.to_vec()) };
        serde_json::to_string(&record).map_err(|fault| StoreError::Invalid(fault.to_string()))
    }

    /// A record that is ours.
    fn read(&self, record: &str) -> Option<RingKey> {
        let record: Record = serde_json::from_str(record).ok()?;
        let mac = self.mac(&record.key).ok()?;
        constant_time_eq(&mac, &record.mac.0).then_some(record.key)
    }

    async fn save(
        &self,
        before: &Snapshot,
        keys_tag: &str,
        keys: &[RingKey],
        active_tag: &str,
        active: &str,
    ) -> Result<(), StoreError> {
        let known: HashMap<&Kid, &RingKey> = before.keys.iter().map(|key| (&key.kid, key)).collect();
        let kept: HashSet<&Kid> = keys.iter().map(|key| &key.kid).collect();
        let changed: Vec<&RingKey> = keys.iter().filter(|key| known.get(&key.kid) != Some(key)).collect();
        let mut arguments =
            vec![keys_tag.to_owned(), active_tag.to_owned(), active.to_owned(), changed.len().to_string()];
        for key in changed {
            arguments.extend([key.kid.to_string(), self.record(key)?]);
        }
        let gone = before.keys.iter().filter(|key| !kept.contains(&key.kid));
        arguments.extend(gone.map(|key| key.kid.to_string()));
        let done: u8 = self.script(SAVE, &arguments).await?;
        if done == 1 { Ok(()) } else { Err(StoreError::Changed) }
    }

    async fn script<T: redis::FromRedisValue>(&self, script: &str, arguments: &[String]) -> Result<T, StoreError> {
        let script = Script::new(script);
        let mut invocation = script.prepare_invoke();
        for argument in arguments {
            invocation.arg(argument);
        }
        let mut connection = self.connection.clone();
        let done = tokio::time::timeout(DEADLINE, invocation.invoke_async(&mut connection)).await;
        done.map_err(|_elapsed| late())?.map_err(|error| fault(&error))
    }

    async fn private(&self, kid: &Kid) -> Result<Arc<PrivateKey>, StoreError> {
        if let Some(key) = self.opened().get(kid) {
            return Ok(Arc::clone(key));
        }
        let mut connection = self.connection.clone();
        let sealed: Option<String> = query(redis::cmd("GET").arg(private_name(kid)), &mut connection).await?;
        let sealed = sealed.ok_or_else(|| StoreError::NotFound(kid.clone()))?;
        let not_ours = || {
            StoreError::Invalid(format!(
                "the private key {kid} cannot be opened: another passphrase or key file sealed it"
            ))
        };
        let sealed = base64url::decode(&sealed).map_err(|_invalid| not_ours())?;
        let opened = self.seal.open(kid.as_str().as_bytes(), &sealed).map_err(|_refused| not_ours())?;
        let key = Arc::new(PrivateKey::from_pkcs8(opened.expose()).map_err(|_invalid| not_ours())?);
        self.opened().insert(kid.clone(), Arc::clone(&key));
        Ok(key)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<Kid, Arc<PrivateKey>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for RedisKeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisKeyStore")
    }
}

#[async_trait]
impl KeyStore for RedisKeyStore {
    fn kind(&self) -> &'static str {
        "Redis"
    }

    async fn load(&self) -> Result<Snapshot, StoreError> {
        let answer: Vec<String> = self.script(LOAD, &[]).await?;
        let [keys_tag, active_tag, active, records @ ..] = answer.as_slice() else {
            return Err(StoreError::Unavailable { place: PLACE, detail: "an answer that is too short".to_owned() });
        };
        let mut read = HashMap::with_capacity(records.len());
        {
            let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            for record in records {
                match known.remove(record).or_else(|| self.read(record)) {
                    Some(key) => drop(read.insert(record.clone(), key)),
                    None => tracing::error!("a record under jwt:key: is not this ring's; it is passed over"),
                }
            }
            known.clone_from(&read);
        }
        let keys = in_order(read.into_values().collect());
        if keys.is_empty() && !records.is_empty() {
            // Not an empty ring: a first key must not be made.
            return Err(StoreError::Invalid(
                "the ring in Redis is sealed with another passphrase or key file than KeyStore:Redis names".to_owned(),
            ));
        }
        let kids: HashSet<&Kid> = keys.iter().map(|key| &key.kid).collect();
        self.opened().retain(|kid, _| kids.contains(kid));
        Ok(Snapshot { active: Kid::parse(active), keys, keys_tag: keys_tag.clone(), active_tag: active_tag.clone() })
    }

    async fn save_keys(&self, before: &Snapshot, keys: &[RingKey]) -> Result<(), StoreError> {
        self.save(before, &before.keys_tag, keys, ANY, "").await
    }

    async fn save_active(&self, before: &Snapshot, kid: &Kid) -> Result<(), StoreError> {
        self.save(before, ANY, &before.keys, &before.active_tag, kid.as_str()).await
    }

    async fn switch(&self, before: &Snapshot, keys: &[RingKey], kid: &Kid) -> Result<(), StoreError> {
        self.save(before, &before.keys_tag, keys, &before.active_tag, kid.as_str()).await
    }

    async fn make_key(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError> {
        let spec = spec_of(algorithm)?;
        let made = tokio::task::spawn_blocking(move || PrivateKey::generate(spec)).await;
        let made = made.map_err(|fault| StoreError::Invalid(fault.to_string()))?.map_err(crypto)?;
        let sealed = self.seal.seal(kid.as_str().as_bytes(), made.to_pkcs8().map_err(crypto)?.expose());
        let sealed = base64url::encode(&sealed.map_err(crypto)?);
        let mut command = redis::cmd("SET");
        command.arg(private_name(kid)).arg(sealed).arg("EX").arg(STRAY_SECONDS);
        query::<()>(&command, &mut self.connection.clone()).await?;
        Ok(made.public().to_jwk())
    }

    async fn sign(&self, key: &RingKey, digest: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let (private, algorithm) = (self.private(&key.kid).await?, key.algorithm);
        let signed = tokio::task::spawn_blocking(move || private.sign(algorithm, &digest)).await;
        signed.map_err(|fault| StoreError::Invalid(fault.to_string()))?.map_err(crypto)
    }

    async fn destroy_key(&self, kid: &Kid) -> Result<(), StoreError> {
        self.opened().remove(kid);
        query::<()>(redis::cmd("DEL").arg(private_name(kid)), &mut self.connection.clone()).await
    }

    async fn private_keys(&self, _before: Time) -> Result<Vec<Kid>, StoreError> {
        // Those that are in no list vanish by themselves.
        Ok(Vec::new())
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        Some(changes)
    }
}

/// The key that seals; the first instance's salt is the one for all.
async fn seal_key(connection: &mut ConnectionManager, seal: RedisSeal) -> Result<AeadKey, StoreError> {
    let passphrase = match seal {
        RedisSeal::Key(bytes) => return AeadKey::from_bytes(bytes.expose()).map_err(crypto),
        RedisSeal::Passphrase(passphrase) => passphrase,
    };
    let fresh = serde_json::to_string(&KdfParams::generate().map_err(crypto)?);
    let fresh = fresh.map_err(|fault| StoreError::Invalid(fault.to_string()))?;
    let mut command = redis::cmd("SET");
    command.arg(SALT).arg(fresh).arg("NX");
    query::<Option<String>>(&command, connection).await?;
    let stored: String = query(redis::cmd("GET").arg(SALT), connection).await?;
    let unreadable = |_fault| StoreError::Invalid(format!("{SALT} in Redis is unreadable"));
    let params: KdfParams = serde_json::from_str(&stored).map_err(unreadable)?;
    let derived = tokio::task::spawn_blocking(move || derive_root_key(passphrase.expose(), &params)).await;
    derived.map_err(|fault| StoreError::Invalid(fault.to_string()))?.map_err(crypto)
}

async fn query<T: redis::FromRedisValue>(
    command: &redis::Cmd,
    connection: &mut ConnectionManager,
) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(DEADLINE, command.query_async(connection)).await;
    answer.map_err(|_elapsed| late())?.map_err(|error| fault(&error))
}

/// A URL, made of the form `host:port,password=…,user=…,ssl=True,defaultDatabase=0` if need be.
fn url_of(address: &str) -> Sensitive<String> {
    if address.contains("://") {
        return Sensitive::new(address.to_owned());
    }
    let mut parts = address.split(',').map(str::trim);
    let host = parts.next().unwrap_or_default();
    let parts: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let get = |name: &str| parts.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let tls = get("ssl").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let scheme = if tls { "rediss" } else { "redis" };
    let login = get("password").map(|password| {
        let user = percent(get("user").unwrap_or_default());
        zeroize::Zeroizing::new(format!("{user}:{}@", percent(password)))
    });
    let login = login.as_ref().map_or("", |login| login.as_str());
    Sensitive::new(format!("{scheme}://{login}{host}/{}", get("defaultDatabase").unwrap_or("0")))
}

/// Percent-encoded, all but letters and digits.
fn percent(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

fn private_name(kid: &Kid) -> String {
    format!("jwt:private:{kid}")
}

fn late() -> StoreError {
    StoreError::Unavailable { place: PLACE, detail: "not in time".to_owned() }
}

fn crypto(fault: CryptoError) -> StoreError {
    StoreError::Invalid(fault.to_string())
}

fn fault(error: &RedisError) -> StoreError {
    match error.kind() {
        redis::ErrorKind::AuthenticationFailed => {
            StoreError::Unauthorized { place: PLACE, detail: "wrong user or password".to_owned() }
        }
        redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm) => StoreError::Forbidden {
            place: PLACE,
            role: "~jwt:* &jwt:* +@read +@write +@scripting +@pubsub of an ACL user",
        },
        _ => StoreError::Unavailable { place: PLACE, detail: error.category().to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds() {
        for (address, url) in [
            ("redis://h:1/2", "redis://h:1/2"),
            ("localhost:6379", "redis://localhost:6379/0"),
            ("h:6380,password=p@ss/w,ssl=True,abortConnect=False", "rediss://:p%40ss%2Fw@h:6380/0"),
            ("h:1,user=u,password=p,defaultDatabase=3", "redis://u:p@h:1/3"),
        ] {
            assert_eq!(url_of(address).expose(), url);
        }
    }
}
