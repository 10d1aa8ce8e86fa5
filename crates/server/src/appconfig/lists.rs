//! Lists: key-values and what is in a snapshot, revisions, keys, labels (A1 to A4, A16, A17, A20,
//! A21).

use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};
use strongroom_crypto::sha256;
use strongroom_store::config::{ItemQuery, Page};
use strongroom_wire::base64url;
use strongroom_wire::config::{Fields, KeyValue, Problem, ReadOutcome};

use super::call::{ApiVersion, Call};
use super::reply::Reply;

const KEY_VALUES: &str = "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8";
const KEYS: &str = "application/vnd.microsoft.appconfig.keyset+json; charset=utf-8";
const LABELS: &str = "application/vnd.microsoft.appconfig.labelset+json; charset=utf-8";

pub(super) async fn key_values(call: Call) -> Result<Reply, Problem> {
    let fields = call.fields()?;
    if let Some(snapshot) = call.parameters.get("snapshot").filter(|name| !name.is_empty()) {
        let page = call.store.snapshot_items(snapshot, call.after()).await?;
        return item_page(&call, "/kv", &page, fields, None);
    }
    let query = query(&call)?;
    let page = call.store.list(&query).await?;
    item_page(&call, "/kv", &page, fields, query.at)
}

pub(super) async fn revisions(call: Call) -> Result<Reply, Problem> {
    let (fields, query) = (call.fields()?, query(&call)?);
    let page = call.store.revisions(&query).await?;
    item_page(&call, "/revisions", &page, fields, query.at)
}

pub(super) async fn keys(call: Call) -> Result<Reply, Problem> {
    let (name, at) = (call.filter("name")?, memento(&call)?);
    let page = call.store.keys(&name, at, call.after()).await?;
    name_page(&call, "/keys", KEYS, &page, at)
}

pub(super) async fn labels(call: Call) -> Result<Reply, Problem> {
    let (name, at) = (call.filter("name")?, memento(&call)?);
    let page = call.store.labels(&name, at, call.after()).await?;
    name_page(&call, "/labels", LABELS, &page, at)
}

fn query(call: &Call) -> Result<ItemQuery, Problem> {
    Ok(ItemQuery {
        key: call.filter("key")?,
        label: call.filter("label")?,
        tags: call.tags(ApiVersion::LIST_TAGS)?,
        at: memento(call)?,
        after: call.after().map(str::to_owned),
    })
}

/// The moment that is looked back at; one that lies ahead is the present.
fn memento(call: &Call) -> Result<Option<i64>, Problem> {
    Ok(call.at()?.filter(|at| *at <= call.cx.now.seconds()))
}

fn item_page(
    call: &Call,
    path: &str,
    page: &Page<KeyValue>,
    fields: Fields,
    at: Option<i64>,
) -> Result<Reply, Problem> {
    let next = page.next.as_deref().map(|after| call.link(path, Some(after)));
    let etag = page_etag(page);
    let with_etag = call.version >= ApiVersion::PAGE_ETAG;
    let reply = match call.conditions().for_read(&etag)? {
        ReadOutcome::NotModified => Reply::not_modified(),
        ReadOutcome::Content => {
            let etag = with_etag.then_some(etag.as_str());
            let description = call.knows_description();
            Reply::json(KEY_VALUES, &ItemPage { etag, items: &page.items, fields, description, next: next.as_deref() })?
        }
    };
    let reply = if with_etag { reply.etag(&etag) } else { reply };
    let reply = reply.next(next.as_deref());
    // Where there is no body, SDKs follow the first link whatever it leads to: the one to the present
    // would be taken for the next page, for ever.
    let misleading = path == "/kv" && next.is_none() && !reply.has_body(&call.method);
    Ok(reply.memento(at, (!misleading).then(|| call.link(path, None)).as_deref()))
}

/// Changes when an item of the page does, or what follows it.
fn page_etag(page: &Page<KeyValue>) -> String {
    let mut text = String::new();
    for item in &page.items {
        text.push_str(&item.etag);
        text.push('\n');
    }
    text.push_str(page.next.as_deref().unwrap_or_default());
    base64url::encode(&sha256(text.as_bytes()))
}

struct ItemPage<'a> {
    etag: Option<&'a str>,
    items: &'a [KeyValue],
    fields: Fields,
    description: bool,
    next: Option<&'a str>,
}

impl Serialize for ItemPage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(etag) = self.etag {
            map.serialize_entry("etag", etag)?;
        }
        map.serialize_entry("items", &Items(self))?;
        if let Some(next) = self.next {
            map.serialize_entry("@nextLink", next)?;
        }
        map.end()
    }
}

struct Items<'a>(&'a ItemPage<'a>);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(page) = self;
        let mut list = serializer.serialize_seq(Some(page.items.len()))?;
        for item in page.items {
            list.serialize_element(&item.shown(page.fields, page.description))?;
        }
        list.end()
    }
}

fn name_page<T: Serialize>(
    call: &Call,
    path: &str,
    media_type: &'static str,
    page: &Page<T>,
    at: Option<i64>,
) -> Result<Reply, Problem> {
    #[derive(Serialize)]
    struct Named<'a, T> {
        name: &'a T,
    }
    #[derive(Serialize)]
    struct Names<'a, T> {
        items: Vec<Named<'a, T>>,
        #[serde(rename = "@nextLink", skip_serializing_if = "Option::is_none")]
        next: Option<&'a str>,
    }
    let next = page.next.as_deref().map(|after| call.link(path, Some(after)));
    let items = page.items.iter().map(|name| Named { name }).collect();
    let reply = Reply::json(media_type, &Names { items, next: next.as_deref() })?;
    Ok(reply.next(next.as_deref()).memento(at, Some(&call.link(path, None))))
}
