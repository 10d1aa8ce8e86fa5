//! The errors that programs catch.

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_security_keyvault_keys::models::*;
use azure_security_keyvault_secrets::SecretClient;
use azure_security_keyvault_secrets::models::{
    SecretAttributes, SetSecretParameters, UpdateSecretPropertiesParameters,
};

use crate::clients::{credential_with, keys, name, secrets, variable};
use crate::keys::{create, ec, rsa};

#[track_caller]
fn refused<T>(outcome: azure_core::Result<T>, status: StatusCode, code: &str) -> String {
    let Err(error) = outcome else { panic!("expected {status}") };
    match error.kind() {
        ErrorKind::HttpResponse { status: found, error_code, .. } => {
            assert_eq!((*found, error_code.as_deref()), (status, Some(code)), "{error}");
        }
        other => panic!("expected {status}, got {other:?}"),
    }
    error.to_string()
}

fn secret(value: &str) -> SetSecretParameters {
    SetSecretParameters { value: Some(value.to_owned()), ..Default::default() }
}

fn sign(algorithm: SignatureAlgorithm, length: usize) -> SignParameters {
    SignParameters { algorithm: Some(algorithm), value: Some(vec![1; length]) }
}

pub async fn not_found() {
    let missing = name("missing");
    refused(secrets().get_secret(&missing, None).await, StatusCode::NotFound, "SecretNotFound");
    refused(secrets().delete_secret(&missing, None).await, StatusCode::NotFound, "SecretNotFound");
    refused(keys().get_key(&missing, None).await, StatusCode::NotFound, "KeyNotFound");
    refused(keys().get_deleted_key(&missing, None).await, StatusCode::NotFound, "KeyNotFound");
    refused(keys().rotate_key(&missing, None).await, StatusCode::NotFound, "KeyNotFound");
}

pub async fn conflicts() {
    let (client, name) = (secrets(), name("conflict"));
    let set = || secret("1").try_into().unwrap();
    client.set_secret(&name, set(), None).await.unwrap();
    client.delete_secret(&name, None).await.unwrap();
    refused(client.set_secret(&name, set(), None).await, StatusCode::Conflict, "Conflict");
}

pub async fn forbidden() {
    let (client, name) = (secrets(), name("disabled"));
    client.set_secret(&name, secret("1").try_into().unwrap(), None).await.unwrap();
    let off = UpdateSecretPropertiesParameters {
        secret_attributes: Some(SecretAttributes { enabled: Some(false), ..Default::default() }),
        ..Default::default()
    };
    client.update_secret_properties(&name, off.try_into().unwrap(), None).await.unwrap();
    refused(client.get_secret(&name, None).await, StatusCode::Forbidden, "Forbidden");
    let client = keys();
    let verify_only = CreateKeyParameters { key_ops: Some(vec![KeyOperation::Verify]), ..rsa(2048) };
    create(&client, &name, verify_only).await;
    let refusal = client.sign(&name, sign(SignatureAlgorithm::Rs256, 32).try_into().unwrap(), None).await;
    refused(refusal, StatusCode::Forbidden, "Forbidden");
}

pub async fn bad_arguments() {
    let (client, name) = (keys(), name("bad"));
    create(&client, &name, ec(CurveName::P384)).await;
    for (algorithm, length) in [
        (SignatureAlgorithm::Es256, 32),
        (SignatureAlgorithm::Es384, 32),
        (SignatureAlgorithm::Rs256, 32),
        (SignatureAlgorithm::Rsnull, 32),
    ] {
        let refusal = client.sign(&name, sign(algorithm, length).try_into().unwrap(), None).await;
        refused(refusal, StatusCode::BadRequest, "BadParameter");
    }
    let oct = CreateKeyParameters { kty: Some(KeyType::Oct), ..Default::default() };
    let refusal = client.create_key(&name, oct.try_into().unwrap(), None).await;
    assert!(refused(refusal, StatusCode::BadRequest, "BadParameter").contains("HSM"));
    let too_long = secret(&"x".repeat(25_601));
    let refusal = secrets().set_secret(&name, too_long.try_into().unwrap(), None).await;
    refused(refusal, StatusCode::BadRequest, "BadParameter");
    let refusal = secrets().set_secret("bad_name", secret("1").try_into().unwrap(), None).await;
    refused(refusal, StatusCode::BadRequest, "BadParameter");
}

pub async fn wrong_credentials() {
    let vault = variable("AZURE_KEYVAULT_URL");
    let wrong_secret = credential_with(&variable("AZURE_CLIENT_ID"), "wrong".to_owned());
    let unknown = credential_with("00000000-0000-0000-0000-000000000000", "wrong".to_owned());
    for (credential, code) in [(wrong_secret, "AADSTS7000215"), (unknown, "AADSTS700016")] {
        let client = SecretClient::new(&vault, credential, None).unwrap();
        let Err(error) = client.get_secret("x", None).await else { panic!("logged in with wrong credentials") };
        assert!(format!("{error:?}").contains(code), "{error:?}");
    }
}
