//! What runs inside Redis. A script is atomic: nobody sees half of it, and the append-only file
//! holds all of it or nothing.

use std::sync::Arc;

use ::redis::Script;

/// Checks every expectation, then writes. The revision is counted up first: when memory is used up
/// or the server is read-only, it is this that fails, and nothing has been written; after a script's
/// first write Redis refuses no more.
const COMMIT: &str = r"
local index, records, counter = KEYS[1], KEYS[2], KEYS[3]
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local found = redis.call('HGET', records, ARGV[at])
  local revision = found and string.match(found, '^%d+') or ''
  if revision ~= ARGV[at + 1] then return false end
  at = at + 2
end
if at > #ARGV then return 0 end
local revision = string.format('%.0f', redis.call('INCR', counter))
while at <= #ARGV do
  local key = ARGV[at]
  if ARGV[at + 1] == 'put' then
    redis.call('HSET', records, key, revision .. ':' .. ARGV[at + 2])
    redis.call('ZADD', index, 0, key)
  else
    redis.call('HDEL', records, key)
    redis.call('ZREM', index, key)
  end
  at = at + 3
end
return tonumber(revision)
";

/// Pairs of keys and what lies under them, in order.
const SCAN: &str = r"
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local found = {}
for first = 1, #keys, 1000 do
  local last = math.min(first + 999, #keys)
  local values = redis.call('HMGET', KEYS[2], unpack(keys, first, last))
  for at = first, last do found[at] = {keys[at], values[at - first + 1]} end
end
return found
";

#[derive(Clone)]
pub(super) struct Scripts {
    pub(super) commit: Arc<Script>,
    pub(super) scan: Arc<Script>,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { commit: Arc::new(Script::new(COMMIT)), scan: Arc::new(Script::new(SCAN)) }
    }
}
