//! An `ssh-agent` that signs with keys of any vault (draft-ietf-sshm-ssh-agent).
//!
//! ```
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//! use strongroom::ssh_agent::{Agent, AgentSocket};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = VaultKey::new(strongroom::open("memory:").await?, "ssh-login")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! println!("{}", strongroom::ssh_agent::authorized_key(&key).await?); // for ~/.ssh/authorized_keys
//!
//! let folder = std::env::temp_dir().join(format!("agent-{}", std::process::id()));
//! let socket = AgentSocket::bind(&folder.join("agent.sock"))?;
//! let serving = tokio::spawn(Agent::new(vec![key]).serve(socket)); // SSH_AUTH_SOCK=…/agent.sock
//! # serving.abort();
//! # drop(serving.await);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It lists and signs, and does nothing else: keys are neither added nor removed by clients, who are told
//! so. RSA signs with SHA-256 or SHA-512, never with SHA-1. The socket is for its owner alone: mode 0600
//! in a folder of mode 0700, and other users' processes are turned away by their uid.

mod socket;
mod wire;

use std::sync::Arc;

use strongroom_store::vault::{Body, Listing, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::ids::Kind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use socket::AgentSocket;

use crate::clock::{Clock as _, SystemClock};
use crate::keys::{Curve, KeyError, KeySpec, PublicKey, SignatureAlgorithm, VaultKey};
use wire::{Reader, message, mpint, public_blob, string};

/// Numbers of messages (section 3.1).
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// Flags of a request to sign (section 3.6.1).
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// Longest message, in bytes: as OpenSSH has it.
const MAX_MESSAGE: u32 = 256 * 1_024;

/// Connections at once.
const CONNECTIONS: usize = 64;

/// The keys that an agent offers.
#[derive(Debug, Clone)]
pub struct Agent {
    keys: Vec<VaultKey>,
}

impl Agent {
    /// With these keys, in this order.
    #[must_use]
    pub const fn new(keys: Vec<VaultKey>) -> Self {
        Self { keys }
    }

    /// With all keys of a vault that can sign for SSH.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn of_vault(vault: &Arc<dyn Vault>) -> Result<Self, KeyError> {
        let cx = Cx::system(SystemClock.now());
        let fault = |fault| KeyError::of("listing keys", "keys", fault);
        let mut keys = Vec::new();
        let all = list_all(&**vault, &cx, &Listing::Live(Kind::Key)).await.map_err(fault)?;
        for item in all.into_iter().filter(|item| item.attributes.enabled) {
            // Lists of a remote vault do not tell what a key can do.
            let whole = vault.get(&cx, &Target::latest(Kind::Key, item.name.clone())).await.map_err(fault)?;
            let Body::Key { public: Some(public), key_ops, .. } = &whole.body else { continue };
            let fits = PublicKey::from_jwk(public).is_ok_and(|public| public_blob(&public).is_some());
            if fits && key_ops.contains(&KeyOp::Sign) {
                keys.push(VaultKey::new(Arc::clone(vault), item.name.as_str())?);
            }
        }
        Ok(Self { keys })
    }

    /// How many keys it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Has it none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Answers at a socket, for ever.
    ///
    /// # Errors
    /// When the socket does not accept any more.
    pub async fn serve(self, socket: AgentSocket) -> std::io::Result<()> {
        let agent = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        // Ends with us.
        let mut connections = JoinSet::new();
        loop {
            let stream = socket.accept().await?;
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
            let agent = Arc::clone(&agent);
            connections.spawn(async move {
                if let Err(fault) = agent.converse(stream).await {
                    tracing::debug!("a client of the ssh-agent went away: {fault}");
                }
                drop(place);
            });
        }
    }

    /// Answers one client until it hangs up.
    ///
    /// # Errors
    /// When it says something that is too long, or the connection breaks.
    pub async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        loop {
            let length = match stream.read_u32().await {
                Ok(length) if (1..=MAX_MESSAGE).contains(&length) => length,
                Ok(_) => return Err(std::io::ErrorKind::InvalidData.into()),
                Err(fault) if fault.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(fault) => return Err(fault),
            };
            let mut request = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
            stream.read_exact(&mut request).await?;
            let answer = self.answer(&request).await.unwrap_or_else(|why| {
                tracing::warn!("ssh-agent: {why}");
                message(FAILURE, &[])
            });
            stream.write_all(&answer).await?;
        }
    }

    async fn answer(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        let mut reader = Reader::new(request);
        match reader.byte() {
            Some(REQUEST_IDENTITIES) => self.identities().await,
            Some(SIGN_REQUEST) => {
                let (blob, data, flags) = (reader.string(), reader.string(), reader.u32());
                let (Some(blob), Some(data), Some(flags), true) = (blob, data, flags, reader.is_empty()) else {
                    return Err("a request to sign that cannot be read".to_owned());
                };
                self.sign(blob, data, flags).await
            }
            // Extensions, and everything that would change the keys.
            _ => Ok(message(FAILURE, &[])),
        }
    }

    async fn identities(&self) -> Result<Vec<u8>, String> {
        let (mut count, mut list) = (0_u32, Vec::new());
        for key in &self.keys {
            let public = key.public().await;
            let blob = match &public {
                Ok((_version, public)) => public_blob(public),
                // The others can be used all the same.
                Err(fault) => {
                    tracing::warn!("ssh-agent: the key {} is left out: {fault}", key.name());
                    None
                }
            };
            if let Some(blob) = blob {
                count += 1;
                list.extend(string(&blob));
                list.extend(string(key.name().as_str().as_bytes()));
            }
        }
        Ok(message(IDENTITIES_ANSWER, &[count.to_be_bytes().as_slice(), &list].concat()))
    }

    async fn sign(&self, blob: &[u8], data: &[u8], flags: u32) -> Result<Vec<u8>, String> {
        for key in &self.keys {
            let Ok((version, public)) = key.public().await else { continue };
            if public_blob(&public).as_deref() != Some(blob) {
                continue;
            }
            let (name, algorithm) = algorithm(public.spec(), flags)
                .ok_or_else(|| format!("{}: the client asks for SHA-1, which is not done", key.name()))?;
            let signature = key.at(version).sign(algorithm, data).await.map_err(|fault| fault.to_string())?;
            let bytes = match algorithm.curve() {
                None => signature.bytes,
                Some(curve) => {
                    let (r, s) = signature.bytes.split_at_checked(curve.coordinate_len()).ok_or("a short signature")?;
                    [mpint(r), mpint(s)].concat()
                }
            };
            let signature = [string(name.as_bytes()), string(&bytes)].concat();
            return Ok(message(SIGN_RESPONSE, &string(&signature)));
        }
        Err("a client asks for a key that is not offered".to_owned())
    }
}

