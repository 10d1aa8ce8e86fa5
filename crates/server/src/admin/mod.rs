//! Administration of an installation: commands that run on an open store, and a Unix socket (mode
//! 0600, in the data folder) that takes them to a running server.

mod applications;
mod commands;
mod config_stores;
mod identities;
mod socket;

pub use applications::{add_federated, add_secret};
pub use commands::{Admin, Command, NewSeal, execute};
pub use config_stores::StoreCommand;
pub use identities::IdentityCommand;
pub use socket::{SOCKET_FILE, call, serve};
