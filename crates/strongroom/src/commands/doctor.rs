//! `strongroom doctor`: each step of the way to a vault, and what to do where it ends. It reads no
//! secret and shows no token.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::tls::TlsInfo;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use strongroom_backends::azure::challenge_scope;
use strongroom_store::Vault;
use strongroom_store::vault::Listing;
use strongroom_wire::base64url;
use strongroom_wire::ids::Kind;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::login::credential;
use super::objects::{cx, moment, uri};
use super::{show, vault_uri};
use crate::Outcome;
use crate::cli::VaultArgs;
use crate::failure::{Class, Failure};

/// A step that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// `strongroom doctor`.
pub(crate) async fn run(arguments: VaultArgs) -> Outcome {
    let uri = uri(&arguments)?;
    let mut report = Report::default();
    let url = uri.strip_prefix("azure:").unwrap_or(&uri);
    if uri.starts_with("azure:") || uri.starts_with("https:") {
        remote(&mut report, url).await;
    }
    if report.failed.is_none() {
        rights(&mut report, &uri).await;
    }
    match arguments.output {
        None => report.print(),
        Some(output) => drop(show::rows(&report.steps, &["step", "status", "detail", "advice"], output)?),
    }
    Ok(report.failed.map_or(ExitCode::SUCCESS, |class| ExitCode::from(class.code())))
}

#[derive(Default)]
struct Report {
    steps: Vec<Value>,
    /// The class of the first step that failed.
    failed: Option<Class>,
}

impl Report {
    fn ok(&mut self, step: &str, detail: &str) {
        self.steps.push(json!({ "step": step, "status": "ok", "detail": detail }));
    }

    fn failed(&mut self, step: &str, class: Class, detail: &str, advice: &str) {
        self.failed.get_or_insert(class);
        self.steps.push(json!({ "step": step, "status": "failed", "detail": detail, "advice": advice }));
    }

    fn print(&self) {
        let text = |step: &Value, name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        for step in &self.steps {
            println!("{:<7} {:<12} {}", text(step, "status"), text(step, "step"), text(step, "detail"));
            let advice = text(step, "advice");
            if !advice.is_empty() {
                println!("{:<20} -> {advice}", "");
            }
        }
    }
}

/// Name, connection, TLS and token of a vault that speaks HTTPS. Ends at the first that fails.
async fn remote(report: &mut Report, url: &str) {
    let parsed = Url::parse(url).ok().filter(|url| url.scheme() == "https");
    let Some((url, host)) = parsed.as_ref().and_then(|url| Some((url, url.host_str()?))) else {
        return report.failed("url", Class::Usage, "it is not a URL", "a vault's URL is https://HOST[:PORT]");
    };
    report.ok("url", &format!("https://{host}:{}", url.port_or_known_default().unwrap_or(443)));
    if !connection(report, url, host).await {
        return;
    }
    let Some(scope) = tls(report, url, host).await else { return };
    token(report, &scope).await;
}

/// To the vault's own name, or to the proxy's where one is set.
async fn connection(report: &mut Report, url: &Url, host: &str) -> bool {
    let matcher = hyper_util::client::proxy::matcher::Matcher::from_env();
    let proxy = url.as_str().parse().ok().and_then(|uri: http::Uri| matcher.intercept(&uri));
    let proxy = proxy.as_ref().and_then(|proxy| {
        let uri = proxy.uri();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(usual)))
    });
    let (named, (host, port)) = match proxy {
        Some((host, port)) => (format!("the proxy {host}:{port}"), (host, port)),
        None => (host.to_owned(), (host.to_owned(), url.port_or_known_default().unwrap_or(443))),
    };
    let found = match timeout(PATIENCE, lookup_host((host.trim_matches(['[', ']']), port))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if found.is_empty() {
        let advice = "check the vault's name and the DNS server; for the development server use the variables of \
                      `strongroom env --proxy`, or run `strongroom hosts install NAME`";
        report.failed("name", Class::Unavailable, &format!("{named} has no address"), advice);
        return false;
    }
    let addresses: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    report.ok("name", &format!("{named} is {}", addresses.join(", ")));
    match timeout(PATIENCE, TcpStream::connect(found.as_slice())).await {
        Ok(Ok(_)) => {
            report.ok("connection", &format!("port {port} answers"));
            true
        }
        other => {
            let why = other.map_or_else(
                |_elapsed| "no answer in time".to_owned(),
                |result| match result {
                    Err(fault) => fault.to_string(),
                    Ok(_) => String::new(),
                },
            );
            let advice = "is the server running, and is this its port? A firewall or a private endpoint may stand \
                          between; HTTPS_PROXY and NO_PROXY say which way is taken";
            report.failed("connection", Class::Unavailable, &format!("port {port}: {why}"), advice);
            false
        }
    }
}

