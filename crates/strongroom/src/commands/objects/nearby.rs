//! What may have been meant by a name that is not there. Asked only of who may list; who may not
//! learns nothing.

use strongroom_store::vault::Listing;
use strongroom_wire::ids::ObjectName;

use super::{Place, cx};

/// Pages looked at: names beyond them are not worth the wait.
const PAGES: usize = 40;

/// Names proposed.
const MOST: usize = 3;

/// For a live object that is not there.
pub(super) async fn live(place: &Place, name: &ObjectName) -> Option<String> {
    let noun = place.kind.noun();
    if place.vault.get_deleted(&cx(), place.kind, name).await.is_ok() {
        return Some(format!("It is deleted: `strongroom {noun} recover {name}` brings it back"));
    }
    close(place, name, Listing::Live(place.kind)).await
}

/// For a deleted object that is not there.
pub(super) async fn deleted(place: &Place, name: &ObjectName) -> Option<String> {
    close(place, name, Listing::Deleted(place.kind)).await
}

async fn close(place: &Place, name: &ObjectName, listing: Listing) -> Option<String> {
    let wanted = name.folded();
    let most = (wanted.len() / 3).clamp(1, 4);
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = place.vault.list(&cx(), &listing, 25, after.as_ref()).await.ok()?;
        found.extend(page.items.into_iter().filter_map(|item| {
            let distance = strsim::osa_distance(&wanted, &item.name.folded());
            (distance > 0 && distance <= most).then(|| (distance, item.name.as_str().to_owned()))
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    found.sort_unstable();
    let names: Vec<String> = found.into_iter().take(MOST).map(|(_, name)| name).collect();
    (!names.is_empty()).then(|| format!("Did you mean {}?", names.join(", ")))
}
