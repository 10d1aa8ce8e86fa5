//! The one table of data-plane operations: method, path, data actions, handler. The router, the
//! list in the documentation and the coverage tests all read it.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use http::Method;
use strongroom_auth::DataAction::{self, *};
use strongroom_wire::{Error, secrets as secret_bodies};

use crate::data_plane::answer::Answer;
use crate::data_plane::call::Call;
use crate::data_plane::{keys, secrets};

type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// A data-plane operation.
pub struct Route {
    /// The contract's number: `S1` to `S12` for secrets, `K1` to `K23` for keys.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path: `{name}` and `{version}` stand for one segment, `{version?}` for one or none.
    pub path: &'static str,
    /// Any one of these data actions allows it.
    pub actions: &'static [DataAction],
    /// Most bytes in the request's body.
    pub body_limit: usize,
    /// What does it.
    pub handler: Handler,
}

/// Bodies of key operations, attributes, and JWKs of the largest keys fit well.
const SMALL: usize = 64 * 1024;

/// The largest secret, each byte escaped as `\u00XX`, and its tags.
const SECRET: usize = secret_bodies::MAX_VALUE_BYTES * 6 + SMALL;

/// A backup of hundreds of versions.
const BACKUP: usize = 32 * 1024 * 1024;

macro_rules! routes {
    ($($id:literal $method:ident $path:literal $actions:expr, $limit:expr, $handler:path;)+) => {
        /// The table. The first row that matches is taken, so literal segments come first.
        pub static ROUTES: &[Route] = &[$(Route {
            id: $id,
            method: Method::$method,
            path: $path,
            actions: $actions,
            body_limit: $limit,
            handler: |call| Box::pin($handler(call)),
        },)+];
    };
}

routes! {
    "S1"  PUT    "/secrets/{name}"                        &[SecretsSet], SECRET, secrets::set;
    "S2"  DELETE "/secrets/{name}"                        &[SecretsDelete], SMALL, secrets::delete;
    "S6"  GET    "/secrets/{name}/versions"               &[SecretsReadMetadata], SMALL, secrets::list_versions;
    "S5"  GET    "/secrets"                               &[SecretsReadMetadata], SMALL, secrets::list;
    "S3"  PATCH  "/secrets/{name}/{version?}"             &[SecretsUpdate], SMALL, secrets::update;
    "S4"  GET    "/secrets/{name}/{version?}"             &[SecretsGet], SMALL, secrets::get;
    "S7"  GET    "/deletedsecrets"                        &[SecretsReadMetadata], SMALL, secrets::list_deleted;
    "S8"  GET    "/deletedsecrets/{name}"                 &[SecretsReadMetadata], SMALL, secrets::get_deleted;
    "S9"  DELETE "/deletedsecrets/{name}"                 &[SecretsPurge], SMALL, secrets::purge;
    "S10" POST   "/deletedsecrets/{name}/recover"         &[SecretsRecover], SMALL, secrets::recover;
    "S12" POST   "/secrets/restore"                       &[SecretsRestore], BACKUP, secrets::restore;
    "S11" POST   "/secrets/{name}/backup"                 &[SecretsBackup], SMALL, secrets::backup;

    "K10" POST   "/keys/restore"                          &[KeysRestore], BACKUP, keys::restore;
    "K1"  POST   "/keys/{name}/create"                    &[KeysCreate], SMALL, keys::create;
    "K2"  POST   "/keys/{name}/rotate"                    &[KeysRotate], SMALL, keys::rotate;
    "K9"  POST   "/keys/{name}/backup"                    &[KeysBackup], SMALL, keys::backup;
    "K11" POST   "/keys/{name}/{version?}/encrypt"        &[KeysEncrypt, KeysRead], SMALL, keys::encrypt;
    "K12" POST   "/keys/{name}/{version?}/decrypt"        &[KeysDecrypt], SMALL, keys::decrypt;
    "K13" POST   "/keys/{name}/{version?}/sign"           &[KeysSign], SMALL, keys::sign;
    "K14" POST   "/keys/{name}/{version?}/verify"         &[KeysVerify, KeysRead], SMALL, keys::verify;
    "K15" POST   "/keys/{name}/{version?}/wrapkey"        &[KeysWrap, KeysRead], SMALL, keys::wrap;
    "K16" POST   "/keys/{name}/{version?}/unwrapkey"      &[KeysUnwrap], SMALL, keys::unwrap;
    "K22" GET    "/keys/{name}/rotationpolicy"            &[KeyRotationPoliciesRead], SMALL, keys::rotation_policy;
    "K23" PUT    "/keys/{name}/rotationpolicy"            &[KeyRotationPoliciesWrite], SMALL, keys::set_rotation_policy;
    "K7"  GET    "/keys/{name}/versions"                  &[KeysRead], SMALL, keys::list_versions;
    "K8"  GET    "/keys"                                  &[KeysRead], SMALL, keys::list;
    "K3"  PUT    "/keys/{name}"                           &[KeysImport], SMALL, keys::import;
    "K4"  DELETE "/keys/{name}"                           &[KeysDelete], SMALL, keys::delete;
    "K5"  PATCH  "/keys/{name}/{version?}"                &[KeysUpdate], SMALL, keys::update;
    "K6"  GET    "/keys/{name}/{version?}"                &[KeysRead], SMALL, keys::get;
    "K18" GET    "/deletedkeys"                           &[KeysRead], SMALL, keys::list_deleted;
    "K19" GET    "/deletedkeys/{name}"                    &[KeysRead], SMALL, keys::get_deleted;
    "K20" DELETE "/deletedkeys/{name}"                    &[KeysPurge], SMALL, keys::purge;
    "K21" POST   "/deletedkeys/{name}/recover"            &[KeysRecover], SMALL, keys::recover;
}

