//! Answers as people read them.

use std::process::ExitCode;

use serde_json::Value;

use crate::Outcome;
use crate::cli::Output;

/// Rows of a list (or of one object) as a table of these members.
pub(super) fn table(answer: &Value, members: &[&str]) -> Outcome {
    let rows: Vec<Vec<String>> = match answer {
        Value::Array(rows) => rows.iter().map(|row| cells(row, members)).collect(),
        row => vec![cells(row, members)],
    };
    let widths: Vec<usize> = members
        .iter()
        .enumerate()
        .map(|(column, member)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
            cells.chain([member.len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&mut members.iter().copied());
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows as they were asked for.
pub(super) fn rows(rows: &[Value], members: &[&str], output: Output) -> Outcome {
    match output {
        Output::Table => return table(&Value::Array(rows.to_vec()), members),
        Output::Json => println!("{}", serde_json::to_string_pretty(rows).map_err(|fault| fault.to_string())?),
        Output::Tsv => {
            for row in rows {
                // A tab or a line break would look like the end of a cell.
                let cells = members.iter().map(|member| match row.get(member) {
                    None | Some(Value::Null) => String::new(),
                    Some(value) => text(value).replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n"),
                });
                println!("{}", cells.collect::<Vec<_>>().join("\t"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One object as it was asked for; else these members, a line each.
pub(super) fn object(object: &Value, shown: &[&str], output: Option<Output>) -> Outcome {
    match output {
        None => {
            for name in shown {
                if let Some(value) = object.get(name).filter(|value| !value.is_null()) {
                    println!("{name}: {}", text(value));
                }
            }
        }
        Some(Output::Json) => println!("{}", serde_json::to_string_pretty(object).map_err(|fault| fault.to_string())?),
        Some(output) => return rows(std::slice::from_ref(object), shown, output),
    }
    Ok(ExitCode::SUCCESS)
}

/// The members of one object, a line each.
pub(super) fn members(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        println!("{name}: {}", text(value));
    }
}

/// The built-in roles.
pub(super) fn roles() -> Outcome {
    for role in strongroom_auth::BUILT_IN {
        println!("{}  {}", role.id, role.name);
        for action in role.data_actions {
            println!("    {action}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(row: &Value, members: &[&str]) -> Vec<String> {
    members.iter().map(|member| row.get(member).map(text).unwrap_or_default()).collect()
}

fn text(value: &Value) -> String {
    if value.is_null() {
        return "-".to_owned();
    }
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
