//! What a vault is made of, for what [`crate::keys`] and [`crate::secrets`] have no call for: every
//! vault that [`crate::open`] gives is a [`Vault`].
//!
//! ```
//! use strongroom::vault::{Kind, Listing, context, list_all};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let vault = strongroom::open("memory:").await?;
//! let keys = list_all(&*vault, &context(), &Listing::Live(Kind::Key)).await?;
//! assert!(keys.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use strongroom_store::vault::{
    Body, Change, Cursor, Deletion, Listing, NewAttributes, NewVersion, Object, ObjectAttributes, ObjectPage, Offers,
    Target, list_all,
};
pub use strongroom_store::{Cx, Time, Vault};
pub use strongroom_wire::algorithms::KeyOp;
pub use strongroom_wire::attributes::{AttributesChange, Recovery, Tags};
pub use strongroom_wire::ids::{Kind, ObjectName, VaultName, Version};
pub use strongroom_wire::rotation::{Duration as RotationSpan, RotateWhen, RotationPolicy, RotationPolicyBody};
pub use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::clock::{Clock as _, SystemClock};

/// The context of a call that is made now, by the machine's clock.
#[must_use]
pub fn context() -> Cx {
    Cx::system(SystemClock.now())
}
