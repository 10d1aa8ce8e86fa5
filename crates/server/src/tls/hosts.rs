//! Whether local names resolve, and the lines of a hosts file that make them.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};

use super::atomic;
use super::names;

const BEGIN: &str = "# strongroom begin";
const END: &str = "# strongroom end";

/// Why a hosts file was not edited.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// A name that must not go into a hosts file.
    #[error("{0:?} is not a host name")]
    BadName(String),
    /// One of the marker lines lacks the other.
    #[error("{}: the lines {BEGIN:?} and {END:?} are not a pair; repair the file by hand", path.display())]
    Markers {
        /// The hosts file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{}: {fault}", path.display())]
    File {
        /// The hosts file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        fault: io::Error,
    },
}

/// Whether `name` resolves on this machine, to loopback addresses only. Blocks while the resolver works.
#[must_use]
pub fn resolves(name: &str) -> bool {
    let Ok(mut addresses) = (name, 443).to_socket_addrs().map(Iterator::peekable) else { return false };
    addresses.peek().is_some() && addresses.all(|address| address.ip().to_canonical().is_loopback())
}

/// The lines of a hosts file for `names`, markers included; names are sorted, and each is once.
///
/// # Errors
/// [`HostsError::BadName`] for what is no host name.
pub fn hosts_lines<S: AsRef<str>>(names: &[S]) -> Result<String, HostsError> {
    checked(names).map(|names| block(&names))
}

/// Adds `names` to the lines between the markers in the hosts file `path`, and leaves all else as it is.
/// Doing it again changes nothing. True when the file was changed.
///
/// # Errors
/// For a bad name, for markers that are not a pair, and when the file cannot be read or written.
pub fn install_hosts<S: AsRef<str>>(path: &Path, names: &[S]) -> Result<bool, HostsError> {
    let mut names = checked(names)?;
    let file = |fault| HostsError::File { path: path.to_owned(), fault };
    // The file itself, not a link to it.
    let path = &fs::canonicalize(path).map_err(file)?;
    let old = fs::read_to_string(path).map_err(file)?;
    let new = edited(&old, &mut names).ok_or_else(|| HostsError::Markers { path: path.clone() })?;
    if new == old {
        return Ok(false);
    }
    write(path, new.as_bytes()).map_err(file)?;
    Ok(true)
}

fn checked<S: AsRef<str>>(names: &[S]) -> Result<BTreeSet<String>, HostsError> {
    let check = |name: &S| {
        let name = names::canonical(name.as_ref());
        if names::is_host_name(&name) { Ok(name) } else { Err(HostsError::BadName(name)) }
    };
    names.iter().map(check).collect()
}

fn block(names: &BTreeSet<String>) -> String {
    let lines = names.iter().map(|name| format!("127.0.0.1 {name}\n::1 {name}\n"));
    format!("{BEGIN}\n{}{END}\n", lines.collect::<String>())
}

/// `old` with the block of `names` and of those that it has already; `None` when the markers are not a pair.
fn edited(old: &str, names: &mut BTreeSet<String>) -> Option<String> {
    let marker = |marker: &str| old.lines().filter(|line| line.trim_end() == marker).count();
    match (marker(BEGIN), marker(END)) {
        (0, 0) => {
            let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
            return Some(format!("{old}{gap}{}", block(names)));
        }
        (1, 1) => {}
        _ => return None,
    }
    let (mut before, mut after, mut inside, mut ended) = (String::new(), String::new(), false, false);
    for line in old.split_inclusive('\n') {
        match line.trim_end() {
            BEGIN if ended => return None,
            BEGIN => inside = true,
            END if !inside => return None,
            END => (inside, ended) = (false, true),
            entry if inside => names.extend(entry.split_ascii_whitespace().skip(1).map(str::to_owned)),
            _ if ended => after.push_str(line),
            _ => before.push_str(line),
        }
    }
    Some(format!("{before}{}{after}", block(names)))
}

/// Atomically where the folder allows it; a bind-mounted `/etc/hosts`, as in containers, can only be overwritten.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    match atomic::replace(path, content, mode(path)) {
        Err(fault) if matches!(fault.kind(), CrossesDevices | PermissionDenied | ReadOnlyFilesystem | ResourceBusy) => {
            overwrite(path, content)
        }
        outcome => outcome,
    }
}

/// Writes first and cuts the rest off after, so that a full disk does not empty the file.
fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(content)?;
    file.set_len(u64::try_from(content.len()).map_err(io::Error::other)?)?;
    file.sync_all()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0o644
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_is_edited_between_markers_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "127.0.0.1 localhost\n10.0.0.1 db").unwrap();
        assert!(install_hosts(&path, &["dev.vault.localhost"]).unwrap());
        assert!(!install_hosts(&path, &["DEV.vault.localhost."]).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}10.0.0.2 later\n")).unwrap();
        assert!(install_hosts(&path, &["login.localhost"]).unwrap());
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "127.0.0.1 localhost\n10.0.0.1 db\n# strongroom begin\n127.0.0.1 dev.vault.localhost\n\
             ::1 dev.vault.localhost\n127.0.0.1 login.localhost\n::1 login.localhost\n# strongroom end\n\
             10.0.0.2 later\n"
        );
    }

    #[test]
    fn broken_markers_and_bad_names_leave_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        for text in [format!("{BEGIN}\n10.0.0.1 a\n"), format!("{END}\n{BEGIN}\n"), format!("{END}\n")] {
            fs::write(&path, &text).unwrap();
            assert!(matches!(install_hosts(&path, &["a.localhost"]), Err(HostsError::Markers { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(matches!(install_hosts(&path, &["a\n10.0.0.1 b"]), Err(HostsError::BadName(_))));
        assert!(hosts_lines(&["*.vault.localhost"]).is_err());
        assert!(install_hosts(&folder.path().join("none"), &["a"]).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "a long line that is longer than the new one\n").unwrap();
        overwrite(&path, b"short\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
    }

    #[test]
    fn only_loopback_counts_as_resolved() {
        assert!(resolves("localhost"));
        assert!(resolves("127.0.0.1"));
        assert!(!resolves("192.0.2.1"));
        assert!(!resolves("no-such-name.invalid"));
    }
}
