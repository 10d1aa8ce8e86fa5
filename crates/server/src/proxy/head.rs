//! The head of an HTTP/1 request: read within bounds, and written again for one request only.
//!
//! It can hold credentials, so it has no `Debug`.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Fields that concern one connection (RFC 9110, 7.6.1), and the credentials for a proxy. The body goes
/// on as it came, so `Transfer-Encoding` and `Trailer` stay.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
    "http2-settings",
];

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// The client went away.
    Gone,
    /// It is longer than allowed.
    TooLarge,
    /// It is not HTTP/1.0 or HTTP/1.1.
    Malformed,
}

/// A request's head whose lines are known to be well-formed.
pub(super) struct Head {
    method: String,
    target: String,
    version: String,
    fields: Vec<Field>,
}

struct Field {
    /// Lower case.
    name: String,
    /// As it came, without its end.
    line: Vec<u8>,
}

/// Reads a head of at most `most` bytes. Also gives the bytes that came after it.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S, most: usize) -> Result<(Head, Vec<u8>), HeadError> {
    let mut bytes = Vec::new();
    let mut searched = 0_usize;
    loop {
        let more = stream.read_buf(&mut bytes).await.map_err(|_fault| HeadError::Gone)?;
        if let Some(end) = end_of_head(&bytes, searched) {
            if end > most {
                return Err(HeadError::TooLarge);
            }
            let rest = bytes.split_off(end);
            return parse(&bytes).map(|head| (head, rest)).ok_or(HeadError::Malformed);
        }
        match more {
            0 if bytes.is_empty() => return Err(HeadError::Gone),
            0 => return Err(HeadError::Malformed),
            _ if bytes.len() > most => return Err(HeadError::TooLarge),
            _ => searched = bytes.len().saturating_sub(3),
        }
    }
}

impl Head {
    pub(super) fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The head again, for `target` and without what concerns this connection. The other side is asked
    /// to close after its answer: the client's next request may be for another host. With `host`, the
    /// field `Host` is made from it, as RFC 9112, 3.2.2 demands.
    pub(super) fn for_one_request(&self, target: &str, host: Option<(&str, u16)>) -> Vec<u8> {
        let named: Vec<String> =
            self.fields.iter().filter(|field| field.name == "connection").flat_map(options).collect();
        let mut head = format!("{} {target} {}\r\n", self.method, self.version).into_bytes();
        if let Some((host, port)) = host {
            let port = if port == 80 { String::new() } else { format!(":{port}") };
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            head.extend(format!("Host: {host}{port}\r\n").into_bytes());
        }
        let goes = |field: &&Field| {
            HOP_BY_HOP.contains(&field.name.as_str())
                || named.contains(&field.name)
                || (host.is_some() && field.name == "host")
        };
        for field in self.fields.iter().filter(|field| !goes(field)) {
            head.extend(&field.line);
            head.extend(b"\r\n");
        }
        head.extend(b"Connection: close\r\n\r\n");
        head
    }
}

/// The names in a `Connection` field, but for those without which the message is no longer the same.
fn options(field: &Field) -> Vec<String> {
    let line = String::from_utf8_lossy(&field.line).to_ascii_lowercase();
    let value = line.split_once(':').map_or("", |(_name, value)| value);
    let names = value.split(',').map(|option| option.trim().to_owned());
    names.filter(|name| !matches!(name.as_str(), "host" | "content-length" | "transfer-encoding")).collect()
}

/// Where the empty line ends, looking from `from` on.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let unsearched = bytes.get(from..)?;
    unsearched.windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let text = bytes.strip_suffix(b"\r\n\r\n")?;
    // A bare LF counts as a line's end (RFC 9112, 2.2); writing the head again makes CR LF of it.
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut parts = first.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let known = matches!(version, "HTTP/1.0" | "HTTP/1.1");
    if parts.next().is_some() || !known || !is_token(method) || !target.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let fields = lines.map(parse_field).collect::<Option<Vec<_>>>()?;
    Some(Head { method: method.to_owned(), target: target.to_owned(), version: version.to_owned(), fields })
}

fn parse_field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(line.get(..colon)?).ok()?;
    let fits = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    (is_token(name) && line.iter().all(fits)).then(|| Field { name: name.to_ascii_lowercase(), line: line.to_vec() })
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(mut bytes: &[u8], most: usize) -> Result<(Head, Vec<u8>), HeadError> {
        read(&mut bytes, most).await
    }

    #[tokio::test]
    async fn a_head_ends_at_the_empty_line_and_the_rest_is_kept() {
        let (head, rest) = read_all(b"CONNECT a:443 HTTP/1.0\r\nHost: a\r\n\r\n\x16\x03", 1024).await.ok().unwrap();
        assert!(head.is_connect());
        assert_eq!((head.method(), head.target()), ("CONNECT", "a:443"));
        assert_eq!(rest, b"\x16\x03");
    }

    #[tokio::test]
    async fn what_is_no_http_1_request_is_malformed() {
        for bad in [
            &b"\x16\x03\x01\x02\x00\r\n\r\n"[..],
            b"GET /\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET / HTTP/1.1 x\r\n\r\n",
            b"G(T / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nname : x\r\n\r\n",
            b"GET / HTTP/1.1\r\nname: x\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nname: x\0\r\n\r\n",
            b"GET / HTTP/1.1\r\nname: x\ry\r\n\r\n",
            b"GET / HTTP/1.1\r\nname",
        ] {
            let outcome = read_all(bad, 1024).await.err();
            assert_eq!(outcome, Some(HeadError::Malformed), "{}", bad.escape_ascii());
        }
        assert_eq!(read_all(b"", 1024).await.err(), Some(HeadError::Gone));
        assert_eq!(read_all(&[b'a'; 2048], 1024).await.err(), Some(HeadError::TooLarge));
    }

    #[tokio::test]
    async fn a_head_is_rewritten_for_one_request() {
        let text = "POST http://h:81/p?q HTTP/1.1\r\nHost: other\r\nAccept: */*\r\nConnection: keep-alive, X-Mine\r\n\
                    Proxy-Authorization: Basic x\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nhi";
        let (head, rest) = read_all(text.as_bytes(), 1024).await.ok().unwrap();
        assert_eq!(
            String::from_utf8(head.for_one_request("/p?q", Some(("h", 81)))).unwrap(),
            "POST /p?q HTTP/1.1\r\nHost: h:81\r\nAccept: */*\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(rest, b"hi");
    }
}
