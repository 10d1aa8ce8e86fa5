//! A production installation in a folder of its own: configuration, certificate, seal.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::client::{Client, Login};
use crate::process::{Running, private_file, strongroom, succeed, text, until};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT_ID: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub(crate) const OBJECT_ID: &str = "aaaaaaaa-0000-0000-0000-000000000002";
const CLIENT_SECRET: &str = "the-secret-of-the-shop~1";

/// The files of an installation.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) port: u16,
    pub(crate) health: u16,
}

/// A free port. Another process may take it before it is used; that has to be lived with.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Site {
    /// With a passphrase for a seal, and `more` at the head of the configuration.
    pub(crate) fn new(folder: &Path, more: &str) -> Self {
        let site = Self {
            folder: folder.to_owned(),
            config: folder.join("strongroom.toml"),
            data: folder.join("data"),
            port: free_port(),
            health: free_port(),
        };
        site.new_certificate();
        private_file(&site.path("passphrase"), b"correct horse battery\n");
        private_file(&site.path("shop.secret"), CLIENT_SECRET.as_bytes());
        let path = |name: &str| site.path(name).display().to_string();
        let config = format!(
            r#"
            data = "{data}"
            listen = ["127.0.0.1:{port}"]
            domain = "rooms.test"
            health = "127.0.0.1:{health}"
            {more}
            [tls]
            certificate = "{certificate}"
            key = "{key}"
            [seal]
            kind = "passphrase"
            file = "{passphrase}"
            [tenant]
            id = "{TENANT}"
            [[vault]]
            name = "production"
            [[application]]
            name = "shop"
            client_id = "{CLIENT_ID}"
            object_id = "{OBJECT_ID}"
            secret_file = "{secret}"
            [[role_assignment]]
            role = "Key Vault Administrator"
            principal = "shop"
            scope = "production"
            "#,
            data = site.data.display(),
            port = site.port,
            health = site.health,
            certificate = path("tls.pem"),
            key = path("tls.key"),
            passphrase = path("passphrase"),
            secret = path("shop.secret"),
        );
        fs::write(&site.config, config).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A certificate from a new authority, which is written to `ca.pem`.
    pub(crate) fn new_certificate(&self) {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        fs::write(self.path("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let names = ["*.vault.rooms.test".to_owned(), "login.rooms.test".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(self.path("tls.pem"), leaf.pem()).unwrap();
        private_file(&self.path("tls.key"), key.serialize_pem().as_bytes());
    }

    /// Replaces a part of the configuration.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let config = fs::read_to_string(&self.config).unwrap();
        assert!(config.contains(from));
        fs::write(&self.config, config.replace(from, to)).unwrap();
    }

    pub(crate) fn init(&self) -> String {
        succeed(&["init", "--config", text(&self.config)])
    }

    /// A command of the installation's.
    pub(crate) fn arguments<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [words, &["--config", text(&self.config)]].concat()
    }

    pub(crate) fn run(&self, words: &[&str]) -> String {
        succeed(&self.arguments(words))
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Running {
        self.serve_by(strongroom())
    }

    /// The same, with an environment of its own.
    pub(crate) fn serve_by(&self, mut command: Command) -> Running {
        command.args(["serve", "--config", text(&self.config)]);
        let mut server = Running::start_quiet(command, &self.path("log"));
        until("the server is ready", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", server.log());
            }
            (self.health("ready").is_some_and(|(status, _)| status == 200)).then_some(())
        });
        server
    }

    /// Status and body of a health endpoint.
    pub(crate) fn health(&self, which: &str) -> Option<(u16, String)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.health)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let request = format!("GET /healthz/{which} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.rsplit("\r\n\r\n").next()?.to_owned()))
    }

    /// The shop's client id, and its secret at first.
    pub(crate) fn shop(&self) -> (&'static str, &'static str) {
        (CLIENT_ID, CLIENT_SECRET)
    }

    /// Logs in as the shop.
    pub(crate) async fn client(&self) -> Client {
        self.client_of(CLIENT_ID, CLIENT_SECRET).await
    }

    pub(crate) async fn client_of(&self, client_id: &str, client_secret: &str) -> Client {
        let ca_pem = fs::read(self.path("ca.pem")).unwrap();
        self.login(&ca_pem, client_id, client_secret).client("production").await
    }

    pub(crate) fn login<'a>(&'a self, ca_pem: &'a [u8], client_id: &'a str, client_secret: &'a str) -> Login<'a> {
        Login { ca_pem, domain: "rooms.test", port: self.port, tenant: TENANT, client_id, client_secret }
    }
}