/// TLS, and the challenge that a request without a token gets: the scope of tokens.
async fn tls(report: &mut Report, url: &Url, host: &str) -> Option<String> {
    let client = reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none());
    let client = match client.tls_info(true).timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(fault) => {
            report.failed("tls", Class::Other, &causes(&fault), "check SSL_CERT_FILE and SSL_CERT_DIR");
            return None;
        }
    };
    let mut request = url.clone();
    request.set_path("/secrets");
    request.set_query(Some("api-version=7.4&maxresults=1"));
    let answer = match client.get(request).send().await {
        Ok(answer) => answer,
        Err(fault) => {
            let advice = "if the certificate's authority is your own, name it in SSL_CERT_FILE (the development \
                          server's is in its folder, ca.pem)";
            report.failed("tls", Class::Unavailable, &causes(&fault.without_url()), advice);
            return None;
        }
    };
    let certificate = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    let certificate = certificate.and_then(|der| X509Certificate::from_der(der).ok());
    report.ok(
        "tls",
        &certificate.map_or_else(
            || "the certificate is trusted".to_owned(),
            |(_, certificate)| {
                let until = moment(certificate.validity().not_after.timestamp());
                format!("certificate of {}, valid until {until}", certificate.issuer())
            },
        ),
    );
    if answer.status() != StatusCode::UNAUTHORIZED {
        let detail = format!("a request without a token was answered with {}", answer.status());
        report.failed("challenge", Class::Other, &detail, "is this the URL of a vault?");
        return None;
    }
    let header = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match challenge_scope(header, host) {
        Ok(scope) => {
            report.ok("challenge", &format!("tokens are for {scope}"));
            Some(scope)
        }
        Err(fault) => {
            report.failed("challenge", Class::Other, &fault.message, "is this the URL of a vault?");
            None
        }
    }
}

/// Gets a token, and says whose it is.
async fn token(report: &mut Report, scope: &str) {
    let advice = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run `az login`";
    let credential = match credential() {
        Ok(credential) => credential,
        Err(why) => return report.failed("token", Class::NotAuthenticated, &why, advice),
    };
    match timeout(PATIENCE.saturating_mul(3), credential.get_token(&[scope], None)).await {
        Ok(Ok(token)) => report.ok("token", &holder(token.token.secret())),
        Ok(Err(fault)) => report.failed("token", Class::NotAuthenticated, &causes(&fault), advice),
        Err(_elapsed) => report.failed("token", Class::Unavailable, "the login service does not answer", advice),
    }
}

/// Whose a token is, by its claims, which nobody checked: the vault does.
fn holder(token: &str) -> String {
    let payload = token.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok());
    let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    let Some(claims) = claims else { return "it cannot be looked into".to_owned() };
    let claim = |names: &[&str]| {
        let found = names.iter().find_map(|name| claims.get(*name).and_then(Value::as_str));
        found.unwrap_or("unknown").to_owned()
    };
    let expires = claims.get("exp").and_then(Value::as_i64).map(moment).unwrap_or_default();
    format!(
        "tenant {}, client id {}, object id {}, until {expires}",
        claim(&["tid"]),
        claim(&["appid", "azp"]),
        claim(&["oid", "sub"])
    )
}

/// Opens the vault and lists, which needs a right of its own for each kind.
async fn rights(report: &mut Report, uri: &str) {
    let vault = match vault_uri::open(uri).await {
        Ok(vault) => vault,
        Err(why) => return report.failed("open", why.class, &why.message, "check the vault's URI"),
    };
    for (kind, role) in [(Kind::Secret, "Key Vault Secrets User"), (Kind::Key, "Key Vault Crypto User")] {
        list(report, &*vault, kind, role).await;
    }
}

async fn list(report: &mut Report, vault: &dyn Vault, kind: Kind, role: &str) {
    let step = kind.collection();
    match vault.list(&cx(), &Listing::Live(kind), 1, None).await {
        Ok(page) => {
            let found = if page.items.is_empty() { "there are none" } else { "there are some" };
            report.ok(step, &format!("may be listed; {found}"));
        }
        Err(fault) => {
            let failure = Failure::from(fault.clone());
            let advice = match failure.class {
                Class::Forbidden => {
                    format!("assign a role, such as \"{role}\", to the object id above (`strongroom role assign`)")
                }
                Class::NotFound => "check the vault's name".to_owned(),
                Class::NotAuthenticated => "the vault does not accept the token: is it the vault's tenant?".to_owned(),
                _ => "try again; the server's log tells more".to_owned(),
            };
            report.failed(step, failure.class, &fault.message, &advice);
        }
    }
}

/// What happened, and why.
fn causes(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_token_is_and_never_the_token() {
        let claims = base64url::encode(br#"{"tid":"t-1","azp":"c-1","oid":"o-1","exp":0}"#);
        let shown = holder(&format!("head.{claims}.signature"));
        assert_eq!(shown, "tenant t-1, client id c-1, object id o-1, until 1970-01-01T00:00:00Z");
        for bad in ["", "a.b", "a.!.c", "opaque-token"] {
            assert_eq!(holder(bad), "it cannot be looked into", "{bad}");
        }
    }
}
