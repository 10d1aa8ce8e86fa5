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
            let distance = distance(&wanted, &item.name.folded());
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

/// Characters to insert, remove, replace or swap with their neighbour to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, y) in b.iter().enumerate() {
            let replaced = at(&above, j).saturating_add(usize::from(x != y));
            let inserted = at(&row, j).saturating_add(1);
            let removed = at(&above, j.saturating_add(1)).saturating_add(1);
            let mut least = replaced.min(inserted).min(removed);
            let swapped = i.checked_sub(1).and_then(|i| a.get(i)).zip(j.checked_sub(1).and_then(|j| b.get(j)));
            if swapped == Some((y, x)) {
                least = least.min(at(&before, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    at(&above, b.len())
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_typing_errors() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("db-password", "db-pasword", 1),
            ("db-password", "bd-password", 1),
            ("api-key", "api-kye", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
