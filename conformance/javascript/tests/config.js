/** Key-values of App Configuration: set, get, delete, conditions and locks, with an access key and with a token. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { byToken, provesBoth, revisionsOf } from "../config-clients.js";
import { WIRES, empty, getAndHead } from "../config-wire.js";
import { configRefused } from "../expect.js";
import { unique } from "../settings.js";
import { proves } from "../tally.js";

const KEYS = [
  "app/db/host",
  "/app//x/",
  "two  words",
  "grüße/東京/🔐",
  "Logging:Level:Default",
  "a?b=c&d#e",
  "a+b",
  "a*b,c\\d",
  ".app;x=y@z!$'()~[]{}|^`<>\"",
];
/** The package does not encode what is reserved in a query, so `?`, `&`, `#` and `+` would not arrive. */
const LABELS = [undefined, "prod", "Prod", "a b/c,d*é=f\\g"];
const VALUES = {
  "an empty": "",
  "a multiline": "first\nsecond\r\n\tthird",
  "a Unicode": "Grüße, 東京, 🔐, e\u0301 \u2028 \ufeff",
  "a JSON": '{"value":"x","n":null}',
  "a punctuated": "\"'\\/<>&%41+",
};
const onlyIfUnchanged = { onlyIfUnchanged: true };
const onlyIfChanged = { onlyIfChanged: true };

describe("key-values", { concurrency: 8 }, () => {
  provesBoth(["A5", "A6", "A7"], "a setting is set, read and deleted", async (store) => {
    const key = unique("set");
    const whole = {
      key,
      value: "postgres://db:5432/app",
      contentType: "text/plain",
      tags: { team: "data", tier: "1" },
    };
    const made = await store.setConfigurationSetting({ ...whole, description: "where the rows are" });
    assert.deepEqual([made.key, made.value, made.label], [key, whole.value, undefined]);
    assert.deepEqual([made.contentType, made.tags, made.isReadOnly], ["text/plain", whole.tags, false]);
    assert.deepEqual([made.description, typeof made.etag], ["where the rows are", "string"]);
    assert.ok(Math.abs(made.lastModified - Date.now()) < 300_000);
    const got = await store.getConfigurationSetting({ key });
    assert.deepEqual(got, { ...made, statusCode: 200 });
    assert.deepEqual(await store.deleteConfigurationSetting({ key }), got);
    await configRefused(store.getConfigurationSetting({ key }), 404);
    assert.equal((await store.deleteConfigurationSetting({ key })).statusCode, 204);
  });

  provesBoth(["A5", "A6"], "a set replaces the whole setting", async (store) => {
    const key = unique("replace");
    const first = await store.setConfigurationSetting({ key, value: "v", contentType: "text/plain", tags: { a: "b" } });
    const second = await store.setConfigurationSetting({ key, value: "w" });
    assert.notEqual(second.etag, first.etag);
    assert.deepEqual([second.contentType, second.tags], [undefined, {}]);
    assert.equal((await store.getConfigurationSetting({ key })).value, "w");
  });

  provesBoth(["A5", "A6", "A7"], "labels are settings of their own", async (store) => {
    const key = unique("label");
    for (const label of LABELS) await store.setConfigurationSetting({ key, label, value: `for ${label}` });
    for (const label of LABELS) {
      const got = await store.getConfigurationSetting({ key, label });
      assert.deepEqual([got.label, got.value], [label, `for ${label}`]);
    }
    assert.equal((await store.getConfigurationSetting({ key, label: "" })).value, "for undefined");
    assert.equal((await store.getConfigurationSetting({ key, label: "\0" })).value, "for undefined");
    assert.equal((await store.deleteConfigurationSetting({ key, label: "prod" })).value, "for prod");
    await configRefused(store.getConfigurationSetting({ key, label: "prod" }), 404);
    assert.equal((await store.getConfigurationSetting({ key })).value, "for undefined");
  });

  for (const prefix of KEYS) {
    provesBoth(["A5", "A6", "A7", "A18", "A19"], `a key like ${prefix} comes back as it was sent`, async (store) => {
      const key = unique(prefix);
      const made = await store.setConfigurationSetting({ key, value: "v" });
      assert.equal(made.key, key);
      assert.equal((await store.getConfigurationSetting({ key })).etag, made.etag);
      const locked = await store.setReadOnly({ key }, true);
      assert.deepEqual([locked.key, locked.isReadOnly], [key, true]);
      assert.equal((await store.setReadOnly({ key }, false)).key, key);
      assert.equal((await store.deleteConfigurationSetting({ key })).key, key);
    });
  }

  provesBoth(["A5", "A6", "A7", "A18", "A19"], "a percent sign in a key is refused", async (store) => {
    for (const key of ["100%", "%", "100%25"]) {
      for (const call of [
        () => store.setConfigurationSetting({ key, value: "v" }),
        () => store.getConfigurationSetting({ key }),
        () => store.deleteConfigurationSetting({ key }),
        () => store.setReadOnly({ key }, true),
        () => store.setReadOnly({ key }, false),
      ]) {
        await configRefused(call(), 400, "invalid-argument");
      }
    }
  });

  provesBoth(["A5", "A6"], "keys are case-sensitive", async (store) => {
    const key = unique("Case");
    await store.setConfigurationSetting({ key, value: "mixed" });
    await store.setConfigurationSetting({ key: key.toLowerCase(), value: "lower" });
    assert.equal((await store.getConfigurationSetting({ key })).value, "mixed");
    await configRefused(store.getConfigurationSetting({ key: key.toUpperCase() }), 404);
  });

  for (const [what, value] of Object.entries(VALUES)) {
    provesBoth(["A5", "A6"], `${what} value comes back byte for byte`, async (store) => {
      const key = unique("value");
      await store.setConfigurationSetting({ key, value, tags: { t: value.replace(/[\n\r\t\u2028]/g, "") } });
      assert.equal((await store.getConfigurationSetting({ key })).value, value);
    });
  }

  provesBoth(["A5", "A6"], "a setting may have no value", async (store) => {
    const key = unique("null");
    await store.setConfigurationSetting({ key });
    assert.equal((await store.getConfigurationSetting({ key })).value, null);
  });

  provesBoth(["A6", "A20"], "the same set again changes nothing", async (store) => {
    const key = unique("same");
    const same = { key, value: "v", contentType: "text/plain", tags: { a: "b", c: "d" } };
    const first = await store.setConfigurationSetting(same);
    const again = await store.setConfigurationSetting({ ...same, tags: { c: "d", a: "b" } });
    assert.deepEqual(again, first);
    assert.equal((await revisionsOf(store, key)).length, 1);
    const etags = new Set([first.etag]);
    for (const change of [{ value: "w" }, { contentType: "text/html" }, { tags: { a: "b" } }]) {
      etags.add((await store.setConfigurationSetting({ ...same, ...change })).etag);
    }
    assert.equal(etags.size, 4);
    assert.equal((await revisionsOf(store, key)).length, 4);
  });

  provesBoth(["A5"], "a get selects fields", async (store) => {
    const key = unique("fields");
    await store.setConfigurationSetting({ key, label: "l", value: "v", contentType: "text/plain", tags: { a: "b" } });
    const got = await store.getConfigurationSetting({ key, label: "l" }, { fields: ["key", "tags", "isReadOnly"] });
    assert.deepEqual([got.key, got.tags, got.isReadOnly], [key, { a: "b" }, false]);
    assert.deepEqual([got.value, got.label, got.contentType, got.lastModified], Array(4).fill(undefined));
    const other = await store.getConfigurationSetting({ key, label: "l" }, { fields: ["value", "lastModified"] });
    assert.deepEqual([other.key, other.value], [undefined, "v"]);
    assert.ok(other.lastModified instanceof Date);
  });
});

