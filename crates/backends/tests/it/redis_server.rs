//! A redis-server of a test's own: in a folder, on a free port, ended with it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use strongroom_backends::RedisRecords;
use strongroom_backends::open::VaultUri;
use strongroom_backends::redis::RedisSettings;
use strongroom_store::conformance::skipped;
use tempfile::TempDir;

/// The passphrase of vaults under test.
pub(crate) const PASSPHRASE: &str = "a passphrase of tests";

pub(crate) struct RedisServer {
    folder: TempDir,
    child: Child,
    pub(crate) port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    /// With every write on the disk before it is acknowledged.
    pub(crate) fn start() -> Option<Self> {
        Self::with(|_folder, port| {
            ["--port", port, "--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned).to_vec()
        })
    }

    /// With arguments of the test's choice; `None` when there is no redis-server here.
    pub(crate) fn with(arguments: impl FnOnce(&Path, &str) -> Vec<String>) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let arguments = arguments(folder.path(), &port.to_string());
        let Some(child) = launch(folder.path(), &arguments) else {
            skipped("redis", "there is no redis-server");
            return None;
        };
        let server = Self { folder, child, port, arguments };
        server.wait();
        Some(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = launch(self.folder.path(), &self.arguments).unwrap();
        self.wait();
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A vault's URI; `more` is added to the query.
    pub(crate) fn uri(&self, more: &str) -> String {
        let passphrase = self.folder.path().join("passphrase");
        std::fs::write(&passphrase, PASSPHRASE).unwrap();
        format!("redis://127.0.0.1:{}?passphrase-file={}{more}", self.port, passphrase.display())
    }

    pub(crate) async fn records(&self) -> RedisRecords {
        connect(&format!("redis://127.0.0.1:{}", self.port)).await.unwrap()
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "redis-server did not start");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) async fn connect(uri: &str) -> Result<RedisRecords, String> {
    let settings = VaultUri::parse(uri).and_then(|uri| RedisSettings::from_uri(&uri)).map_err(|f| f.to_string())?;
    RedisRecords::connect(&settings).await.map_err(|fault| fault.to_string())
}

/// Every byte of every file under a folder, at any depth.
pub(crate) fn all_bytes(folder: &Path) -> Vec<u8> {
    let (mut bytes, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() { folders.push(entry) } else { bytes.extend(std::fs::read(entry).unwrap()) }
        }
    }
    bytes
}

fn launch(folder: &Path, arguments: &[String]) -> Option<Child> {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .ok()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
