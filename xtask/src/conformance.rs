//! The official clients against the release binary. Only environment variables differ from Azure.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::steps::Steps;

/// Languages, and the ways in that each is run with.
const SUITES: &[(&str, &[&str])] = &[
    ("python", &["proxy", "direct"]),
    ("rust", &["proxy"]),
    ("javascript", &["proxy", "direct"]),
    ("go", &["proxy", "direct"]),
    ("java", &["proxy", "direct"]),
];

/// Is there an official client of this language for the operation? For configuration stores (`A`)
/// the Rust crate is a placeholder.
fn has_client(language: &str, operation: &str) -> bool {
    !(language == "rust" && operation.starts_with('A'))
}

/// Builds the release binary, starts it, runs every suite, and writes the report.
pub(crate) fn run(steps: &mut Steps) {
    let built = steps.command("release build", "cargo", &["build", "--release", "--locked", "-p", "strongroom"], &[]);
    if !built {
        return;
    }
    // As the README has it: without naming the program.
    steps.command("the README's first command", "cargo", &["run", "--release", "--locked", "--", "--version"], &[]);
    let data = PathBuf::from("target/conformance-data");
    drop(fs::remove_dir_all(&data));
    let server = match Running::start(&data) {
        Ok(server) => server,
        Err(why) => {
            steps.check("start the server", || Err(why));
            return;
        }
    };
    for (language, modes) in SUITES {
        for mode in *modes {
            let file = data.join(if *mode == "proxy" { "strongroom-proxy.env" } else { "strongroom.env" });
            let file = fs::canonicalize(&file).unwrap_or(file);
            let suite = format!("conformance/{language}/run");
            let name = format!("conformance: {language}, {mode}");
            steps.command(&name, &suite, &["--mode", mode, "--env-file", &file.to_string_lossy()], &[]);
        }
    }
    drop(server);
    steps.check("operation report", report);
}

/// A server that is stopped when dropped.
struct Running(Child);

impl Running {
    fn start(data: &Path) -> Result<Self, String> {
        let program = Path::new("target/release/strongroom");
        let child = Command::new(program)
            .args(["dev", "--port", "18443", "--proxy-port", "18888", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|fault| fault.to_string())?;
        let mut server = Self(child);
        let deadline = Instant::now() + Duration::from_secs(30);
        // Written last, when the server answers.
        while !data.join("strongroom-proxy.env").exists() {
            if let Ok(Some(status)) = server.0.try_wait() {
                return Err(format!("the server ended with {status}"));
            }
            if Instant::now() > deadline {
                return Err("the server was not ready in 30 s".to_owned());
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        // A polite stop first: it is part of what is tested.
        drop(Command::new("kill").arg(&id).status());
        drop(self.0.wait());
    }
}

/// Operations by language, from the files that the suites leave; fails when one is not covered.
fn report() -> Result<(), String> {
    let operations = fs::read_to_string("conformance/operations.txt").map_err(|fault| fault.to_string())?;
    let operations: Vec<(&str, &str)> = operations
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once(char::is_whitespace).unwrap_or((line, "")))
        .collect();
    let mut columns = Vec::new();
    for (language, modes) in SUITES {
        for mode in *modes {
            let file = format!("conformance/report/{language}-{mode}.json");
            let text = fs::read_to_string(&file).map_err(|fault| format!("{file}: {fault}"))?;
            let value: serde_json::Value = serde_json::from_str(&text).map_err(|fault| format!("{file}: {fault}"))?;
            columns.push((*language, format!("{language}, {mode}"), value));
        }
    }
    let mut table = String::from("| operation | |");
    let mut rule = String::from("\n|---|---|");
    for (_, name, _) in &columns {
        let _ = write!(table, " {name} |");
        rule.push_str("---|");
    }
    table.push_str(&rule);
    let mut missing = Vec::new();
    for (id, name) in &operations {
        let _ = write!(table, "\n| {id} | {} |", name.trim());
        for (language, column, value) in &columns {
            if !has_client(language, id) {
                table.push_str(" no client |");
                continue;
            }
            let passed = value.get("operations").and_then(|all| all.get(*id)).and_then(|one| one.as_str());
            let passed = passed == Some("passed");
            if !passed {
                missing.push(format!("{id} in {column}"));
            }
            table.push_str(if passed { " passed |" } else { " - |" });
        }
    }
    table.push('\n');
    println!("{table}");
    fs::write("conformance/report/operations.md", &table).map_err(|fault| fault.to_string())?;
    if missing.is_empty() { Ok(()) } else { Err(format!("not covered: {}", missing.join(", "))) }
}