describe("conditions and locks", { concurrency: 8 }, () => {
  provesBoth(["A6"], "add makes only what is not there", async (store) => {
    const key = unique("add");
    const made = await store.addConfigurationSetting({ key, value: "first" });
    await configRefused(store.addConfigurationSetting({ key, value: "second" }), 412);
    assert.equal((await store.getConfigurationSetting({ key })).etag, made.etag);
    await store.addConfigurationSetting({ key, value: "second", label: "other" });
    await store.deleteConfigurationSetting({ key });
    assert.equal((await store.addConfigurationSetting({ key, value: "third" })).value, "third");
  });

  provesBoth(["A6"], "set if unchanged", async (store) => {
    const key = unique("set-if");
    const first = await store.setConfigurationSetting({ key, value: "1" });
    const second = await store.setConfigurationSetting({ ...first, value: "2" }, onlyIfUnchanged);
    assert.equal(second.value, "2");
    await configRefused(store.setConfigurationSetting({ ...first, value: "lost" }, onlyIfUnchanged), 412);
    const there = { etag: "*", value: "3" };
    assert.equal((await store.setConfigurationSetting({ key, ...there }, onlyIfUnchanged)).value, "3");
    for (const etag of ["*", first.etag]) {
      const nowhere = { key: unique("none"), value: "v", etag };
      await configRefused(store.setConfigurationSetting(nowhere, onlyIfUnchanged), 412);
    }
  });

  provesBoth(["A7"], "delete if unchanged", async (store) => {
    const key = unique("delete-if");
    const first = await store.setConfigurationSetting({ key, value: "1" });
    const second = await store.setConfigurationSetting({ key, value: "2" });
    await configRefused(store.deleteConfigurationSetting(first, onlyIfUnchanged), 412);
    const gone = await store.deleteConfigurationSetting(second, onlyIfUnchanged);
    assert.deepEqual([gone.statusCode, gone.value], [200, "2"]);
    for (const etag of ["*", second.etag]) {
      await configRefused(store.deleteConfigurationSetting({ key, etag }, onlyIfUnchanged), 412);
    }
  });

  provesBoth(["A5"], "get if changed", async (store) => {
    const key = unique("get-if");
    const first = await store.setConfigurationSetting({ key, value: "1" });
    const same = await store.getConfigurationSetting(first, onlyIfChanged);
    assert.deepEqual([same.statusCode, same.key, same.value, same.etag], [304, key, undefined, undefined]);
    const second = await store.setConfigurationSetting({ key, value: "2" });
    const changed = await store.getConfigurationSetting(first, onlyIfChanged);
    assert.deepEqual([changed.statusCode, changed.value, changed.etag], [200, "2", second.etag]);
    await configRefused(store.getConfigurationSetting({ key: unique("none"), etag: "x" }, onlyIfChanged), 404);
  });

  provesBoth(["A5", "A6", "A7", "A18", "A19"], "a locked setting is refused until it is unlocked", async (store) => {
    const id = { key: unique("lock"), label: "l" };
    const made = await store.setConfigurationSetting({ ...id, value: "v" });
    const locked = await store.setReadOnly(id, true);
    assert.deepEqual([locked.isReadOnly, locked.value], [true, "v"]);
    assert.notEqual(locked.etag, made.etag);
    const details = await configRefused(store.setConfigurationSetting({ ...id, value: "w" }), 409, "key-locked");
    assert.equal(details.name, id.key);
    await configRefused(store.deleteConfigurationSetting(id), 409, "key-locked");
    assert.equal((await store.setConfigurationSetting({ key: id.key, value: "w" })).label, undefined);
    const got = await store.getConfigurationSetting(id);
    assert.deepEqual([got.value, got.isReadOnly, got.etag], ["v", true, locked.etag]);
    const free = await store.setReadOnly(id, false);
    assert.equal(free.isReadOnly, false);
    assert.ok(free.etag !== made.etag && free.etag !== locked.etag);
    assert.equal((await store.setConfigurationSetting({ ...id, value: "w" })).value, "w");
    assert.equal((await store.deleteConfigurationSetting(id)).value, "w");
  });

  provesBoth(["A6", "A7", "A18"], "the precondition comes before the lock", async (store) => {
    const key = unique("lock-order");
    const made = await store.setConfigurationSetting({ key, value: "v" });
    const locked = await store.setReadOnly({ key }, true);
    await configRefused(store.addConfigurationSetting({ key, value: "w" }), 412);
    await configRefused(store.setConfigurationSetting({ ...made, value: "w" }, onlyIfUnchanged), 412);
    await configRefused(store.deleteConfigurationSetting(made, onlyIfUnchanged), 412);
    await configRefused(store.setConfigurationSetting({ ...locked, value: "w" }, onlyIfUnchanged), 409, "key-locked");
    await configRefused(store.deleteConfigurationSetting(locked, onlyIfUnchanged), 409, "key-locked");
  });

  provesBoth(["A18", "A19"], "locks have preconditions too", async (store) => {
    const key = unique("lock-if");
    const first = await store.setConfigurationSetting({ key, value: "1" });
    const second = await store.setConfigurationSetting({ key, value: "2" });
    await configRefused(store.setReadOnly(first, true, onlyIfUnchanged), 412);
    const locked = await store.setReadOnly(second, true, onlyIfUnchanged);
    await configRefused(store.setReadOnly(second, false, onlyIfUnchanged), 412);
    assert.equal((await store.setReadOnly(locked, false, onlyIfUnchanged)).isReadOnly, false);
    for (const readOnly of [true, false])
      await configRefused(store.setReadOnly({ key: unique("none") }, readOnly), 404);
  });

  for (const [way, wire] of Object.entries(WIRES)) {
    proves(["A5", "A8"], `a setting is checked by HEAD with ${way}`, async () => {
      const [send, key] = [wire(), unique("check/a b")];
      const made = await byToken().setConfigurationSetting({ key, label: "l", value: "v" });
      const target = `/kv/${encodeURIComponent(key)}`;
      const [, head] = await getAndHead(send, `${target}?label=l`);
      assert.deepEqual([head.status, head.header("etag")], [200, `"${made.etag}"`]);
      assert.equal(new Date(head.header("last-modified")).getTime(), made.lastModified.getTime());
      const conditions = { "if-none-match": `"${made.etag}"`, "if-match": '"other"' };
      for (const [condition, etag] of Object.entries(conditions)) {
        const options = { headers: { [condition]: etag } };
        const [got] = await getAndHead(send, `${target}?label=l`, options);
        assert.equal(got.status, condition === "if-match" ? 412 : 304);
        empty(got, got.status);
      }
      const [missing] = await getAndHead(send, target);
      empty(missing, 404);
    });
  }
});
