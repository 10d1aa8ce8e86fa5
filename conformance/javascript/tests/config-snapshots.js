/** Snapshots of App Configuration, with an access key and with a token. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { every } from "../clients.js";
import { byPage, byToken, fill, provesBoth, shared, snapshot } from "../config-clients.js";
import { bearing, empty, getAndHead, media, problem, walk } from "../config-wire.js";
import { configRefused, lengths, refused, sameMembers } from "../expect.js";
import { freshStore, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

const DAY = 86_400;
const NO_KEY = [{ keyFilter: "none" }];

/** A prefix under which `a` has three labels and `b` has two. */
async function twoLabels(store) {
  const prefix = unique("snap");
  for (const [name, label] of [["a"], ["a", "x"], ["a", "y"], ["b", "x"], ["b", "y"]]) {
    const made = { value: `${name} of ${label}`, tags: { l: String(label) }, contentType: "text/plain" };
    await store.setConfigurationSetting({ key: `${prefix}/${name}`, label, ...made });
  }
  return prefix;
}

/** What a snapshot holds, without the prefix. */
async function contentOf(store, name) {
  const items = await every(store.listConfigurationSettingsForSnapshot(name));
  return items.map((item) => {
    assert.equal(item.value, `${item.key.at(-1)} of ${item.label}`);
    return item.value;
  });
}

const BAD_SNAPSHOTS = {
  "without a filter": ["filters", { filters: [] }],
  "of four filters": ["filters", { filters: Array(4).fill({ key: "k" }) }],
  "of a bad filter": ["filters", { filters: [{ key: "a*b" }] }],
  "of a long key": ["filters", { filters: [{ key: "k".repeat(257) }] }],
  "that stays too short": ["retention_period", { retention_period: 3599 }],
  "that stays too long": ["retention_period", { retention_period: 90 * DAY + 1 }],
  "of an unknown composition": ["composition_type", { composition_type: "label" }],
};

