//! The crate chain: each crate may use only those before it.

use std::process::Command;

const CHAIN: &[&str] = &[
    "strongroom-wire",
    "strongroom-crypto",
    "strongroom-auth",
    "strongroom-store",
    "strongroom-backends",
    "strongroom-toolkit",
    "strongroom-server",
    "strongroom",
];

/// Reads `cargo metadata` and refuses a dependency against the order.
pub(crate) fn check() -> Result<(), String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .map_err(|fault| fault.to_string())?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|fault| fault.to_string())?;
    let packages = metadata.get("packages").and_then(serde_json::Value::as_array).ok_or("no packages")?;
    let mut wrong = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let Some(place) = CHAIN.iter().position(|known| *known == name) else {
            if !["strongroom-bench", "xtask"].contains(&name) {
                wrong.push(format!("{name} is not in the chain"));
            }
            continue;
        };
        let dependencies = package.get("dependencies").and_then(serde_json::Value::as_array).into_iter().flatten();
        for dependency in dependencies {
            let used = text(dependency, "name");
            // Tests may look at anything.
            let in_tests = dependency.get("kind").and_then(serde_json::Value::as_str) == Some("dev");
            let later = CHAIN.iter().position(|known| *known == used).is_some_and(|other| other >= place);
            if later && !in_tests {
                wrong.push(format!("{name} uses {used}, which comes after it"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn text<'a>(value: &'a serde_json::Value, member: &str) -> &'a str {
    value.get(member).and_then(serde_json::Value::as_str).unwrap_or_default()
}
