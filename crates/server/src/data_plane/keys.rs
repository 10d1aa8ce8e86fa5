//! The key operations K1 to K16 and K18 to K23 (REST reference, Keys).

use strongroom_crypto::KeySpec;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Change, NewAttributes, NewVersion, Performed};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, KeyOp, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, object_id};
use strongroom_wire::keys::{
    KeyCreate, KeyImport, KeyOperationParameters, KeyOperationResult, KeyUpdate, KeyVerifyResult,
};
use strongroom_wire::rotation::{RotationPolicy, RotationPolicyBody};
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::answer::Answer;
use super::call::Call;
use super::objects;

/// K1, `POST /keys/{name}/create`.
pub async fn create(call: Call) -> Result<Answer, Error> {
    call.name()?;
    let sent: KeyCreate = call.json()?;
    refuse_release_policy(sent.release_policy.as_ref())?;
    let (spec, hardware) = key_spec(&sent)?;
    let key_ops = parse_key_ops(sent.key_ops)?;
    let with = NewAttributes { attributes: sent.attributes.unwrap_or_default(), tags: sent.tags };
    objects::put(call, NewVersion::Key { spec, hardware, key_ops, with }).await
}

/// K2, `POST /keys/{name}/rotate`.
pub async fn rotate(call: Call) -> Result<Answer, Error> {
    objects::put(call, NewVersion::RotatedKey).await
}

/// K3, `PUT /keys/{name}`.
pub async fn import(call: Call) -> Result<Answer, Error> {
    call.name()?;
    let sent: KeyImport = call.json()?;
    refuse_release_policy(sent.release_policy.as_ref())?;
    let mut jwk = sent.key.ok_or_else(|| Error::bad_parameter("key, the JSON Web Key to import, is missing"))?;
    if jwk.key_hsm.is_some() {
        return Err(Error::bad_parameter(
            "key_hsm, a BYOK transfer blob, can only be opened by an HSM, and this vault has none configured",
        ));
    }
    let hardware = sent.hsm.unwrap_or(false) || jwk.kty.ends_with("-HSM");
    let key_ops = parse_key_ops(jwk.key_ops.take())?;
    let with = NewAttributes { attributes: sent.attributes.unwrap_or_default(), tags: sent.tags };
    objects::put(call, NewVersion::ImportedKey { jwk, hardware, key_ops, with }).await
}

/// K4, `DELETE /keys/{name}`.
pub async fn delete(call: Call) -> Result<Answer, Error> {
    objects::delete(call, Kind::Key).await
}

/// K5, `PATCH /keys/{name}/{version}`.
pub async fn update(call: Call) -> Result<Answer, Error> {
    call.name()?;
    let sent: KeyUpdate = call.json()?;
    refuse_release_policy(sent.release_policy.as_ref())?;
    let change = Change {
        attributes: sent.attributes.unwrap_or_default(),
        tags: sent.tags,
        content_type: None,
        key_ops: parse_key_ops(sent.key_ops)?,
    };
    objects::update(call, Kind::Key, change).await
}

/// K6, `GET /keys/{name}/{version}`.
pub async fn get(call: Call) -> Result<Answer, Error> {
    objects::get(call, Kind::Key).await
}

/// K7, `GET /keys/{name}/versions`.
pub async fn list_versions(call: Call) -> Result<Answer, Error> {
    objects::list_versions(call, Kind::Key).await
}

/// K8, `GET /keys`.
pub async fn list(call: Call) -> Result<Answer, Error> {
    objects::list(call, Kind::Key).await
}

/// K9, `POST /keys/{name}/backup`.
pub async fn backup(call: Call) -> Result<Answer, Error> {
    objects::backup(call, Kind::Key).await
}

/// K10, `POST /keys/restore`.
pub async fn restore(call: Call) -> Result<Answer, Error> {
    objects::restore(call, Kind::Key).await
}

/// K11, `POST /keys/{name}/{version}/encrypt`.
pub async fn encrypt(call: Call) -> Result<Answer, Error> {
    cipher(call, |algorithm, Base64Url(value)| Operation::Encrypt(algorithm, Sensitive::new(value))).await
}

/// K12, `POST /keys/{name}/{version}/decrypt`.
pub async fn decrypt(call: Call) -> Result<Answer, Error> {
    cipher(call, |algorithm, Base64Url(value)| Operation::Decrypt(algorithm, value)).await
}

/// K13, `POST /keys/{name}/{version}/sign`.
pub async fn sign(call: Call) -> Result<Answer, Error> {
    let (sent, algorithm) = parameters(&call, SignatureAlgorithm::parse)?;
    let Base64Url(digest) = required_value(&sent)?;
    perform(call, Operation::Sign(algorithm, digest)).await
}

/// K14, `POST /keys/{name}/{version}/verify`.
pub async fn verify(call: Call) -> Result<Answer, Error> {
    let (sent, algorithm) = parameters(&call, SignatureAlgorithm::parse)?;
    let Base64Url(signature) = required_value(&sent)?;
    let Base64Url(digest) = sent.digest.ok_or_else(|| Error::bad_parameter("digest, what was signed, is missing"))?;
    perform(call, Operation::Verify { algorithm, digest, signature }).await
}

/// K15, `POST /keys/{name}/{version}/wrapkey`.
pub async fn wrap(call: Call) -> Result<Answer, Error> {
    cipher(call, |algorithm, Base64Url(value)| Operation::WrapKey(algorithm, Sensitive::new(value))).await
}

/// K16, `POST /keys/{name}/{version}/unwrapkey`.
pub async fn unwrap(call: Call) -> Result<Answer, Error> {
    cipher(call, |algorithm, Base64Url(value)| Operation::UnwrapKey(algorithm, value)).await
}

