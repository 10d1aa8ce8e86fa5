//! Values and bytes: from files, standard input and the terminal, and to them. Never from arguments,
//! which everybody on the machine can read.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use strongroom_wire::Sensitive;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;

/// A text that is secret: from a file (`-` is standard input), from standard input, or asked for at
/// the terminal without showing it.
pub(in crate::commands) fn read_value(
    file: Option<&Path>,
    prompt: &str,
    trim: bool,
) -> Result<Sensitive<String>, Failure> {
    let bytes = match file {
        None if std::io::stdin().is_terminal() => ask(prompt)?,
        file => read_bytes(file.unwrap_or_else(|| Path::new("-")))?,
    };
    let mut text = std::str::from_utf8(&bytes).map_err(|_binary| {
        Failure::usage("the value is not UTF-8: vaults keep text; encode it, in base64 for example")
    })?;
    if trim {
        text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    }
    Ok(Sensitive::new(text.to_owned()))
}

/// The first line of a file that only its owner may read.
pub(in crate::commands) fn passphrase(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let content = files::read_private(file)?;
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
}

/// A file's bytes; `-` is standard input.
pub(in crate::commands) fn read_bytes(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let named = |fault: std::io::Error| format!("{} could not be read: {fault}", file.display());
    let mut bytes = Zeroizing::new(Vec::new());
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map_err(named)?;
    } else {
        File::open(file).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(named)?;
    }
    Ok(bytes)
}

/// Writes to a file (mode 0600) or to standard output, which `-` is, too.
pub(in crate::commands) fn write_bytes(bytes: &[u8], out: Option<&Path>) -> Result<(), Failure> {
    match out.filter(|out| *out != Path::new("-")) {
        Some(out) => files::write_private(out, bytes)?,
        None => {
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
            written.map_err(|fault| format!("standard output could not be written: {fault}"))?;
        }
    }
    Ok(())
}

/// A line from the terminal, which does not show it.
fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fault = |fault: std::io::Error| format!("the terminal could not be read: {fault}");
    eprint!("{prompt}: ");
    let mut line = Zeroizing::new(Vec::new());
    {
        let _silent = Silent::start()?;
        let mut stdin = std::io::stdin().lock();
        let mut byte = Zeroizing::new([0]);
        while stdin.read(byte.as_mut_slice()).map_err(fault)? == 1 && *byte != *b"\n" {
            line.extend_from_slice(byte.as_slice());
        }
    }
    eprintln!();
    if line.is_empty() {
        return Err(Failure::usage("no value was given"));
    }
    Ok(line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent(Termios);

impl Silent {
    fn start() -> Result<Self, Failure> {
        let fault = |fault: nix::Error| format!("the terminal could not be made silent: {fault}");
        let before = tcgetattr(std::io::stdin()).map_err(fault)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &silent).map_err(fault)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}
