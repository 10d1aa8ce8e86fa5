//! Pages of lists.

use serde::{Deserialize, Serialize};

/// Most items on a page, and how many there are when the client does not say.
pub const MAX_RESULTS: usize = 25;

/// A page: the items, and where the next one is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    #[serde(default = "Vec::new")]
    pub value: Vec<T>,
    /// Absolute URL of the next page; null on the last one.
    #[serde(rename = "nextLink", default)]
    pub next_link: Option<String>,
}
