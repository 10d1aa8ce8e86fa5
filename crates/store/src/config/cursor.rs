//! Cursors of lists: opaque to clients, and proof that this store gave them.

use strongroom_crypto::{constant_time_eq, hmac_sha256};
use strongroom_wire::base64url;
use strongroom_wire::config::Problem;

use super::ConfigStore;

/// Bytes of the proof.
const PROOF: usize = 12;

/// Longer ones are none of ours.
const MAX_TEXT: usize = 8_192;

impl<R> ConfigStore<R> {
    /// A cursor of the list `list` that stands at `position`.
    pub(super) fn cursor(&self, list: &str, position: &str) -> String {
        let proof = self.proof(list, position);
        base64url::encode(&[proof.as_slice(), position.as_bytes()].concat())
    }

    /// The position of a cursor.
    ///
    /// # Errors
    /// `Invalid` when it is not one that this store gave for this list.
    pub(super) fn position(&self, list: &str, cursor: &str) -> Result<String, Problem> {
        let read = || {
            let bytes =
                Some(cursor).filter(|text| text.len() <= MAX_TEXT).and_then(|text| base64url::decode(text).ok())?;
            let (proof, position) = bytes.split_at_checked(PROOF)?;
            let position = std::str::from_utf8(position).ok()?;
            constant_time_eq(proof, &self.proof(list, position)).then(|| position.to_owned())
        };
        let detail = "It is not one that this store gave for this list; start the list anew.";
        read().ok_or_else(|| Problem::invalid("after", detail))
    }

    fn proof(&self, list: &str, position: &str) -> Vec<u8> {
        let mac = hmac_sha256(&self.cursor_key, &[list.as_bytes(), b"\0", position.as_bytes()].concat());
        mac.get(..PROOF).unwrap_or_default().to_vec()
    }
}