describe("snapshots", { concurrency: 8 }, () => {
  provesBoth(["A3", "A11", "A12", "A13"], "a snapshot keeps what was there", async (store) => {
    const prefix = await twoLabels(store);
    const filters = [{ keyFilter: `${prefix}/*`, labelFilter: "x" }];
    const made = await snapshot(store, filters, { name: prefix, tags: { release: "7" }, description: "before" });
    assert.deepEqual([made.compositionType, made.itemCount], ["key", 2]);
    assert.deepEqual(
      [made.tags, made.description, made.retentionPeriodInSeconds],
      [{ release: "7" }, "before", 30 * DAY],
    );
    assert.ok(made.sizeInBytes > 0 && made.etag && !made.expiresOn);
    assert.ok(Math.abs(made.createdOn - Date.now()) < 300_000);
    assert.deepEqual([made.filters[0].keyFilter, made.filters[0].labelFilter], [`${prefix}/*`, "x"]);
    assert.deepEqual(await store.getSnapshot(prefix), made);

    const id = { key: `${prefix}/a`, label: "x" };
    await store.setConfigurationSetting({ ...id, value: "changed" });
    await store.deleteConfigurationSetting({ ...id, key: `${prefix}/b` });
    await store.setConfigurationSetting({ ...id, key: `${prefix}/c`, value: "late" });
    assert.deepEqual(await contentOf(store, prefix), ["a of x", "b of x"]);
    const [item] = await every(store.listConfigurationSettingsForSnapshot(prefix));
    assert.deepEqual([item.tags, item.contentType, item.isReadOnly], [{ l: "x" }, "text/plain", false]);
    const [part] = await every(store.listConfigurationSettingsForSnapshot(prefix, { fields: ["key", "value"] }));
    assert.deepEqual([part.key, part.value, part.label, part.etag], [id.key, "a of x", undefined, undefined]);
  });

  provesBoth(["A12", "A13"], "a creation may be awaited at once", async (store) => {
    const name = unique("wait");
    const made = await store.beginCreateSnapshotAndWait({ name, filters: NO_KEY }, { updateIntervalInMs: 50 });
    assert.deepEqual([made.name, made.status, made.itemCount], [name, "ready", 0]);
    assert.deepEqual(await contentOf(store, name), []);
  });

  provesBoth(["A3", "A13"], "composition by key takes the later filter", async (store) => {
    const prefix = await twoLabels(store);
    const [x, y, none] = ["x", "y", "\0"].map((labelFilter) => ({ keyFilter: `${prefix}/*`, labelFilter }));
    const compositionType = "key";
    for (const [filters, expected] of [
      [
        [x, y],
        ["a of y", "b of y"],
      ],
      [
        [y, x, none],
        ["a of undefined", "b of x"],
      ],
    ]) {
      const made = await snapshot(store, filters, { compositionType });
      assert.deepEqual([made.compositionType, made.itemCount], [compositionType, 2]);
      assert.deepEqual(await contentOf(store, made.name), expected);
    }
  });

  provesBoth(["A3", "A13"], "composition by key and label takes all that pass", async (store) => {
    const prefix = await twoLabels(store);
    const filters = ["x*", "\0,x", "y"].map((labelFilter) => ({ keyFilter: `${prefix}/*`, labelFilter }));
    const options = { compositionType: "key_label", retentionPeriodInSeconds: 3600 };
    const made = await snapshot(store, filters, options);
    assert.deepEqual([made.compositionType, made.itemCount, made.retentionPeriodInSeconds], ["key_label", 5, 3600]);
    const all = ["a of undefined", "a of x", "a of y", "b of x", "b of y"];
    assert.deepEqual(await contentOf(store, made.name), all);
    const tagged = [{ keyFilter: `${prefix}/*`, labelFilter: "*", tagsFilter: ["l=y"] }];
    const byTag = await snapshot(store, tagged, options);
    assert.deepEqual(byTag.filters[0].tagsFilter, ["l=y"]);
    assert.deepEqual(await contentOf(store, byTag.name), ["a of y", "b of y"]);
  });

  for (const [what, [member, members]] of Object.entries(BAD_SNAPSHOTS)) {
    proves(["A11", "A13"], `a snapshot ${what} is refused`, async () => {
      const [send, name] = [bearing(), unique("bad")];
      const body = { filters: [{ key: "k" }], ...members };
      const { name: named } = problem(await send("PUT", `/snapshots/${name}`, { body }), 400, "invalid-argument");
      assert.ok(named.startsWith(member), named);
      await configRefused(byToken().getSnapshot(name), 404);
    });
  }

  provesBoth(["A13"], "a refused creation raises the package's error", async (store) => {
    const filters = Array(4).fill({ keyFilter: "k" });
    await refused(store.beginCreateSnapshot({ name: unique("bad"), filters }), { status: 400 });
  });

  proves(["A13"], "the bounds of a snapshot are within them", async () => {
    const filters = Array.from({ length: 3 }, () => ({ keyFilter: unique("none") }));
    for (const retentionPeriodInSeconds of [3600, 90 * DAY]) {
      const made = await snapshot(byToken(), filters, { retentionPeriodInSeconds });
      assert.deepEqual([made.filters.length, made.retentionPeriodInSeconds], [3, retentionPeriodInSeconds]);
    }
  });

  provesBoth(["A13", "A14"], "a name is taken, and stays so in the archive", async (store) => {
    const { name } = await snapshot(store, NO_KEY);
    for (const archived of [false, true]) {
      if (archived) await store.archiveSnapshot(name);
      await refused(store.beginCreateSnapshot({ name, filters: NO_KEY }), { status: 409 });
      const answer = await bearing()("PUT", `/snapshots/${name}`, { body: { filters: [{ key: "none" }] } });
      problem(answer, 409, "already-exists");
    }
  });

  provesBoth(["A3", "A11", "A14"], "archive and recover", async (store) => {
    const prefix = await twoLabels(store);
    const filters = [{ keyFilter: `${prefix}/*`, labelFilter: "x" }];
    const { name, etag } = await snapshot(store, filters, { retentionPeriodInSeconds: 7200 });
    const archived = await store.archiveSnapshot(name);
    assert.equal(archived.status, "archived");
    assert.notEqual(archived.etag, etag);
    assert.ok(Math.abs(archived.expiresOn - Date.now() - 7_200_000) < 600_000);
    assert.deepEqual(await contentOf(store, name), ["a of x", "b of x"]);
    const again = await store.archiveSnapshot(name);
    assert.deepEqual([again.etag, again.expiresOn], [archived.etag, archived.expiresOn]);
    const ready = await store.recoverSnapshot(name);
    assert.deepEqual([ready.status, ready.expiresOn], ["ready", undefined]);
    assert.notEqual(ready.etag, archived.etag);
    assert.equal((await store.recoverSnapshot(name)).etag, ready.etag);
    for (const call of ["archiveSnapshot", "recoverSnapshot", "getSnapshot"]) {
      await configRefused(store[call](unique("none")), 404);
    }
    assert.deepEqual(await contentOf(store, unique("none")), []);
  });

  provesBoth(["A14"], "archive and recover if unchanged", async (store) => {
    const { name, etag } = await snapshot(store, NO_KEY);
    await configRefused(store.archiveSnapshot(name, { etag: "other" }), 412);
    const archived = await store.archiveSnapshot(name, { etag });
    await configRefused(store.recoverSnapshot(name, { etag }), 412);
    assert.equal((await store.recoverSnapshot(name, { etag: archived.etag })).status, "ready");
  });

  proves(["A11", "A15"], "a snapshot is checked by HEAD", async () => {
    const send = bearing();
    const { name, etag } = await snapshot(byToken(), NO_KEY);
    const [got] = await getAndHead(send, `/snapshots/${name}`);
    assert.deepEqual([got.status, got.header("etag")], [200, `"${etag}"`]);
    assert.equal(got.header("content-type"), media("snapshot"));
    const [same] = await getAndHead(send, `/snapshots/${name}`, { headers: { "if-none-match": `"${etag}"` } });
    const [other] = await getAndHead(send, `/snapshots/${name}`, { headers: { "if-match": '"other"' } });
    const [none] = await getAndHead(send, `/snapshots/${unique("none")}`);
    assert.deepEqual(
      [same, other, none].map((answer) => answer.status),
      [304, 412, 404],
    );
    const [part] = await getAndHead(send, `/snapshots/${name}?$select=name,items_count`);
    assert.deepEqual(part.json(), { name, items_count: 0 });
  });

  proves(["A12", "A13"], "the operation behind a creation", async () => {
    const [send, name] = [bearing(), unique("operation")];
    const answer = await send("PUT", `/snapshots/${name}`, { body: { filters: [{ key: "none" }] } });
    assert.deepEqual([answer.status, answer.json().status], [201, "provisioning"]);
    assert.ok(answer.header("operation-location").startsWith(`${settings.storeUrl}/operations?`));
    let state;
    for (let n = 0; n < 60; n += 1) {
      state = await send("GET", `/operations?snapshot=${name}`);
      assert.equal(state.status, 200, state.text);
      assert.match(state.header("content-type"), /^application\/json/);
      if (!["NotStarted", "Running"].includes(state.json().status)) break;
      await sleep(500);
    }
    const { id, status, error } = state.json();
    assert.deepEqual([typeof id, status, error], ["string", "Succeeded", null]);
    assert.equal((await byToken().getSnapshot(name)).status, "ready");
  });
});