/// K18, `GET /deletedkeys`.
pub async fn list_deleted(call: Call) -> Result<Answer, Error> {
    objects::list_deleted(call, Kind::Key).await
}

/// K19, `GET /deletedkeys/{name}`.
pub async fn get_deleted(call: Call) -> Result<Answer, Error> {
    objects::get_deleted(call, Kind::Key).await
}

/// K20, `DELETE /deletedkeys/{name}`.
pub async fn purge(call: Call) -> Result<Answer, Error> {
    objects::purge(call, Kind::Key).await
}

/// K21, `POST /deletedkeys/{name}/recover`.
pub async fn recover(call: Call) -> Result<Answer, Error> {
    objects::recover(call, Kind::Key).await
}

/// K22, `GET /keys/{name}/rotationpolicy`.
pub async fn rotation_policy(call: Call) -> Result<Answer, Error> {
    let name = call.name()?;
    let policy = call.vault.rotation_policy(&call.cx, &name).await?;
    Answer::json(&policy.to_wire(Some(policy_id(&call.base, &name))))
}

/// K23, `PUT /keys/{name}/rotationpolicy`.
pub async fn set_rotation_policy(call: Call) -> Result<Answer, Error> {
    let name = call.name()?;
    let sent: RotationPolicyBody = call.json()?;
    let policy = RotationPolicy::from_wire(&sent)?;
    let policy = call.vault.set_rotation_policy(&call.cx, &name, policy).await?;
    Answer::json(&policy.to_wire(Some(policy_id(&call.base, &name))))
}

fn policy_id(base: &str, name: &ObjectName) -> String {
    format!("{}/rotationpolicy", object_id(base, Kind::Key.collection(), name, None))
}

async fn cipher(call: Call, operation: fn(EncryptionAlgorithm, Base64Url) -> Operation) -> Result<Answer, Error> {
    let (sent, algorithm) = parameters(&call, EncryptionAlgorithm::parse)?;
    let operation = operation(algorithm, required_value(&sent)?);
    perform(call, operation).await
}

fn parameters<A>(call: &Call, parse: fn(&str) -> Result<A, Error>) -> Result<(KeyOperationParameters, A), Error> {
    call.name()?;
    let sent: KeyOperationParameters = call.json()?;
    let algorithm = sent.alg.as_deref().ok_or_else(|| Error::bad_parameter("alg, the algorithm, is missing"))?;
    let algorithm = parse(algorithm)?;
    Ok((sent, algorithm))
}

fn required_value(sent: &KeyOperationParameters) -> Result<Base64Url, Error> {
    let value = sent.value.as_ref().ok_or_else(|| Error::bad_parameter("value, the input, is missing"))?;
    Ok(value.expose().clone())
}

async fn perform(call: Call, operation: Operation) -> Result<Answer, Error> {
    let target = call.target(Kind::Key)?;
    let Performed { name, version, output } = call.vault.perform(&call.cx, &target, operation).await?;
    match output {
        Output::Verified(value) => Answer::json(&KeyVerifyResult { value }),
        Output::Bytes(bytes) => Answer::json(&KeyOperationResult {
            kid: object_id(&call.base, Kind::Key.collection(), &name, Some(version)),
            value: Sensitive::new(Base64Url(bytes.expose().clone())),
        }),
    }
}

fn parse_key_ops(names: Option<Vec<String>>) -> Result<Option<Vec<KeyOp>>, Error> {
    names.map(|names| names.iter().map(|name| KeyOp::parse(name)).collect()).transpose()
}

/// Type and size of a key to make, and whether it is to be kept in an HSM.
fn key_spec(sent: &KeyCreate) -> Result<(KeySpec, bool), Error> {
    let kty = sent.kty.as_deref().ok_or_else(|| Error::bad_parameter("kty, the key type, is missing"))?;
    let (family, hardware) = kty.strip_suffix("-HSM").map_or((kty, false), |family| (family, true));
    let spec = match family {
        "RSA" => {
            if sent.crv.is_some() {
                return Err(Error::bad_parameter("An RSA key has a key_size and no crv"));
            }
            match sent.key_size.unwrap_or(2048) {
                bits @ (2048 | 3072 | 4096) => KeySpec::Rsa { bits },
                bits => {
                    return Err(Error::bad_parameter(format!(
                        "key_size {bits} is not supported for RSA; use one of 2048, 3072, 4096"
                    )));
                }
            }
        }
        "EC" => {
            if sent.key_size.is_some() {
                return Err(Error::bad_parameter("An EC key has a crv and no key_size"));
            }
            KeySpec::Ec(sent.crv.as_deref().map_or(Ok(Curve::P256), Curve::parse)?)
        }
        "oct" => {
            return Err(Error::bad_parameter(
                "Symmetric keys (kty oct) are not kept in a vault, only in a Managed HSM (oct-HSM); wrap your data \
                 keys with an RSA key of this vault instead",
            ));
        }
        "OKP" => {
            return Err(Error::bad_parameter(
                "Ed25519 and other OKP keys are not supported; use ES256, that is kty EC with crv P-256",
            ));
        }
        _ => {
            return Err(Error::bad_parameter("The key type (kty) is not supported; use one of RSA, EC"));
        }
    };
    // The Java SDK sends 0 when the caller has said nothing.
    if sent.public_exponent.is_some_and(|exponent| !matches!(exponent, 0 | 65_537)) {
        return Err(Error::bad_parameter("public_exponent can only be chosen in a Managed HSM; a vault uses 65537"));
    }
    Ok((spec, hardware))
}

fn refuse_release_policy(policy: Option<&serde_json::Value>) -> Result<(), Error> {
    match policy {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::BadParameter, "Non-exportable keys must not have release policy")),
    }
}
