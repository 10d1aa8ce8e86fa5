//! What is done from the command line: administration, and clients of servers.

pub(crate) mod agent;
pub(crate) mod ca;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod encrypt;
pub(crate) mod identity;
pub(crate) mod jwt;
pub(crate) mod key;
mod login;
pub(crate) mod migrate;
mod objects;
pub(crate) mod pages;
pub(crate) mod practice;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod secret;
mod show;
pub(crate) mod sign;
pub(crate) mod tokens;
mod vault_uri;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;
use strongroom_backends::sqlite::CACHE_BYTES;
use strongroom_server::admin::{Admin, Command, NewSeal, StoreCommand, call, execute};
use strongroom_server::config_stores::{StoreSettings, Tier};
use strongroom_server::tls;
use strongroom_wire::Sensitive;
use strongroom_wire::base64url::Base64Url;

use crate::cli::{
    ApplicationCommand, ConfigStoreCommand, HostsCommand, RoleCommand, SealCommand, StoreTier, VaultCommand, Which,
};
use crate::clock::MovableClock;
use crate::installation::{Settings, Store, open_app};
use crate::serve::{Config, settings};
use crate::{Outcome, dev, files};

/// `strongroom hosts`.
pub(crate) fn hosts(command: HostsCommand) -> Outcome {
    match command {
        HostsCommand::Print { names } => {
            print!("{}", tls::hosts::hosts_lines(&names).map_err(|fault| fault.to_string())?);
        }
        HostsCommand::Install { names, file } => {
            tls::hosts::install_hosts(&file, &names).map_err(|fault| fault.to_string())?;
            println!("{} names are in {}", names.len(), file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `strongroom vault`.
pub(crate) async fn vault(command: VaultCommand) -> Outcome {
    let (which, command) = match command {
        VaultCommand::Create { name, retention_days, purge_protection, which } => {
            (which, Command::VaultCreate { name, retention_days, purge_protection })
        }
        VaultCommand::Set { name, retention_days, purge_protection, which } => {
            (which, Command::VaultSet { name, retention_days, purge_protection })
        }
        VaultCommand::List { which } => (which, Command::VaultList),
    };
    show::table(&run(which, command).await?, &["name", "retention_days", "purge_protection", "url"])
}

/// `strongroom config-store`.
pub(crate) async fn config_store(command: ConfigStoreCommand) -> Outcome {
    let tier = |tier| match tier {
        StoreTier::Free => Tier::Free,
        StoreTier::Standard => Tier::Standard,
    };
    let (which, store) = match command {
        ConfigStoreCommand::Create { name, tier: wanted, retention_days, purge_protection, no_local_auth, which } => {
            let settings =
                StoreSettings { tier: tier(wanted), retention_days, purge_protection, local_auth: !no_local_auth };
            (which, StoreCommand::Create { name, settings })
        }
        ConfigStoreCommand::Set { name, tier: wanted, retention_days, purge_protection, local_auth, which } => {
            let tier = wanted.map(tier);
            (which, StoreCommand::Set { name, tier, retention_days, purge_protection, local_auth })
        }
        ConfigStoreCommand::List { which } => (which, StoreCommand::List),
        ConfigStoreCommand::Delete { name, which } => (which, StoreCommand::Delete { name }),
        ConfigStoreCommand::Recover { name, which } => (which, StoreCommand::Recover { name }),
        ConfigStoreCommand::Purge { name, which } => (which, StoreCommand::Purge { name }),
        ConfigStoreCommand::Keys { name, which } => return access_keys(which, StoreCommand::Keys { name }).await,
        ConfigStoreCommand::RegenerateKey { name, key, which } => {
            return access_keys(which, StoreCommand::RegenerateKey { name, key }).await;
        }
    };
    let all = run(which, Command::ConfigStore { store }).await?;
    show::table(&all, &["name", "tier", "retention_days", "purge_protection", "local_auth", "purged_at", "url"])
}

async fn access_keys(which: Which, store: StoreCommand) -> Outcome {
    show::table(&run(which, Command::ConfigStore { store }).await?, &["name", "connection_string"])
}

/// `strongroom role`.
pub(crate) async fn role(command: RoleCommand) -> Outcome {
    let (which, command) = match command {
        RoleCommand::Definitions => return show::roles(),
        RoleCommand::Assign { role, principal, scope, which } => {
            (which, Command::RoleAssign { role, principal, scope })
        }
        RoleCommand::List { which } => (which, Command::RoleList),
        RoleCommand::Remove { id, which } => {
            show::members(&run(which, Command::RoleRemove { id }).await?);
            return Ok(ExitCode::SUCCESS);
        }
    };
    show::table(&run(which, command).await?, &["id", "role", "principal", "scope"])
}

/// `strongroom application`.
pub(crate) async fn application(command: ApplicationCommand) -> Outcome {
    let (which, command) = match command {
        ApplicationCommand::Create { name, no_secret, which } => {
            (which, Command::ApplicationCreate { name, with_secret: !no_secret })
        }
        ApplicationCommand::AddSecret { application, which } => (which, Command::ApplicationAddSecret { application }),
        ApplicationCommand::AddCertificate { application, certificate, which } => {
            let pem = std::fs::read_to_string(&certificate);
            let pem = pem.map_err(|fault| format!("{}: {fault}", certificate.display()))?;
            (which, Command::ApplicationAddCertificate { application, pem })
        }
        ApplicationCommand::AddFederated { application, issuer, subject, audience, which } => {
            (which, Command::ApplicationAddFederated { application, issuer, subject, audience })
        }
        ApplicationCommand::RemoveCredential { application, key_id, which } => {
            (which, Command::ApplicationRemoveCredential { application, key_id })
        }
        ApplicationCommand::List { which } => {
            let all = run(which, Command::ApplicationList).await?;
            return show::table(&all, &["name", "client_id", "object_id"]);
        }
    };
    show::members(&run(which, command).await?);
    Ok(ExitCode::SUCCESS)
}

/// `strongroom seal`.
pub(crate) async fn seal(command: SealCommand) -> Outcome {
    let SealCommand::Rotate { data_keys, new_passphrase_file, new_key_file, which } = command;
    let new_seal = match (new_passphrase_file, new_key_file) {
        (Some(file), _) => Some(NewSeal::Passphrase { passphrase: files::read_passphrase(&file)? }),
        (None, Some(file)) => {
            let key = files::read_key(&file)?;
            Some(NewSeal::File { key: Sensitive::new(Base64Url(key.expose().to_vec())) })
        }
        (None, None) => None,
    };
    let changed = new_seal.is_some();
    let target = Target::of(which)?;
    show::members(&target.run(Command::SealRotateRoot { new_seal }).await?);
    if data_keys {
        // After a change of the seal, a store that is opened for this command needs the new one.
        if changed && !target.is_running().await {
            println!("start the server, or name the new seal in the configuration, and run again for the data keys");
            return Ok(ExitCode::SUCCESS);
        }
        show::members(&target.run(Command::SealRotateDataKeys).await?);
    }
    if changed {
        println!("the next start needs the new seal: name it in the configuration");
    }
    Ok(ExitCode::SUCCESS)
}

/// `strongroom check`.
pub(crate) async fn check(which: Which) -> Outcome {
    show::members(&run(which, Command::Check).await?);
    Ok(ExitCode::SUCCESS)
}

async fn run(which: Which, command: Command) -> Result<Value, String> {
    Target::of(which)?.run(command).await
}

/// An installation that commands go to.
struct Target {
    folder: PathBuf,
    config: Option<Config>,
}

impl Target {
    fn of(which: Which) -> Result<Self, String> {
        match which.config {
            Some(file) => {
                let config = Config::read(&file)?;
                Ok(Self { folder: config.data.clone(), config: Some(config) })
            }
            None => Ok(Self { folder: dev::data_folder(which.data)?, config: None }),
        }
    }

    async fn is_running(&self) -> bool {
        matches!(call(&self.folder, &Command::Status).await, Ok(Some(_)))
    }

    /// By the server that runs there, or on the store itself.
    async fn run(&self, command: Command) -> Result<Value, String> {
        if self.folder.exists() {
            files::check_folder(&self.folder)?;
        }
        if let Some(answer) = call(&self.folder, &command).await.map_err(|error| error.message)? {
            return Ok(answer);
        }
        Store::require(&self.folder)?;
        let (seal, settings) = match &self.config {
            Some(config) => (config.seal_key()?, settings(config)?),
            None => (dev::seal_of(&self.folder)?, self.dev_settings()),
        };
        let store = Store::open(&self.folder, &seal, CACHE_BYTES).await?;
        let app = open_app(&store, settings).await?;
        let admin = Admin { app, sealed: Some(Arc::clone(&store.sealed)) };
        let answer = execute(&admin, command).await.map_err(|error| error.message);
        drop(admin);
        store.sqlite.close();
        answer
    }

    fn dev_settings(&self) -> Settings {
        Settings {
            endpoints: dev::endpoints("localhost", 8443),
            region: "local".to_owned(),
            clock: MovableClock::in_folder(&self.folder),
            site: dev::new_site(),
            vaults_on_demand: true,
            outside_issuers: Vec::new(),
            backup_key: None,
            hsm: None,
        }
    }
}
