//! Where a TPM is, and the wire to it: a device, or the socket of a TPM in software.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::fault::Fault;
use crate::open::{OpenError, VaultUri};

/// The kernel's resource manager, and the TPM without one.
const DEVICES: [&str; 2] = ["/dev/tpmrm0", "/dev/tpm0"];
const CONNECT: Duration = Duration::from_secs(5);
/// RSA keys take a TPM up to a minute, and others may be before us.
const ANSWER: Duration = Duration::from_secs(180);
const HEADER_LEN: usize = 10;
/// No answer is longer (`TPM2_MAX_RESPONSE_SIZE`).
const MAX_RESPONSE: usize = 4096;
const FORMS: &str = "tpm2: names a TPM as tpm2: (the machine's own), tpm2:/dev/tpmrm0, tpm2://HOST:PORT, \
                     tpm2:swtpm:host=HOST,port=PORT or tpm2:unix:/SOCKET";

/// Where a TPM is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Device(PathBuf),
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Address {
    pub(super) fn parse(uri: &VaultUri) -> Result<Self, OpenError> {
        let wrong = || OpenError::Uri(FORMS.to_owned());
        let path = uri.path();
        let path = path.strip_prefix("device:").unwrap_or(path);
        if path.is_empty() {
            let [managed, plain] = DEVICES.map(Path::new);
            return Ok(Self::Device(if managed.exists() || !plain.exists() { managed } else { plain }.to_owned()));
        }
        if let Some(authority) = path.strip_prefix("//") {
            let (host, port) = authority.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            return match port.parse() {
                Ok(port) if !host.is_empty() => Ok(Self::Tcp(host.to_owned(), port)),
                _ => Err(wrong()),
            };
        }
        if let Some(socket) = path.strip_prefix("unix:") {
            return if socket.is_empty() { Err(wrong()) } else { Ok(Self::Unix(PathBuf::from(socket))) };
        }
        if let Some(settings) = path.strip_prefix("swtpm:") {
            // As the TCTI of tpm2-tss has them, with its defaults.
            let (mut host, mut port) = ("localhost".to_owned(), 2321);
            for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
                match setting.split_once('=').ok_or_else(wrong)? {
                    ("host", name) => name.clone_into(&mut host),
                    ("port", number) => port = number.parse().map_err(|_fault| wrong())?,
                    ("path", socket) => return Ok(Self::Unix(PathBuf::from(socket))),
                    _ => return Err(wrong()),
                }
            }
            return Ok(Self::Tcp(host, port));
        }
        if path.starts_with('/') { Ok(Self::Device(PathBuf::from(path))) } else { Err(wrong()) }
    }

    /// Does it serve one connection at a time, without a resource manager?
    pub(super) fn exclusive(&self) -> bool {
        match self {
            Self::Device(path) => !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"tpmrm")),
            Self::Tcp(..) | Self::Unix(_) => true,
        }
    }

    pub(super) fn connect(&self) -> Result<Link, Fault> {
        let opened = match self {
            Self::Device(path) => OpenOptions::new().read(true).write(true).open(path).map(Wire::Device),
            Self::Tcp(host, port) => tcp(host, *port).map(Wire::Tcp),
            Self::Unix(path) => UnixStream::connect(path).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(CONNECT))?;
                Ok(Wire::Unix(stream))
            }),
        };
        let wire = opened.map_err(|fault| self.away(&fault))?;
        Ok(Link { wire, address: self.clone() })
    }

    fn away(&self, fault: &io::Error) -> Fault {
        let why = match (self, fault.kind()) {
            (Self::Device(_), io::ErrorKind::PermissionDenied) => {
                format!("{fault}; the user who runs this has to be in the group tss")
            }
            (Self::Device(_), io::ErrorKind::NotFound) => {
                format!("{fault}; is there a TPM, and is it on in the setup?")
            }
            _ => fault.to_string(),
        };
        Fault::Away(self.to_string(), why)
    }

    fn gone(&self, fault: &io::Error) -> Fault {
        match fault.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Slow(self.to_string()),
            _ => Fault::Gone(self.to_string(), fault.to_string()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) | Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(CONNECT))?;
                return Ok(stream);
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// An open connection.
pub(super) struct Link {
    wire: Wire,
    address: Address,
}

enum Wire {
    Device(File),
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    /// Sends a command, waits for the answer.
    pub(super) fn exchange(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut answer = Zeroizing::new(vec![0; MAX_RESPONSE]);
        let length = match &mut self.wire {
            // A device gives its answer in one piece.
            Wire::Device(file) => file.write_all(command).and_then(|()| file.read(&mut answer)),
            Wire::Tcp(stream) => through(stream, command, &mut answer),
            Wire::Unix(stream) => through(stream, command, &mut answer),
        };
        let length = length.map_err(|fault| self.address.gone(&fault))?;
        answer.truncate(length);
        if announced(&answer) != Some(length) {
            return Err(Fault::Malformed("its answer has another length than it says"));
        }
        Ok(answer)
    }
}

fn through(stream: &mut (impl io::Read + io::Write), command: &[u8], answer: &mut [u8]) -> io::Result<usize> {
    stream.write_all(command)?;
    stream.flush()?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not a TPM's");
    let (header, rest) = answer.split_at_mut_checked(HEADER_LEN).ok_or_else(invalid)?;
    stream.read_exact(header)?;
    let length = announced(header).ok_or_else(invalid)?;
    let rest = length.checked_sub(HEADER_LEN).and_then(|length| rest.get_mut(..length)).ok_or_else(invalid)?;
    stream.read_exact(rest)?;
    Ok(length)
}

/// The length in the header of an answer.
fn announced(answer: &[u8]) -> Option<usize> {
    let length = answer.get(2..6)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length >= HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let parse = |uri: &str| Address::parse(&VaultUri::parse(uri).unwrap());
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        assert_eq!(parse("tpm2://127.0.0.1:2321?vault=v").unwrap(), tcp("127.0.0.1", 2321));
        assert_eq!(parse("tpm2://[::1]:9").unwrap(), tcp("::1", 9));
        assert_eq!(parse("tpm2:swtpm:host=box,port=7").unwrap(), tcp("box", 7));
        assert_eq!(parse("tpm2:swtpm:").unwrap(), tcp("localhost", 2321));
        assert_eq!(parse("tpm2:swtpm:path=/run/x").unwrap(), parse("tpm2:unix:/run/x").unwrap());
        let device = parse("tpm2:/dev/tpmrm0").unwrap();
        assert_eq!(device, parse("tpm2:device:/dev/tpmrm0").unwrap());
        assert!(!device.exclusive() && parse("tpm2:/dev/tpm0").unwrap().exclusive());
        assert!(matches!(parse("tpm2:").unwrap(), Address::Device(_)));
        for wrong in ["tpm2://host", "tpm2://:1", "tpm2://h:x", "tpm2:swtpm:x=1", "tpm2:unix:", "tpm2:dev/tpm0"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