/// A key's line for `authorized_keys` and `.pub` files: type, base64, name.
///
/// # Errors
/// [`KeyError::Invalid`] for a key on secp256k1, which SSH does not know.
pub async fn authorized_key(key: &VaultKey) -> Result<String, KeyError> {
    use base64::Engine as _;
    let (_version, public) = key.public().await?;
    let blob = public_blob(&public);
    let blob = blob.ok_or_else(|| KeyError::Invalid("SSH does not know keys on P-256K".to_owned()))?;
    let kind = Reader::new(&blob).string().unwrap_or_default();
    let encoded = base64::engine::general_purpose::STANDARD.encode(&blob);
    Ok(format!("{} {encoded} {}", String::from_utf8_lossy(kind), key.name()))
}

/// The name of a signature (RFC 5656, RFC 8332) and how it is made. RSA without a flag would be SHA-1.
const fn algorithm(spec: KeySpec, flags: u32) -> Option<(&'static str, SignatureAlgorithm)> {
    Some(match spec {
        KeySpec::Rsa { .. } if flags & RSA_SHA2_512 != 0 => ("rsa-sha2-512", SignatureAlgorithm::RS512),
        KeySpec::Rsa { .. } if flags & RSA_SHA2_256 != 0 => ("rsa-sha2-256", SignatureAlgorithm::RS256),
        KeySpec::Ec(Curve::P256) => ("ecdsa-sha2-nistp256", SignatureAlgorithm::ES256),
        KeySpec::Ec(Curve::P384) => ("ecdsa-sha2-nistp384", SignatureAlgorithm::ES384),
        KeySpec::Ec(Curve::P521) => ("ecdsa-sha2-nistp521", SignatureAlgorithm::ES512),
        KeySpec::Rsa { .. } | KeySpec::Ec(Curve::P256K) => return None,
    })
}
