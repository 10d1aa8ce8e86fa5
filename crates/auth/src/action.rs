//! Data actions: Key Vault's (contract 4.9) and App Configuration's (2.8.3).

macro_rules! actions {
    ($($provider:literal { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ })+) => {
        /// What a caller wants to do, by Azure's name for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DataAction { $($($(#[$doc])* $variant,)+)+ }

        impl DataAction {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            /// The full name, such as `Microsoft.KeyVault/vaults/secrets/getSecret/action`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => concat!($provider, $name),)+)+ }
            }
        }
    };
}

actions! {
    "Microsoft.KeyVault/vaults/" {
        /// Read a secret's value.
        SecretsGet = "secrets/getSecret/action",
        /// List secrets and versions; see deleted ones.
        SecretsReadMetadata = "secrets/readMetadata/action",
        /// Make a version.
        SecretsSet = "secrets/setSecret/action",
        /// Change attributes.
        SecretsUpdate = "secrets/update/action",
        /// Soft-delete.
        SecretsDelete = "secrets/delete",
        /// Purge.
        SecretsPurge = "secrets/purge/action",
        /// Recover.
        SecretsRecover = "secrets/recover/action",
        /// Back up.
        SecretsBackup = "secrets/backup/action",
        /// Restore.
        SecretsRestore = "secrets/restore/action",
        /// See keys, versions and deleted keys, and use their public halves.
        KeysRead = "keys/read",
        /// Make a key.
        KeysCreate = "keys/create/action",
        /// Import a key.
        KeysImport = "keys/import/action",
        /// Change attributes.
        KeysUpdate = "keys/update/action",
        /// Soft-delete.
        KeysDelete = "keys/delete",
        /// Purge.
        KeysPurge = "keys/purge/action",
        /// Recover.
        KeysRecover = "keys/recover/action",
        /// Back up.
        KeysBackup = "keys/backup/action",
        /// Restore.
        KeysRestore = "keys/restore/action",
        /// Rotate on demand.
        KeysRotate = "keys/rotate/action",
        /// Encrypt.
        KeysEncrypt = "keys/encrypt/action",
        /// Decrypt.
        KeysDecrypt = "keys/decrypt/action",
        /// Wrap a key.
        KeysWrap = "keys/wrap/action",
        /// Unwrap a key.
        KeysUnwrap = "keys/unwrap/action",
        /// Sign.
        KeysSign = "keys/sign/action",
        /// Verify.
        KeysVerify = "keys/verify/action",
        /// See the rotation policy.
        KeyRotationPoliciesRead = "keyrotationpolicies/read",
        /// Set the rotation policy.
        KeyRotationPoliciesWrite = "keyrotationpolicies/write",
    }
    "Microsoft.AppConfiguration/configurationStores/" {
        /// Read key-values, revisions, keys and labels.
        KeyValuesRead = "keyValues/read",
        /// Set, lock and unlock key-values.
        KeyValuesWrite = "keyValues/write",
        /// Delete key-values.
        KeyValuesDelete = "keyValues/delete",
        /// Read snapshots and what becomes of them.
        SnapshotsRead = "snapshots/read",
        /// Make snapshots.
        SnapshotsWrite = "snapshots/write",
        /// Archive and recover snapshots.
        SnapshotsArchive = "snapshots/archive/action",
    }
}
