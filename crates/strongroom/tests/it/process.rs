//! Running the binary.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary, with nothing of the caller's environment that it could listen to.
pub(crate) fn strongroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", std::env::temp_dir());
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    strongroom().args(arguments).output().unwrap()
}

/// Runs it, and gives what it printed; it has to succeed.
#[track_caller]
pub(crate) fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it; it has to fail, not by a signal or a panic, and say each of `words`.
#[track_caller]
pub(crate) fn fail(arguments: &[&str], words: &[&str]) {
    let output = run(arguments);
    assert_refusal(&output, words);
}

#[track_caller]
pub(crate) fn assert_refusal(output: &Output, words: &[&str]) {
    assert_failure(output, 1, words);
}

/// It ended with this code, and said that.
#[track_caller]
pub(crate) fn assert_failure(output: &Output, code: i32, words: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A running server; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) log: PathBuf,
    // Open for as long as the process may write to it.
    _stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts `command` and waits until it prints a line with `ready` in it. It logs into `log`.
    pub(crate) fn start(mut command: Command, log: &Path, ready: &str) -> Self {
        let errors = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(ready) {
            line.clear();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("it ended with {status}: {}", fs::read_to_string(log).unwrap());
            }
        }
        Self { child, log: log.to_owned(), _stdout: Some(stdout) }
    }

    /// A process that was started, and whose output is held open.
    pub(crate) fn of(child: Child, log: PathBuf, stdout: BufReader<ChildStdout>) -> Self {
        Self { child, log, _stdout: Some(stdout) }
    }

    /// Starts `command`, which prints nothing. It logs into `log`.
    pub(crate) fn start_quiet(mut command: Command, log: &Path) -> Self {
        let errors = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        Self { child, log: log.to_owned(), _stdout: None }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the process ends", || self.child.try_wait().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "waited 30 s until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `strongroom dev` in a folder.
pub(crate) struct Dev {
    pub(crate) folder: PathBuf,
    pub(crate) process: Running,
    /// The direct environment file.
    pub(crate) variables: HashMap<String, String>,
}

impl Dev {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// With more arguments. It logs beside its folder, not in it.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = strongroom();
        command.args(["dev", "--port", "0", "--data", text(folder)]).args(arguments);
        let process = Running::start(command, &folder.with_extension("log"), "Stop with Ctrl-C");
        let variables = variables(&folder.join("strongroom.env"));
        Self { folder: folder.to_owned(), process, variables }
    }

    pub(crate) async fn client(&self) -> crate::client::Client {
        crate::client::dev_client(&self.variables).await
    }

    /// At its configuration store, with the connection string of the environment file.
    pub(crate) fn config(&self, client: &crate::client::Client) -> crate::client::ConfigClient {
        crate::client::ConfigClient::new(&client.http, &self.variables["AZURE_APPCONFIG_CONNECTION_STRING"])
    }

    /// Another one, in the same folder, after this one stopped as it should.
    pub(crate) fn restart(self) -> Self {
        let folder = self.folder.clone();
        assert!(self.process.stop().success());
        Self::start(&folder)
    }
}

/// The variables in an environment file.
pub(crate) fn variables(file: &Path) -> HashMap<String, String> {
    let content = fs::read_to_string(file).unwrap();
    let pairs = content.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// Keeps a file from all but its owner, as key files have to be.
pub(crate) fn private_file(path: &Path, content: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.unwrap().write_all(content).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
