//! The agent, as OpenSSH sees it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use strongroom::keys::{Curve, KeySpec, VaultKey};
use strongroom::ssh_agent::{Agent, AgentSocket, authorized_key};
use strongroom_store::conformance::skipped;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::programs::{P256, P384, P521, RSA, file};

/// A vault with a key of each kind, and an agent that serves them.
async fn agent(folder: &Path) -> (Vec<VaultKey>, PathBuf) {
    let vault = strongroom::open("memory:").await.unwrap();
    let mut keys = Vec::new();
    for (name, spec) in
        [("rsa", RSA), ("p256", P256), ("p384", P384), ("p521", P521), ("koblitz", KeySpec::Ec(Curve::P256K))]
    {
        let key = VaultKey::new(Arc::clone(&vault), name).unwrap();
        key.create(spec).await.unwrap();
        keys.push(key);
    }
    let koblitz = keys.pop().unwrap();
    assert!(authorized_key(&koblitz).await.is_err());
    let agent = Agent::of_vault(&vault).await.unwrap();
    assert_eq!(agent.len(), 4);
    let socket = AgentSocket::bind(&folder.join("agent/socket")).unwrap();
    let path = socket.path().to_owned();
    tokio::spawn(agent.serve(socket));
    (keys, path)
}

async fn ssh(program: &str, arguments: &[&str], socket: &Path, input: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).env("SSH_AUTH_SOCK", socket);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take().unwrap().write_all(input).await);
    child.wait_with_output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn ssh_add_lists_the_keys_of_a_vault() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = agent(folder.path()).await;
    let listed = said(&ssh("ssh-add", &["-L"], &socket, b"").await);
    for key in &keys {
        let line = authorized_key(key).await.unwrap();
        assert!(listed.contains(&line), "{listed}\n{line}");
    }
    let fingerprints = said(&ssh("ssh-add", &["-l"], &socket, b"").await);
    for wanted in ["2048 SHA256:", "256 SHA256:", "384 SHA256:", "521 SHA256:", "p521 (ECDSA)", "rsa (RSA)"] {
        assert!(fingerprints.contains(wanted), "{fingerprints}");
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn ssh_keygen_signs_by_the_agent_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = agent(folder.path()).await;
    for key in &keys {
        let line = authorized_key(key).await.unwrap();
        let public = file(folder.path(), "key.pub", &line);
        let signature = ssh("ssh-keygen", &["-Y", "sign", "-n", "file", "-f", &public], &socket, b"message").await;
        assert!(signature.status.success(), "{}", said(&signature));
        let signature = file(folder.path(), "message.sig", &signature.stdout);
        let signers = file(folder.path(), "signers", format!("alice {line}\n"));
        let arguments = ["-Y", "verify", "-n", "file", "-f", &signers, "-I", "alice", "-s", &signature];
        let good = ssh("ssh-keygen", &arguments, &socket, b"message").await;
        assert!(good.status.success(), "{}: {}", key.name(), said(&good));
        assert!(!ssh("ssh-keygen", &arguments, &socket, b"another").await.status.success());
    }
}

#[tokio::test]
async fn ssh_add_finds_elliptic_signatures_good() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = agent(folder.path()).await;
    // Some versions of ssh-add test RSA with SHA-1.
    for key in &keys[1..] {
        let public = file(folder.path(), "key.pub", authorized_key(key).await.unwrap());
        let tested = ssh("ssh-add", &["-T", &public], &socket, b"").await;
        assert!(tested.status.success(), "{}: {}", key.name(), said(&tested));
    }
}

#[tokio::test]
async fn keys_cannot_be_added_removed_or_locked_by_clients() {
    let folder = tempfile::tempdir().unwrap();
    let (_keys, socket) = agent(folder.path()).await;
    let own = folder.path().join("own").to_str().unwrap().to_owned();
    assert!(ssh("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", &own], &socket, b"").await.status.success());
    assert!(!ssh("ssh-add", &[&own], &socket, b"").await.status.success());
    assert!(!ssh("ssh-add", &["-D"], &socket, b"").await.status.success());
    let listed = said(&ssh("ssh-add", &["-l"], &socket, b"").await);
    assert_eq!(listed.lines().count(), 4, "{listed}");
}

