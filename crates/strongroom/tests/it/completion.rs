//! What comes for shells and manuals.

use std::process::{Command, Output};

use crate::process::{stderr, succeed, text};

fn bash(script: &str) -> Output {
    Command::new("bash").args(["--norc", "-c", script]).output().unwrap()
}

#[test]
fn bash_completes_verbs_and_options() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completion");
    std::fs::write(&file, succeed(&["completion", "bash"])).unwrap();
    assert!(Command::new("bash").args(["-n", text(&file)]).status().unwrap().success());
    let source = format!("set -e; source {}; ", text(&file));
    let known = bash(&format!("{source} complete -p strongroom"));
    assert!(String::from_utf8_lossy(&known.stdout).contains("_strongroom"), "{}", stderr(&known));
    let complete = |words: &str| {
        let script = format!(
            "{source} COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _strongroom strongroom \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = bash(&script);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(complete("strongroom sec").contains(&"secret".to_owned()));
    assert_eq!(complete("strongroom secret recov"), ["recover"]);
    assert_eq!(complete("strongroom key sign --signature-f"), ["--signature-format"]);
    assert!(!complete("strongroom secret set --v").contains(&"--value".to_owned()), "what is refused is not proposed");
}

#[test]
fn other_shells_get_theirs() {
    for (shell, word) in
        [("zsh", "#compdef strongroom"), ("fish", "complete -c strongroom"), ("powershell", "Register-")]
    {
        let script = succeed(&["completion", shell]);
        assert!(script.contains(word) && script.contains("list-deleted"), "{shell}");
        let checked = match shell {
            "powershell" => continue,
            shell => Command::new(shell).args(["-n", "/dev/stdin"]).stdin(file_with(&script)).output(),
        };
        match checked {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", stderr(&output)),
            Err(_absent) => strongroom_store::conformance::skipped("the syntax of a completion", shell),
        }
    }
}

fn file_with(text: &str) -> std::fs::File {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn there_is_a_manual_page_for_each_command_and_it_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let told = succeed(&["man", "--out", text(folder.path())]);
    let pages: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 60 && told.contains(&pages.len().to_string()), "{told}");
    for name in ["strongroom", "strongroom-secret-set", "strongroom-key-policy-set", "strongroom-doctor"] {
        let file = folder.path().join(format!("{name}.1"));
        let rendered = Command::new("man").args(["--warnings=all", "-l", text(&file)]).env("MANWIDTH", "100").output();
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(_absent) => return strongroom_store::conformance::skipped("manual pages", "man"),
        };
        let page = String::from_utf8_lossy(&rendered.stdout);
        assert!(rendered.status.success() && rendered.stderr.is_empty(), "{name}: {}", stderr(&rendered));
        assert!(page.contains(&name.replace('-', " ")) || page.contains(name), "{page}");
    }
    let main = std::fs::read_to_string(folder.path().join("strongroom.1")).unwrap();
    assert!(main.contains("Exit codes") && main == succeed(&["man"]));
    for page in pages {
        let checked = Command::new("groff").args(["-man", "-z", "-ww", text(&page)]).output();
        if let Ok(checked) = checked {
            assert!(checked.stderr.is_empty(), "{}: {}", page.display(), stderr(&checked));
        }
    }
}
