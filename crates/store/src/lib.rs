//! The three traits that carry the house ([`Vault`], [`KeyProvider`], [`Records`]), the engine
//! that makes a vault of a store of records and a custodian of keys, sealing, and the conformance
//! suite that every vault passes.

pub mod clock;
pub mod config;
pub mod conformance;
pub mod cx;
pub mod engine;
pub mod memory;
pub mod pool;
pub mod provider;
pub mod records;
pub mod sealing;
pub mod software;
pub mod vault;

pub use cx::{Cx, Time};
pub use engine::{Engine, Installation};
pub use memory::MemoryRecords;
pub use provider::KeyProvider;
pub use records::Records;
pub use sealing::Sealed;
pub use software::SoftwareProvider;
pub use vault::Vault;