/// One message to the agent; the first byte of its answer, or `None` when it hung up.
async fn ask(socket: &Path, message: &[u8]) -> Option<u8> {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = u32::try_from(message.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await.unwrap();
    let answer_length = stream.read_u32().await.ok()?;
    let mut answer = vec![0; answer_length as usize];
    stream.read_exact(&mut answer).await.unwrap();
    answer.first().copied()
}

#[tokio::test]
async fn malformed_messages_and_sha_1_are_refused_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = agent(folder.path()).await;
    for wrong in
        [&[13][..], &[13, 0, 0, 0, 9, 1], &[13, 255, 255, 255, 255], &[0], &[27, 0, 0, 0, 1, 65], &[17], &[255]]
    {
        assert_eq!(ask(&socket, wrong).await, Some(5), "{wrong:?}");
    }
    assert_eq!(ask(&socket, b"").await, None, "an empty message");
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    stream.write_all(&[0xff; 4]).await.unwrap();
    assert!(stream.read_u32().await.is_err(), "4 GiB are announced");

    // An RSA signature without a flag is one with SHA-1.
    let line = authorized_key(&keys[0]).await.unwrap();
    let blob =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line.split(' ').nth(1).unwrap()).unwrap();
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    for (flags, answer) in [(0_u32, 5), (2, 14), (4, 14)] {
        let request = [&[13][..], &string(&blob), &string(b"data"), &flags.to_be_bytes()].concat();
        assert_eq!(ask(&socket, &request).await, Some(answer), "{flags}");
    }
    assert_eq!(ask(&socket, &[11]).await, Some(12));
}

#[tokio::test]
async fn the_socket_needs_a_folder_of_its_own_and_goes_with_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = AgentSocket::bind(&open.join("socket")).unwrap_err();
    assert!(refused.to_string().contains("0700"), "{refused}");
    let socket = AgentSocket::bind(&folder.path().join("own/socket")).unwrap();
    let path = socket.path().to_owned();
    assert!(AgentSocket::bind(&path).is_err(), "there is one already");
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_process_of_another_user_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let (_keys, socket) = agent(folder.path()).await;
    let what = "the ssh-agent's check of the peer's user";
    if std::fs::metadata(&socket).unwrap().uid() != 0 {
        return skipped(what, "needs root to become another user");
    }
    // Even where the modes would let it: the check is by the peer's uid.
    for (path, mode) in [(folder.path(), 0o755), (socket.parent().unwrap(), 0o755), (&*socket, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = Command::new("ssh-add");
    let output = command.arg("-l").env("SSH_AUTH_SOCK", &socket).uid(65_534).output().await.unwrap();
    assert!(!said(&output).contains("SHA256"), "{}", said(&output));
    assert!(said(&ssh("ssh-add", &["-l"], &socket, b"").await).contains("SHA256"));
}

/// Kills a server that a test started.
struct Daemon(tokio::process::Child);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_sshd_lets_in_whoever_the_agent_signs_for() {
    const SSHD: &str = "/usr/sbin/sshd";
    if !Path::new(SSHD).exists() {
        return skipped("a login at sshd by the ssh-agent", "openssh-server is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = agent(folder.path()).await;
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = ssh("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", &at("host")], &socket, b"").await;
    assert!(made.status.success());
    let mut lines = String::new();
    for key in &keys {
        lines += &(authorized_key(key).await.unwrap() + "\n");
    }
    let authorized = file(folder.path(), "authorized_keys", lines);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = file(
        folder.path(),
        "sshd_config",
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {authorized}\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile {}\nPermitRootLogin yes\n",
            at("host"),
            at("pid"),
        ),
    );
    if std::fs::metadata(&socket).unwrap().uid() == 0 {
        // Where it locks itself in before a login; made at boot where it runs as a service.
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let mut command = Command::new(SSHD);
    command.args(["-D", "-e", "-f", &config]).kill_on_drop(true).stderr(std::process::Stdio::null());
    let _daemon = Daemon(command.spawn().unwrap());
    let user = String::from_utf8(Command::new("id").arg("-un").output().await.unwrap().stdout).unwrap();
    for key in &keys {
        let public = file(folder.path(), "one.pub", authorized_key(key).await.unwrap());
        let (port, login) = (port.to_string(), format!("{}@127.0.0.1", user.trim()));
        let mut arguments = vec!["-F", "none", "-p", &port, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
        arguments.extend(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-i", &public]);
        arguments.extend(["-o", "ConnectionAttempts=20", &login, "echo", "let", "in"]);
        let output = ssh("ssh", &arguments, &socket, b"").await;
        assert!(said(&output).contains("let in"), "{}: {}", key.name(), said(&output));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.start_kill());
    }
}
