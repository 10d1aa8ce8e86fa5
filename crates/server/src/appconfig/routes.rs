//! The one table of App Configuration's operations.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use http::Method;
use percent_encoding::percent_decode_str;
use strongroom_auth::DataAction::{self, *};
use strongroom_wire::config::Problem;

use super::call::Call;
use super::reply::Reply;
use super::{key_values, lists, snapshots};

type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// An operation.
pub struct Route {
    /// The contract's number: `A1` to `A21`.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// The first segment of the path.
    pub collection: &'static str,
    /// Does a name follow it? A key may have slashes in it.
    pub named: bool,
    /// The data actions that it takes: all of them.
    pub actions: &'static [DataAction],
    /// What does it.
    pub(super) handler: Handler,
}

macro_rules! routes {
    ($($id:literal $method:ident $collection:literal $named:literal $actions:expr, $handler:path;)+) => {
        /// The table.
        pub static ROUTES: &[Route] = &[$(Route {
            id: $id,
            method: Method::$method,
            collection: $collection,
            named: $named,
            actions: $actions,
            handler: |call| Box::pin($handler(call)),
        },)+];
    };
}

routes! {
    "A1"  GET    "keys"       false &[KeyValuesRead], lists::keys;
    "A2"  HEAD   "keys"       false &[KeyValuesRead], lists::keys;
    "A3"  GET    "kv"         false &[KeyValuesRead], lists::key_values;
    "A4"  HEAD   "kv"         false &[KeyValuesRead], lists::key_values;
    "A5"  GET    "kv"         true  &[KeyValuesRead], key_values::get;
    "A6"  PUT    "kv"         true  &[KeyValuesWrite], key_values::set;
    "A7"  DELETE "kv"         true  &[KeyValuesDelete], key_values::delete;
    "A8"  HEAD   "kv"         true  &[KeyValuesRead], key_values::get;
    "A9"  GET    "snapshots"  false &[SnapshotsRead], snapshots::list;
    "A10" HEAD   "snapshots"  false &[SnapshotsRead], snapshots::list;
    "A11" GET    "snapshots"  true  &[SnapshotsRead], snapshots::get;
    "A12" GET    "operations" false &[SnapshotsRead], snapshots::operation;
    "A13" PUT    "snapshots"  true  &[SnapshotsWrite, KeyValuesRead], snapshots::create;
    "A14" PATCH  "snapshots"  true  &[SnapshotsArchive], snapshots::update;
    "A15" HEAD   "snapshots"  true  &[SnapshotsRead], snapshots::get;
    "A16" GET    "labels"     false &[KeyValuesRead], lists::labels;
    "A17" HEAD   "labels"     false &[KeyValuesRead], lists::labels;
    "A18" PUT    "locks"      true  &[KeyValuesWrite], key_values::lock;
    "A19" DELETE "locks"      true  &[KeyValuesWrite], key_values::unlock;
    "A20" GET    "revisions"  false &[KeyValuesRead], lists::revisions;
    "A21" HEAD   "revisions"  false &[KeyValuesRead], lists::revisions;
}

/// Finds the route, and the name that follows its collection: all behind the slash, decoded once.
///
/// # Errors
/// `NotFound` for an unknown path, `MethodNotAllowed`, `Invalid` for a name that is no text.
pub(super) fn find(method: &Method, path: &str) -> Result<(&'static Route, Option<String>), Problem> {
    let path = path.trim_start_matches('/');
    let (collection, name) = path.split_once('/').unwrap_or((path, ""));
    let mut known = ROUTES.iter().filter(|route| route.collection.eq_ignore_ascii_case(collection)).peekable();
    if known.peek().is_none() {
        return Err(Problem::NotFound);
    }
    let known = known.filter(|route| route.named != name.is_empty());
    let route = known.clone().find(|route| route.method == *method).ok_or_else(|| {
        let methods: Vec<&str> = known.map(|route| route.method.as_str()).collect();
        Problem::MethodNotAllowed(methods.join(", "))
    })?;
    if name.is_empty() {
        return Ok((route, None));
    }
    let parameter = if collection.eq_ignore_ascii_case("snapshots") { "name" } else { "key" };
    let name = percent_decode_str(name).decode_utf8().map(Cow::into_owned);
    let name = name.map_err(|_invalid| Problem::invalid(parameter, "It is not UTF-8."))?;
    // As the service does: the character cannot be part of a key, escaped or bare.
    if name.contains('%') {
        return Err(Problem::invalid(parameter, "The character '%' is not allowed."));
    }
    Ok((route, Some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_routes() {
        let found = |method: Method, path: &str| find(&method, path).map(|(route, name)| (route.id, name));
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(found(Method::GET, "/kv/a%2Fb%20c"), Ok(("A5", name("a/b c"))));
        assert_eq!(found(Method::GET, "/kv/a/b"), Ok(("A5", name("a/b"))));
        assert_eq!(found(Method::GET, "/kv"), Ok(("A3", None)));
        assert_eq!(found(Method::GET, "/kv/"), Ok(("A3", None)));
        assert_eq!(found(Method::HEAD, "/kv/x"), Ok(("A8", name("x"))));
        assert_eq!(found(Method::PUT, "/kv"), Err(Problem::MethodNotAllowed("GET, HEAD".to_owned())));
        assert_eq!(found(Method::PATCH, "/kv/x"), Err(Problem::MethodNotAllowed("GET, PUT, DELETE, HEAD".to_owned())));
        assert_eq!(found(Method::GET, "/nowhere"), Err(Problem::NotFound));
        assert!(matches!(found(Method::GET, "/kv/a%25b"), Err(Problem::Invalid { .. })));
        assert!(matches!(found(Method::GET, "/kv/a%zz"), Err(Problem::Invalid { .. })));
        assert!(matches!(found(Method::GET, "/kv/%ff"), Err(Problem::Invalid { .. })));
    }

    #[test]
    fn every_operation_of_the_contract_has_its_row() {
        let ids: Vec<&str> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(ids, (1..=21).map(|number| format!("A{number}")).collect::<Vec<_>>());
    }
}
