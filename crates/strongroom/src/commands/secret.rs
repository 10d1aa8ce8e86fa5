//! `strongroom secret`: the secrets of any vault.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use serde_json::Value;
use strongroom_store::vault::{Body, NewVersion, Object};
use strongroom_wire::Sensitive;
use strongroom_wire::ids::{Kind, ObjectName};

use super::objects::{Place, change, columns, cx, new_attributes, read_value, row, with_value, write_bytes};
use super::show;
use crate::Outcome;
use crate::cli::{Output, SecretCommand, SecretSet, SecretVerb};
use crate::failure::Failure;

/// `strongroom secret`.
pub(crate) async fn run(command: SecretCommand) -> Outcome {
    if let SecretVerb::Set(arguments) = &command.verb
        && !arguments.surplus.is_empty()
    {
        return Err(Failure::usage(
            "there is more on the command line than a name and known options. A value is not taken from there: everybody \
             on this machine could read it, and it would stay in the shell's history. Give it by --file FILE, on \
             standard input, or type it when you are asked",
        ));
    }
    let place = Place::open(&command.vault, Kind::Secret).await?;
    match command.verb {
        SecretVerb::Set(arguments) => set(&place, arguments).await,
        SecretVerb::Get { which, out } => {
            let mut found = place.find(&place.target(&which)?, false).await?;
            let value = value(&mut found)?;
            match (out, place.output) {
                (Some(out), _) => write_bytes(value.expose().as_bytes(), Some(&out))?,
                (None, None) => {
                    write_bytes(value.expose().as_bytes(), None)?;
                    if std::io::stdout().is_terminal() {
                        println!();
                    }
                }
                (None, Some(Output::Json)) => write_bytes(&with_value(&found, value.expose())?, None)?,
                (None, Some(output)) => {
                    let mut row = row(&found);
                    if let Some(members) = row.as_object_mut() {
                        members.insert("value".to_owned(), Value::String(value.expose().clone()));
                    }
                    return show::rows(&[row], &["name", "version", "content_type", "value"], output);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        SecretVerb::Show { which, deleted } => {
            let found = place.find(&place.target(&which)?, deleted).await?;
            show::object(&row(&found), columns(Kind::Secret), place.output)
        }
        SecretVerb::Update { which, content_type, attributes } => {
            let target = place.target(&which)?;
            let mut change = change(&attributes)?;
            change.content_type = content_type;
            let changed = place.vault.update(&cx(), &target, change).await;
            let changed = place.or_nearby(changed, &target.name).await?;
            place.tell(&changed, &format!("{} is changed", changed.name))
        }
        SecretVerb::Object(verb) => place.run(verb).await,
    }
}

async fn set(place: &Place, arguments: SecretSet) -> Outcome {
    let name = ObjectName::parse(&arguments.name)?;
    let with = new_attributes(&arguments.attributes)?;
    let value = read_value(arguments.file.as_deref(), &format!("Value of {name}"), arguments.trim)?;
    let new = NewVersion::Secret { value, content_type: arguments.content_type, with };
    let set = place.or_nearby(place.vault.put(&cx(), &name, new).await, &name).await?;
    let version = set.version.map(|version| format!(", version {version}")).unwrap_or_default();
    place.tell(&set, &format!("{} is set{version}", set.name))
}

fn value(object: &mut Object) -> Result<Sensitive<String>, Failure> {
    match &mut object.body {
        Body::Secret { value, .. } => value.take().ok_or_else(|| "the vault answered without a value".into()),
        Body::Key { .. } => Err("the vault answered with a key".into()),
    }
}
