//! Marshalling (TPM 2.0 Library, part 2): big-endian integers, and buffers behind their length.

use zeroize::Zeroizing;

use super::fault::Fault;

/// No command is longer (`TPM2_MAX_COMMAND_SIZE`).
const MAX_COMMAND: usize = 4096;

/// Writes structures. It never grows, so that it leaves no copy of a secret behind.
pub(super) struct Writer {
    bytes: Zeroizing<Vec<u8>>,
    overflow: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(MAX_COMMAND)), overflow: false }
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        if self.bytes.len().saturating_add(bytes.len()) > MAX_COMMAND {
            self.overflow = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        self
    }

    /// A `TPM2B`: two bytes of length, then the bytes.
    pub(super) fn sized(mut self, bytes: &[u8]) -> Self {
        match u16::try_from(bytes.len()) {
            Ok(length) => self.u16(length).raw(bytes),
            Err(_too_long) => {
                self.overflow = true;
                self
            }
        }
    }

    pub(super) fn finish(self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        if self.overflow { Err(Fault::Malformed("a command for it became too long")) } else { Ok(self.bytes) }
    }
}

/// Reads structures.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// A `TPM2B`.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u16()?;
        self.raw(usize::from(length))
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) const fn end(&self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::Malformed("it is longer than it should be")) }
    }
}

const SHORT: Fault = Fault::Malformed("it is shorter than it should be");

/// Big-endian, padded with zeros in front.
pub(super) fn padded(bytes: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let zeros = length.checked_sub(bytes.len()).ok_or(Fault::Malformed("a number is too long"))?;
    let mut out = Vec::with_capacity(length);
    out.resize(zeros, 0);
    out.extend_from_slice(bytes);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = Writer::new().u8(1).u16(2).u32(3).sized(b"four").raw(b"5").finish().unwrap();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8().unwrap(), reader.u16().unwrap(), reader.u32().unwrap()), (1, 2, 3));
        assert_eq!((reader.sized().unwrap(), reader.rest()), (&b"four"[..], &b"5"[..]));
        assert!(reader.end().is_err() && reader.u16().is_err());
        assert!(Reader::new(&[0, 3, 1, 2]).sized().is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Writer::new().sized(&vec![0; 70_000]).finish().is_err());
        assert!(Writer::new().raw(&vec![0; 4097]).finish().is_err());
        assert!(padded(&[1, 2, 3], 2).is_err());
        assert_eq!(padded(&[1], 3).unwrap(), [0, 0, 1]);
    }
}
