//! Configuration stores: filters, dates, conditions, ids, bodies and cursors. What is taken into a
//! store is found there again, and no cursor but the store's own is followed.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use strongroom_fuzz::RUNTIME;
use strongroom_store::config::{ConfigStore, ItemQuery, Limits};
use strongroom_store::memory::MemoryRecords;
use strongroom_store::{Cx, Time};
use strongroom_wire::config::{
    Conditions, Fields, Filter, KeyValueId, NewKeyValue, NewSnapshot, StatusFilter, StoreName, TagFilter, http_date,
    parse_date,
};
use strongroom_wire::json;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(date) = parse_date(text)
        && (0..253_402_300_800).contains(&date)
    {
        assert_eq!(parse_date(&http_date(date)), Some(date));
    }
    drop(Conditions::new(Some(text), Some(text)).for_write(Some("x")));
    drop(Fields::of_key_value(Some(text)));
    drop(Fields::of_snapshot(Some(text)));
    drop(StatusFilter::parse(Some(text)));
    if let Ok(tag) = TagFilter::parse("tags", text) {
        drop(tag.matches(&Default::default()));
    }
    if let Ok(new) = json::from_slice::<NewSnapshot>(data) {
        drop(new.check("s"));
    }

    let (key, label) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(id) = KeyValueId::new(key, Some(label)) else { return };
    let new = json::from_slice::<NewKeyValue>(data).unwrap_or_default();
    let limits = Limits { history: 86_400, bytes: 1 << 20 };
    let name = StoreName::parse("fuzz").unwrap();
    let store = ConfigStore::new(Arc::new(MemoryRecords::default()), name, limits, [7; 32]);
    let cx = Cx::system(Time::from_seconds(1_800_000_000));
    RUNTIME.block_on(async {
        if store.set(&cx, &id, new, true, &Conditions::default()).await.is_err() {
            return;
        }
        let escaped = key.replace('\\', "\\\\").replace('*', "\\*").replace(',', "\\,");
        let key = Filter::parse("key", &escaped).unwrap();
        for at in [None, Some(1_800_000_000)] {
            let query = ItemQuery { key: key.clone(), label: Filter::ANY, tags: vec![], at, after: None };
            assert_eq!(store.list(&query).await.unwrap().items.len(), 1, "{key:?}");
            assert!(store.get(&id, at).await.unwrap().is_some());
            assert_eq!(store.keys(&key, at, None).await.unwrap().items.len(), 1);
            assert_eq!(store.labels(&Filter::ANY, at, None).await.unwrap().items, [id.label().map(str::to_owned)]);
        }
        let after = Some(text.to_owned());
        let query = ItemQuery { key, label: Filter::ANY, tags: vec![], at: None, after };
        assert!(store.list(&query).await.is_err(), "a cursor that the store did not give");
    });
});
