//! `strongroom key`: the keys of any vault, and what they are used for.

mod ciphertexts;
mod encoding;
mod material;
mod public;
mod signatures;

use std::process::ExitCode;

use strongroom_crypto::{KeySpec, PrivateKey};
use strongroom_store::vault::{Body, NewVersion};
use strongroom_wire::algorithms::{Curve, KeyOp};
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::rotation::{
    ActionType, LifetimeAction, PolicyAttributes, RotationPolicy, RotationPolicyBody, Trigger,
};

use super::objects::{Place, change, columns, cx, new_attributes, passphrase, read_bytes, row, write_bytes};
use super::show;
use crate::cli::{self, KeyCommand, KeyCreate, KeyImport, KeyType, KeyVerb, PolicyVerb, PublicFormat};
use crate::failure::Failure;
use crate::{Outcome, files};

/// `strongroom key`.
pub(crate) async fn run(command: KeyCommand) -> Outcome {
    let place = Place::open(&command.vault, Kind::Key).await?;
    match command.verb {
        KeyVerb::Create(arguments) => create(&place, arguments).await,
        KeyVerb::Import(arguments) => import(&place, arguments).await,
        KeyVerb::Show { which, deleted } => {
            let found = place.find(&place.target(&which)?, deleted).await?;
            show::object(&row(&found), columns(Kind::Key), place.output)
        }
        KeyVerb::Rotate { name } => put(&place, &ObjectName::parse(&name)?, NewVersion::RotatedKey, "rotated").await,
        KeyVerb::Policy(verb) => policy(&place, verb).await,
        KeyVerb::Update { which, ops, attributes } => {
            let target = place.target(&which)?;
            let mut change = change(&attributes)?;
            change.key_ops = operations(ops)?;
            let changed = place.vault.update(&cx(), &target, change).await;
            let changed = place.or_nearby(changed, &target.name).await?;
            place.tell(&changed, &format!("{} is changed", changed.name))
        }
        KeyVerb::Sign(arguments) => signatures::sign(&place, arguments).await,
        KeyVerb::Verify(arguments) => signatures::verify(&place, arguments).await,
        KeyVerb::Encrypt(arguments) => ciphertexts::encrypt(&place, arguments).await,
        KeyVerb::Decrypt(arguments) => ciphertexts::decrypt(&place, arguments).await,
        KeyVerb::Wrap(arguments) => ciphertexts::wrap(&place, arguments).await,
        KeyVerb::Unwrap(arguments) => ciphertexts::unwrap(&place, arguments).await,
        KeyVerb::Download { which, format, out } => {
            let found = place.find(&place.target(&which)?, false).await?;
            let Body::Key { public: Some(key), key_ops, .. } = &found.body else {
                return Err("the vault answered without a public key".into());
            };
            let text = match format {
                PublicFormat::Pem => public::pem(key)?,
                PublicFormat::Jwk => public::jwk(key, key_ops, &found)?,
            };
            match out {
                // It is public: the mode is the user's.
                Some(out) => std::fs::write(&out, text).map_err(|fault| format!("{}: {fault}", out.display()))?,
                None => write_bytes(text.as_bytes(), None)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        KeyVerb::Object(verb) => place.run(verb).await,
    }
}

async fn create(place: &Place, arguments: KeyCreate) -> Outcome {
    let spec = match (arguments.kind, arguments.size, arguments.curve) {
        (KeyType::Rsa, size, None) => KeySpec::Rsa { bits: size.unwrap_or(2048) },
        (KeyType::Ec, None, curve) => KeySpec::Ec(match curve.unwrap_or(cli::Curve::P256) {
            cli::Curve::P256 => Curve::P256,
            cli::Curve::P384 => Curve::P384,
            cli::Curve::P521 => Curve::P521,
            cli::Curve::P256K => Curve::P256K,
        }),
        (KeyType::Rsa, ..) => return Err(Failure::usage("--curve is for EC keys; an RSA key has --size")),
        (KeyType::Ec, ..) => return Err(Failure::usage("--size is for RSA keys; an EC key has --curve")),
    };
    let (hardware, key_ops) = (arguments.with.hsm, operations(arguments.with.ops)?);
    let with = new_attributes(&arguments.with.attributes)?;
    let new = NewVersion::Key { spec, hardware, key_ops, with };
    put(place, &ObjectName::parse(&arguments.name)?, new, "made").await
}

async fn import(place: &Place, arguments: KeyImport) -> Outcome {
    let name = ObjectName::parse(&arguments.name)?;
    let phrase = arguments.passphrase_file.as_deref().map(passphrase).transpose()?;
    let text = if arguments.file == std::path::Path::new("-") {
        read_bytes(&arguments.file)?
    } else {
        files::read_private(&arguments.file)?
    };
    let jwk = material::read(&text, phrase.as_ref().map(|phrase| phrase.as_slice()))?;
    // Said here, a mistake is not sent anywhere.
    PrivateKey::from_jwk(&jwk).map_err(|fault| Failure::usage(fault.to_string()))?;
    let (hardware, key_ops) = (arguments.with.hsm, operations(arguments.with.ops)?);
    let with = new_attributes(&arguments.with.attributes)?;
    put(place, &name, NewVersion::ImportedKey { jwk, hardware, key_ops, with }, "imported").await
}

async fn put(place: &Place, name: &ObjectName, new: NewVersion, done: &str) -> Outcome {
    let key = place.or_nearby(place.vault.put(&cx(), name, new).await, name).await?;
    let version = key.version.map(|version| format!(", version {version}")).unwrap_or_default();
    place.tell(&key, &format!("{} is {done}{version}", key.name))
}

async fn policy(place: &Place, verb: PolicyVerb) -> Outcome {
    let (name, policy) = match verb {
        PolicyVerb::Get { name } => {
            let name = ObjectName::parse(&name)?;
            let policy = place.vault.rotation_policy(&cx(), &name).await;
            (name, policy)
        }
        PolicyVerb::Set { name, file, rotate_after, rotate_before_expiry, notify_before_expiry, expires_in } => {
            let body = match file {
                Some(file) => serde_json::from_slice(&read_bytes(&file)?)
                    .map_err(|fault| Failure::usage(format!("{}: not a rotation policy: {fault}", file.display())))?,
                None => body(rotate_after, rotate_before_expiry, notify_before_expiry, expires_in),
            };
            let (name, policy) = (ObjectName::parse(&name)?, RotationPolicy::from_wire(&body)?);
            let set = place.vault.set_rotation_policy(&cx(), &name, policy).await;
            (name, set)
        }
    };
    let policy = place.or_nearby(policy, &name).await?.to_wire(None);
    println!("{}", serde_json::to_string_pretty(&policy).map_err(|fault| fault.to_string())?);
    Ok(ExitCode::SUCCESS)
}

fn body(
    rotate_after: Option<String>,
    rotate_before_expiry: Option<String>,
    notify_before_expiry: Option<String>,
    expiry_time: Option<String>,
) -> RotationPolicyBody {
    let action = |kind: &str, time_after_create: Option<String>, time_before_expiry: Option<String>| {
        (time_after_create.is_some() || time_before_expiry.is_some()).then(|| LifetimeAction {
            trigger: Trigger { time_after_create, time_before_expiry },
            action: ActionType { kind: kind.to_owned() },
        })
    };
    let actions = [action("Rotate", rotate_after, rotate_before_expiry), action("Notify", None, notify_before_expiry)];
    RotationPolicyBody {
        lifetime_actions: Some(actions.into_iter().flatten().collect()),
        attributes: Some(PolicyAttributes { expiry_time, ..PolicyAttributes::default() }),
        ..RotationPolicyBody::default()
    }
}

fn operations(names: Option<Vec<String>>) -> Result<Option<Vec<KeyOp>>, Failure> {
    let parse = |names: Vec<String>| names.iter().map(|name| KeyOp::parse(name)).collect::<Result<Vec<_>, _>>();
    Ok(names.map(parse).transpose()?)
}