/** A store with four snapshots: one of them is archived, one has many settings. */
const album = shared(async () => {
  const url = freshStore();
  const store = byToken(url);
  await fill(
    store,
    Array.from({ length: 150 }, (_, n) => ({ key: `many/${String(n).padStart(3, "0")}`, value: "v" })),
  );
  for (const name of ["a-1", "a-2", "b,1"]) await snapshot(store, [{ keyFilter: "many/00*" }], { name });
  await snapshot(store, [{ keyFilter: "many/*" }], { name: "many" });
  await store.archiveSnapshot("a-2");
  return url;
});

const LISTS = [
  [{}, ["a-1", "a-2", "b,1", "many"]],
  [{ nameFilter: "a-*" }, ["a-1", "a-2"]],
  [{ nameFilter: "b\\,1" }, ["b,1"]],
  [{ nameFilter: "a-1,many" }, ["a-1", "many"]],
  [{ statusFilter: ["ready"] }, ["a-1", "b,1", "many"]],
  [{ statusFilter: ["archived"] }, ["a-2"]],
  [{ statusFilter: ["ready", "archived"], nameFilter: "a*" }, ["a-1", "a-2"]],
  [{ statusFilter: ["provisioning", "failed"] }, []],
];

describe("lists of snapshots", { concurrency: 8 }, () => {
  for (const [filters, expected] of LISTS) {
    proves(["A9"], `${expected.length} of 4 snapshots pass ${JSON.stringify(filters)}`, async () => {
      const found = await every(byToken(await album()).listSnapshots(filters));
      sameMembers(
        found.map((item) => item.name),
        expected,
      );
      assert.ok(found.every((item) => item.etag && item.createdOn && item.filters.length === 1));
    });
  }

  proves(["A9", "A10"], "a list of snapshots selects fields and refuses what it does not know", async () => {
    const [store, send] = [byToken(await album()), bearing(await album())];
    const fields = ["name", "filters", "size"];
    const [item] = await every(store.listSnapshots({ nameFilter: "a-1", fields }));
    assert.deepEqual([item.name, item.filters.length, item.status, item.etag], ["a-1", 1, undefined, undefined]);
    assert.ok(item.sizeInBytes > 0);
    const refusing = every(store.listSnapshots({ statusFilter: ["nonsense"] }));
    assert.equal((await configRefused(refusing, 400, "invalid-argument")).name, "status");
    const [got] = await getAndHead(send, "/snapshots");
    assert.deepEqual([got.status, got.header("content-type")], [200, media("snapshotset")]);
  });

  proves(["A3", "A4"], "the content of a snapshot has pages of a hundred", async () => {
    const [store, send] = [byToken(await album()), bearing(await album())];
    const found = (await byPage(store.listConfigurationSettingsForSnapshot("many"))).map((page) => page.items);
    assert.deepEqual(lengths(found), [100, 50]);
    assert.equal(new Set(found.flat().map((item) => item.key)).size, 150);
    assert.equal((await walk(send, "HEAD", "/kv?snapshot=many")).length, 2);
    const [missing] = await getAndHead(send, `/kv?snapshot=${unique("none")}`);
    assert.deepEqual([missing.status, missing.json().items], [200, []]);
  });

  proves(["A9", "A10", "A13"], "the list of snapshots has pages of a hundred", async () => {
    const url = freshStore();
    const [store, send] = [byToken(url), bearing(url)];
    const names = Array.from({ length: 105 }, (_, n) => `s-${n}`);
    for (const name of names) {
      const answer = await send("PUT", `/snapshots/${name}`, { body: { filters: [{ key: "none" }] } });
      assert.equal(answer.status, 201, answer.text);
    }
    const found = (await byPage(store.listSnapshots())).map((page) => page.items.map((item) => item.name));
    assert.deepEqual(lengths(found), [100, 5]);
    sameMembers(found.flat(), names);
    const heads = await walk(send, "HEAD", "/snapshots");
    assert.equal(heads.length, 2);
    for (const head of heads) empty(head, 200);
  });
});