/// A route that a request matched, and what stood at its placeholders.
pub struct Matched {
    /// The route.
    pub route: &'static Route,
    /// `{name}`, decoded, not yet validated.
    pub name: Option<String>,
    /// `{version}`, decoded, not yet validated.
    pub version: Option<String>,
}

/// Finds the route. Runs of slashes count as one, and a slash at the end as none: the SDKs leave
/// the version's segment empty when they mean the latest.
///
/// # Errors
/// `BadParameter` when there is no such path, or not with this method.
pub fn find(method: &Method, path: &str) -> Result<Matched, Error> {
    let segments = decode_path(path)?;
    let mut known_path = false;
    for pattern in PATTERNS.iter() {
        if let Some((name, version)) = pattern.fit(&segments) {
            if pattern.route.method == *method {
                return Ok(Matched { route: pattern.route, name, version });
            }
            known_path = true;
        }
    }
    Err(Error::bad_parameter(if known_path {
        format!("Method {method} does not allow this operation")
    } else {
        "The request URI is not that of any operation".to_owned()
    }))
}

fn decode_path(path: &str) -> Result<Vec<Cow<'_, str>>, Error> {
    let decode = |segment| {
        let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
        decoded.map_err(|_invalid| Error::bad_parameter("The request URI is not UTF-8"))
    };
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// The paths of the table, taken apart once.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| ROUTES.iter().map(Pattern::new).collect());

struct Pattern {
    route: &'static Route,
    parts: Vec<Part>,
}

#[derive(PartialEq)]
enum Part {
    Literal(&'static str),
    Name,
    OptionalVersion,
}

impl Pattern {
    fn new(route: &'static Route) -> Self {
        let part = |part| match part {
            "{name}" => Part::Name,
            "{version?}" => Part::OptionalVersion,
            literal => Part::Literal(literal),
        };
        Self { route, parts: route.path.split('/').filter(|part| !part.is_empty()).map(part).collect() }
    }

    /// The name and version when `segments` fit.
    fn fit(&self, segments: &[Cow<'_, str>]) -> Option<(Option<String>, Option<String>)> {
        let without_version = self.parts.len() == segments.len().saturating_add(1);
        if self.parts.len() != segments.len() && !(without_version && self.parts.contains(&Part::OptionalVersion)) {
            return None;
        }
        let (mut name, mut version) = (None, None);
        let mut rest = segments.iter();
        for part in &self.parts {
            match part {
                Part::OptionalVersion if without_version => {}
                Part::OptionalVersion => version = Some(rest.next()?),
                Part::Name => name = Some(rest.next()?),
                Part::Literal(literal) => {
                    if !rest.next()?.eq_ignore_ascii_case(literal) {
                        return None;
                    }
                }
            }
        }
        let owned = |segment: &Cow<'_, str>| segment.clone().into_owned();
        Some((name.map(owned), version.map(owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> (&'static str, Option<String>, Option<String>) {
        let matched = find(&method, path).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (matched.route.id, matched.name, matched.version)
    }

    #[test]
    fn the_path_oddities_of_the_sdks_are_routed() {
        let name = || Some("k".to_owned());
        let version = || Some("1".to_owned());
        assert_eq!(found(Method::GET, "/keys/k/"), ("K6", name(), None));
        assert_eq!(found(Method::GET, "/keys/k/1"), ("K6", name(), version()));
        assert_eq!(found(Method::POST, "/keys/k//encrypt"), ("K11", name(), None));
        assert_eq!(found(Method::POST, "/keys/k/1/encrypt"), ("K11", name(), version()));
        assert_eq!(found(Method::GET, "//secrets/k"), ("S4", name(), None));
        assert_eq!(found(Method::GET, "/secrets/k/versions"), ("S6", name(), None));
        assert_eq!(found(Method::POST, "/keys/restore"), ("K10", None, None));
        assert_eq!(found(Method::PUT, "/keys/restore").0, "K3");
        assert_eq!(found(Method::GET, "/secrets/").0, "S5");
        assert_eq!(found(Method::GET, "/Secrets/K/").0, "S4");
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/unknown"),
            (Method::PUT, "/secrets"),
            (Method::GET, "/keys/k/1/sign"),
            (Method::GET, "/keys/a/b/c/d"),
            (Method::GET, "/keys/%ff"),
        ] {
            assert!(find(&method, path).is_err(), "{method} {path}");
        }
    }

    #[test]
    fn every_operation_of_the_contract_has_its_row() {
        let mut ids: Vec<&str> = ROUTES.iter().map(|route| route.id).collect();
        ids.sort_unstable();
        let mut wanted: Vec<String> = (1..=12).map(|n| format!("S{n}")).collect();
        wanted.extend((1..=23).filter(|n| *n != 17).map(|n| format!("K{n}")));
        wanted.sort_unstable();
        assert_eq!(ids, wanted);
    }
}
