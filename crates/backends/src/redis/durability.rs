//! What Redis does with what it has acknowledged.

use ::redis::{RedisResult, cmd};
use strongroom_store::records::RecordsError;

use super::RedisRecords;

/// Warns when acknowledged writes can be lost, and refuses a server that throws keys away.
pub(super) async fn check(records: &RedisRecords) -> Result<(), RecordsError> {
    let server = &records.server;
    let info: RedisResult<String> = records.ask(cmd("INFO").arg("everything")).await;
    let info = match info {
        Ok(info) => info,
        Err(fault) if fault.code() == Some("NOPERM") => {
            tracing::warn!(%server, "the user may not run INFO: whether Redis keeps what it is given is not checked");
            return Ok(());
        }
        Err(fault) => return Err(super::faults::records(server, &fault)),
    };
    let policy = field(&info, "maxmemory_policy");
    if policy.starts_with("allkeys") && field(&info, "maxmemory") != "0" {
        return Err(RecordsError::Unavailable(format!(
            "Redis at {server} throws keys away when its memory is used up (maxmemory-policy {policy}): it would \
             lose secrets; set it to noeviction: CONFIG SET maxmemory-policy noeviction"
        )));
    }
    if field(&info, "aof_enabled") != "1" {
        tracing::warn!(
            %server,
            "Redis keeps acknowledged writes in memory until its next snapshot and loses them with a crash: set \
             `appendonly yes` and `appendfsync always` in redis.conf, or run CONFIG SET appendonly yes and CONFIG SET \
             appendfsync always"
        );
        return Ok(());
    }
    let how: RedisResult<Vec<String>> = records.ask(cmd("CONFIG").arg("GET").arg("appendfsync")).await;
    // A user who may not ask is not told.
    if let Ok(pair) = how
        && let Some(how) = pair.get(1).filter(|how| how.as_str() != "always")
    {
        tracing::warn!(
            %server,
            appendfsync = %how,
            "Redis writes to its disk after it has acknowledged and can lose a second of writes with a crash of the \
             machine: set `appendfsync always` in redis.conf, or run CONFIG SET appendfsync always"
        );
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim()
}
