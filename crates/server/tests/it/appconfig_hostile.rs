//! Odd and hostile paths, queries, filters and bodies at a configuration store, of a caller who may
//! do everything: each means what it says or is refused by the contract's code, and nothing of it
//! comes back.

use serde_json::{Value, json};
use strongroom_server::appconfig::ROUTES;

use crate::appconfig_calls::{Store, assert_problem, with_role};
use crate::support::{API, Reply, TestServer};
use crate::wire::exchange_with;

const CANARY: &str = "canary-Zq81vXw0";

/// None of them may be in a key, label, tag, content type or name.
const CONTROLS: [char; 9] = ['\0', '\u{1}', '\t', '\n', '\r', '\u{1f}', '\u{7f}', '\u{85}', '\u{9f}'];

async fn start() -> (TestServer, Store) {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    (server, store)
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Refused as the contract says of an argument, which is named; and not echoed.
#[track_caller]
fn assert_invalid(reply: &Reply, name: &str, what: &str) {
    assert_problem(reply, 400, "invalid-argument", what);
    assert_eq!((&reply.json["name"], reply.text.contains(CANARY)), (&json!(name), false), "{what}: {}", reply.text);
    assert_eq!(reply.json["title"], format!("Invalid request parameter '{name}'"), "{what}");
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_refused_with_its_position() {
    let (_server, store) = start().await;
    let long = "a".repeat(257);
    let refused =
        ["a*b", "a**", r"a\b", r"a\", r"\", "a,,b", "a,", ",a", "a,b,c,d,e,f", "a\0", "\0a", "a\n", "a\u{7f}"];
    let accepted = ["", "*", "*a", "a*", r"a\*\,\\", "a*,b*,c", "\0", "a,b,c,d,e", "%", "a=b&c", "ü*", "a/b c"];
    for (list, name) in [
        ("kv", "key"),
        ("kv", "label"),
        ("revisions", "key"),
        ("revisions", "label"),
        ("keys", "name"),
        ("labels", "name"),
        ("snapshots", "name"),
    ] {
        let asked = async |filter: &str| store.get(&format!("/{list}?{API}&{name}={}", encoded(filter))).await;
        for filter in refused.into_iter().chain([long.as_str()]) {
            let (reply, what) = (asked(filter).await, format!("{list} {name}={filter:?}"));
            assert_invalid(&reply, name, &what);
            assert!(reply.json["pos"].as_u64().is_some_and(|at| at <= 257), "{what}: {}", reply.text);
        }
        for filter in accepted {
            assert_eq!(asked(filter).await.status, 200, "{list} {name}={filter:?}");
        }
    }
    let refused =
        ["a", "=b", "a=b=c", r"a\b=c", r"a=b\", "a=\u{1}", "a\n=b", &format!("{long}=b"), &format!("a={long}")];
    for list in ["kv", "revisions", "kv/k"] {
        for filter in refused {
            let reply = store.get(&format!("/{list}?{API}&tags={}", encoded(filter))).await;
            assert_invalid(&reply, "tags", &format!("{list} {filter:?}"));
        }
        let six = "&tags=a%3Db".repeat(6);
        assert_invalid(&store.get(&format!("/{list}?{API}{six}")).await, "tags", "six tags");
        let five = format!("/{list}?{API}{}", &six[..five_of(&six)]);
        assert!(matches!(store.get(&five).await.status, 200 | 404), "{list}: five tags");
    }
    for status in ["unknown", "ready,unknown", "ready,", "\0", "ready*"] {
        let reply = store.get(&format!("/snapshots?{API}&status={}", encoded(status))).await;
        assert_invalid(&reply, "status", status);
    }
}

fn five_of(six: &str) -> usize {
    six.len() / 6 * 5
}

/// A key is read literally where one is named, and escaped where many are looked for.
#[tokio::test]
async fn what_is_special_in_filters_is_plain_in_keys_and_labels() {
    let (_server, store) = start().await;
    let keys =
        ["a*", "a,b", r"a\b", r"\0", "*", ",", "a/b//c/", "a?b#c", "Ä b", "a b", "...", "a&b=c", "\u{200b}\u{1f600}"];
    for key in keys {
        let path = format!("/kv/{}?{API}&label={}", encoded(key), encoded(key));
        store.call("PUT", &path, &json!({"value": key})).await.ok();
    }
    store.set("ab", "plain").await;
    for key in keys {
        let got = store.get(&format!("/kv/{}?{API}&label={}", encoded(key), encoded(key))).await.ok();
        assert_eq!((&got["key"], &got["label"], &got["value"]), (&json!(key), &json!(key), &json!(key)));
        assert_eq!(store.status("GET", &format!("/kv/{}", encoded(key))).await, 404, "{key} without a label");
        let escaped = key.replace('\\', r"\\").replace('*', r"\*").replace(',', r"\,");
        for list in ["kv", "revisions"] {
            let found = store.values(&format!("/{list}?{API}&key={0}&label={0}", encoded(&escaped))).await;
            assert_eq!(found, [key], "{list}");
        }
    }
}

#[tokio::test]
async fn control_characters_and_lengths_are_refused_wherever_a_name_stands() {
    let (_server, store) = start().await;
    let put = async |key: &str, label: &str, body: &Value| {
        store.call("PUT", &format!("/kv/{}?{API}&label={}", encoded(key), encoded(label)), body).await
    };
    let snapshot = async |name: &str, tags: Value| {
        let body = json!({"filters": [{"key": "*"}], "tags": tags});
        store.call("PUT", &format!("/snapshots/{}", encoded(name)), &body).await
    };
    let bad =
        CONTROLS.iter().map(|control| format!("{CANARY}{control}b")).chain([format!("{CANARY}{}", "ü".repeat(250))]);
    for text in bad {
        let what = format!("{text:.30?}");
        let value = json!({"value": "v"});
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let reply = store.call(method, &format!("/kv/{}", encoded(&text)), &Value::Null).await;
            assert_eq!(reply.status, 400, "{method} {what}");
        }
        assert_invalid(&put(&text, "", &value).await, "key", &what);
        assert_invalid(&put("k", &text, &value).await, "label", &what);
        assert_invalid(&store.get(&format!("/kv/k?{API}&label={}", encoded(&text))).await, "label", &what);
        assert_invalid(&store.call("PUT", &format!("/locks/{}", encoded(&text)), &Value::Null).await, "key", &what);
        assert_invalid(&put("k", "", &json!({"tags": {text.as_str(): "v"}})).await, "tags", &what);
        assert_invalid(&put("k", "", &json!({"tags": {"t": text}})).await, "tags", &what);
        assert_invalid(&snapshot(&text, json!({})).await, "name", &what);
        assert_invalid(&snapshot("s", json!({text.as_str(): "v"})).await, "tags", &what);
        assert_invalid(&snapshot("s", json!({"t": text})).await, "tags", &what);
        if text.chars().any(char::is_control) {
            assert_invalid(&put("k", "", &json!({"content_type": text})).await, "content_type", &what);
        }
    }
    assert_eq!(store.get("/kv").await.ok()["items"], json!([]));
    assert_eq!(store.get("/snapshots").await.ok()["items"], json!([]));
    // A value may have them all, and 256 characters are not bytes.
    let all: String = (0..=0x9f).map(|code| char::from_u32(code).unwrap()).collect();
    let name = "ü".repeat(256);
    let body = json!({"value": all, "tags": {name.as_str(): name}, "description": all});
    put(&name, &name, &body).await.ok();
    assert_eq!(store.get(&format!("/kv/{0}?{API}&label={0}", encoded(&name))).await.ok()["value"], all);
    assert_eq!(snapshot(&name, json!({})).await.status, 201);
}

#[tokio::test]
async fn odd_paths_are_refused_or_mean_what_they_say() {
    let (server, store) = start().await;
    let (_, token) = with_role(&server, "App Configuration Data Owner", "*").await;
    store.set("a", "v").await;
    let ask = async |method: &str, target: &str| {
        exchange_with(&server, "dev.azconfig.localhost", &token, method, format!("{target}?{API}")).await
    };
    let mut taken = Vec::new();
    let no_names = "a%25 %25 a%2525b %2500 a% a%2 a%zz % a%u0041 %00 a%00 %00a %ff %C0%AF %ED%A0%80 %F4%90%80%80 \
                    a%0d%0aset-cookie:x a%7f a%C2%85";
    for (method, path, parameter) in
        [("GET", "/kv", "key"), ("PUT", "/kv", "key"), ("PUT", "/locks", "key"), ("PUT", "/snapshots", "name")]
    {
        for name in no_names.split_whitespace() {
            let (status, body) = ask(method, &format!("{path}/{name}")).await;
            if (status, &body["name"]) != (400, &json!(parameter)) {
                taken.push(format!("{method} {path}/{name}: {status} {body}"));
            }
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
    for name in [".", "..", "%2e", "%2E%2e", ".%2e"] {
        for method in ["GET", "PUT", "DELETE"] {
            let (status, body) = ask(method, &format!("/kv/{name}")).await;
            assert_eq!((status, &body["name"]), (400, &json!("key")), "{method} /kv/{name}");
        }
    }
    for target in ["/kv/a", "//kv/a", "/KV/a", "/kv/%61"] {
        assert_eq!(ask("GET", target).await.1["value"], "v", "{target}");
    }
    // What follows is the key, slashes and all.
    for target in
        ["/kv/../kv/a", "/kv/./a", "/kv//a", "/kv/a/", "/kv/A", "/kv/a;x=y", "/kv/a%20", "/kv/%2Fkv%2Fa", "/kv/$sys"]
    {
        assert_eq!(ask("GET", target).await, (404, Value::Null), "{target}");
    }
    for target in
        ["/", "/unknown", "/kvs", "/kv2/a", "/secrets", "/keys%2F", "/k%76s/a", "/%00", "/.well-known/x", "/../kv"]
    {
        assert_eq!(ask("GET", target).await, (404, Value::Null), "{target}");
        assert_eq!(ask("FROBNICATE", target).await, (404, Value::Null), "{target}");
    }
    for target in [b"/kv/\xff\xfe".as_slice(), b"/kv/a b", b"/kv/\x00", b"kv", b""] {
        let (status, _) = exchange_with(&server, "dev.azconfig.localhost", &token, "GET", target).await;
        assert!(matches!(status, 0 | 400 | 401 | 404), "{status} {target:?}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_405_and_the_answer_tells_which_it_knows() {
    let (_server, store) = start().await;
    let mut wrong = Vec::new();
    for (collection, named) in [
        ("keys", false),
        ("kv", false),
        ("kv", true),
        ("snapshots", false),
        ("snapshots", true),
        ("operations", false),
        ("labels", false),
        ("locks", true),
        ("revisions", false),
    ] {
        let path = if named { format!("/{collection}/k") } else { format!("/{collection}") };
        let known = |method: &str| {
            let fits =
                |route: &&strongroom_server::appconfig::Route| route.collection == collection && route.named == named;
            ROUTES.iter().filter(fits).any(|route| route.method == method)
        };
        for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROBNICATE"] {
            if known(method) {
                continue;
            }
            let reply = store.call(method, &path, &Value::Null).await;
            assert_eq!((reply.status, reply.text.as_str()), (405, ""), "{method} {path}");
            // RFC 9110 section 15.5.6: the methods that the resource does support.
            let told: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
            if told.is_empty() || !told.iter().all(|method| known(method)) {
                wrong.push(format!("{method} {path}: Allow: {}", reply.header("allow")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn queries_that_cannot_be_read_are_refused() {
    let (server, store) = start().await;
    let (_, token) = with_role(&server, "App Configuration Data Owner", "*").await;
    store.set("k", "v").await;
    for (query, title) in [
        ("api-version=2023-10-01&api-version=1.0", "Ambiguous API version"),
        ("api-version=2023-10-01&API-VERSION=2026-04-01", "Ambiguous API version"),
        ("api-version=7.4", "Invalid API version"),
        ("api-version=latest", "Invalid API version"),
        ("api-version=2023-10-01%00", "Invalid API version"),
        ("api-version=2023-1-1", "Invalid API version"),
        ("api-version=2009-01-01", "Unsupported API version"),
    ] {
        for path in ["/kv", "/kv/k", "/snapshots"] {
            let reply = store.get(&format!("{path}?{query}")).await;
            assert_problem(&reply, 400, "invalid-argument", query);
            assert_eq!((&reply.json["title"], &reply.json["name"]), (&json!(title), &json!("api-version")), "{query}");
        }
    }
    let many = |count: usize| format!("/kv?{API}{}", "&key=a".repeat(count));
    assert_problem(&store.get(&many(100)).await, 400, "invalid-argument", "100 parameters");
    assert_problem(&store.get(&many(5_000)).await, 400, "invalid-argument", "5000 parameters");
    assert_eq!(store.get(&many(20)).await.status, 200);
    for query in ["label=%ff", "key=%C0%AF", "%ff=x", "after=%ED%A0%80", "$select=%fe", "unknown=%ff"] {
        let (status, body) =
            exchange_with(&server, "dev.azconfig.localhost", &token, "GET", format!("/kv?{API}&{query}")).await;
        assert_eq!((status, &body["status"]), (400, &json!(400)), "{query}");
    }
    for query in
        ["", "api-version=", "API-Version=1.0", "api-version=2026-04-01&unknown=x&&=&a", "api%2Dversion=2030-01-01"]
    {
        assert_eq!(store.get(&format!("/kv/k?{query}")).await.ok()["value"], "v", "{query}");
    }
}

/// A cursor is good for the list of the store that gave it, and for nothing else.
#[tokio::test]
async fn a_cursor_that_was_not_given_for_this_list_is_refused() {
    let (server, store) = start().await;
    let other = Store::of(&server, "other").await;
    for number in 0..101 {
        for store in [&store, &other] {
            let path = format!("/kv/k{number}?{API}&label=l{number}");
            store.call("PUT", &path, &json!({"value": "v"})).await.ok();
        }
    }
    for name in ["s", "t"] {
        store.call("PUT", &format!("/snapshots/{name}"), &json!({"filters": [{"key": "*"}]})).await.ok();
    }
    for number in 0..101 {
        let filters = json!({"filters": [{"key": "none"}]});
        store.call("PUT", &format!("/snapshots/n{number}"), &filters).await.ok();
    }
    let after = async |store: &Store, list: &str| {
        let page = store.get(list).await.ok();
        let next = page["@nextLink"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned();
        next.split("after=").nth(1).unwrap().split('&').next().unwrap().to_owned()
    };
    let of_snapshot = |name: &str| format!("/kv?{API}&snapshot={name}");
    let lists = [
        format!("/kv?{API}"),
        format!("/keys?{API}"),
        format!("/labels?{API}"),
        format!("/revisions?{API}"),
        format!("/snapshots?{API}"),
        of_snapshot("s"),
        of_snapshot("t"),
    ];
    let mut cursors = Vec::new();
    for list in &lists {
        cursors.push(after(&store, list).await);
    }
    let of_other = after(&other, "/kv").await;
    for (number, list) in lists.iter().enumerate() {
        let asked = async |after: &str| store.get(&format!("{list}&after={after}")).await;
        assert_eq!(asked(&cursors[number]).await.status, 200, "{list}");
        for (another, cursor) in cursors.iter().enumerate().filter(|(another, _)| *another != number) {
            assert_invalid(&asked(cursor).await, "after", &format!("{list} with the cursor of {}", lists[another]));
        }
        let own = &cursors[number];
        let swapped = format!("{}{}", &own[1..2], &own[2..]);
        let longer = format!("{own}A");
        let doubled = format!("{own}{own}");
        for bad in [
            of_other.as_str(),
            "!",
            "a",
            "AAAA",
            "%00",
            "%22",
            "a%2Fb",
            "..%2F..",
            &own[..own.len() - 1],
            &own[..8],
            &swapped,
            &longer,
            &doubled,
            &"A".repeat(9_000),
            &own.to_ascii_lowercase(),
        ] {
            assert_invalid(&asked(bad).await, "after", &format!("{list} after {bad:.40}"));
        }
    }
    assert_eq!(store.get(&format!("/kv?{API}&after=")).await.status, 200, "a blank one is none");
}
