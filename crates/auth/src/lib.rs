//! Who is calling, and may they: tokens checked and minted, application credentials, roles and role
//! assignments. Decisions only: no I/O, and time comes in as unix seconds.

mod aad_error;
mod action;
mod assignment;
mod claims;
mod client;
mod decision;
pub mod federation;
mod issuer;
mod jws;
mod key_set;
mod roles;
mod scope;
mod token;

pub use aad_error::AadError;
pub use action::DataAction;
pub use assignment::RoleAssignment;
pub use claims::{AccessClaims, Caller};
pub use client::{
    Application, ClientCertificate, ClientSecret, CredentialFault, check_client_assertion, check_client_secret,
};
pub use decision::{Assignments, Decision, forbidden_message};
pub use federation::{FederatedCredential, FederationFault, check_federated, federated_issuer};
pub use issuer::{
    KeyTimes, RotationPlan, RotationSchedule, SigningFault, SigningKey, SigningKeyRing, StoredSigningKey,
};
pub use key_set::{KeySet, NotAKeySet};
pub use roles::{BUILT_IN, RoleDefinition, find_role};
pub use scope::{Installation, NotAScope, Scope};
pub use token::{Expect, Peek, TokenError, TrustedIssuer, check, peek};
