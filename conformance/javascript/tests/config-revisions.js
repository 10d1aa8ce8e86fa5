/** Revisions and time travel in App Configuration. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { every } from "../clients.js";
import { byPage, byToken, fresh, provesBoth, revisionsOf, shared } from "../config-clients.js";
import { bearing, getAndHead, walk } from "../config-wire.js";
import { configRefused, lengths } from "../expect.js";
import { freshStore, unique } from "../settings.js";
import { proves } from "../tally.js";

const valuesOf = (items) => items.map((item) => item.value);

describe("revisions", { concurrency: 8 }, () => {
  provesBoth(["A20"], "every change is a revision, the newest first", async (store) => {
    const key = unique("revisions");
    let made;
    for (const value of ["1", "2", "3"]) made = await store.setConfigurationSetting({ key, label: "l", value });
    const revisions = await revisionsOf(store, key);
    assert.deepEqual(valuesOf(revisions), ["3", "2", "1"]);
    assert.deepEqual(revisions[0], made);
    assert.equal(new Set(revisions.map((item) => item.etag)).size, 3);
    assert.ok(revisions[0].lastModified >= revisions[2].lastModified);
    await store.setReadOnly({ key, label: "l" }, true);
    await store.setReadOnly({ key, label: "l" }, false);
    assert.deepEqual(
      (await revisionsOf(store, key)).map((item) => [item.value, item.isReadOnly]),
      [
        ["3", false],
        ["3", true],
        ["3", false],
        ["2", false],
        ["1", false],
      ],
    );
  });

  provesBoth(["A7", "A20"], "revisions outlive their setting", async (store) => {
    const key = unique("outlive");
    await store.setConfigurationSetting({ key, value: "1" });
    await store.deleteConfigurationSetting({ key });
    assert.deepEqual(await every(store.listConfigurationSettings({ keyFilter: key })), []);
    assert.deepEqual(valuesOf(await revisionsOf(store, key)), ["1"]);
    await store.setConfigurationSetting({ key, value: "1" });
    const revisions = await revisionsOf(store, key);
    assert.deepEqual(valuesOf(revisions), ["1", "1"]);
    assert.notEqual(revisions[0].etag, revisions[1].etag);
  });

  proves(["A20", "A21"], "revisions are grouped by key and label", async () => {
    const store = byToken();
    const prefix = unique("group");
    for (const value of ["1", "2"]) {
      for (const [name, label] of [["b"], ["a", "x"], ["a"]]) {
        await store.setConfigurationSetting({ key: `${prefix}/${name}`, label, value, tags: { v: value } });
      }
    }
    const keyFilter = `${prefix}/*`;
    const shown = (items) => items.map((item) => [item.key.at(-1), item.label, item.value].join(" "));
    const all = ["a  2", "a  1", "a x 2", "a x 1", "b  2", "b  1"];
    assert.deepEqual(shown(await every(store.listRevisions({ keyFilter }))), all);
    const old = store.listRevisions({ keyFilter, labelFilter: "\0", tagsFilter: ["v=1"] });
    assert.deepEqual(shown(await every(old)), ["a  1", "b  1"]);
    const [, head] = await getAndHead(bearing(), `/revisions?key=${keyFilter}`);
    assert.deepEqual([head.status, head.header("link")], [200, undefined]);
  });

  proves(["A20", "A21"], "the revisions of one setting have pages of a hundred", async () => {
    const url = freshStore();
    const store = byToken(url);
    for (let n = 0; n < 105; n += 1) await store.setConfigurationSetting({ key: "busy", value: String(n) });
    const found = (await byPage(store.listRevisions({}))).map((page) => page.items);
    assert.deepEqual(lengths(found), [100, 5]);
    assert.deepEqual(
      valuesOf(found.flat()),
      Array.from({ length: 105 }, (_, n) => String(104 - n)),
    );
    assert.equal((await walk(bearing(url), "HEAD", "/revisions")).length, 2);
  });
});

/** A store, and the moment after which `a` changed and got a label, `b` was deleted and `c` was made. */
const past = shared(async () => {
  const url = freshStore();
  const store = byToken(url);
  let made;
  for (const key of ["a", "b"]) made = await store.setConfigurationSetting({ key, label: "old", value: "old" });
  await sleep(2100);
  await store.setConfigurationSetting({ key: "a", label: "old", value: "new" });
  await store.setConfigurationSetting({ key: "a", label: "new", value: "new" });
  await store.deleteConfigurationSetting({ key: "b", label: "old" });
  await store.setConfigurationSetting({ key: "c", label: "new", value: "new" });
  // Times are shown in whole seconds, so one second later everything old is there and nothing new.
  return { url, store, then: new Date(made.lastModified.getTime() + 1000) };
});

describe("time travel", { concurrency: 8 }, () => {
  proves(["A5", "A8"], "a setting as it was", async () => {
    const { url, store, then } = await past();
    const was = { acceptDateTime: then };
    for (const key of ["a", "b"]) {
      assert.equal((await store.getConfigurationSetting({ key, label: "old" }, was)).value, "old");
    }
    for (const key of ["a", "c"]) await configRefused(store.getConfigurationSetting({ key, label: "new" }, was), 404);
    await configRefused(store.getConfigurationSetting({ key: "b", label: "old" }), 404);
    const options = { headers: { "accept-datetime": then.toUTCString() } };
    const [got, head] = await getAndHead(bearing(url), "/kv/b?label=old", options);
    assert.deepEqual([got.status, got.json().value], [200, "old"]);
    assert.ok(head.header("memento-datetime"));
  });

  proves(["A3", "A4"], "a list as it was", async () => {
    const { url, store, then } = await past();
    const shown = (items) => items.map((item) => [item.key, item.label, item.value].join(" "));
    const was = { acceptDateTime: then };
    assert.deepEqual(shown(await every(store.listConfigurationSettings({ ...was }))), ["a old old", "b old old"]);
    const [listed] = await byPage(store.listConfigurationSettings({ ...was }));
    const [now] = await byPage(store.listConfigurationSettings());
    const [checked] = await byPage(store.checkConfigurationSettings({ ...was }));
    assert.equal(checked.etag, `"${listed.etag}"`);
    const [, head] = await getAndHead(bearing(url), "/kv", { headers: { "accept-datetime": then.toUTCString() } });
    assert.equal(head.header("etag"), `"${listed.etag}"`);
    assert.notEqual(now.etag, listed.etag);
    assert.deepEqual(shown(now.items), ["a new new", "a old new", "c new new"]);
    const tomorrow = { acceptDateTime: new Date(Date.now() + 86_400_000) };
    assert.equal((await every(store.listConfigurationSettings(tomorrow))).length, 3);
  });

  proves(["A1", "A2", "A16", "A17", "A20", "A21"], "keys, labels and revisions as they were", async () => {
    const { url, store, then } = await past();
    const send = bearing(url);
    const options = { headers: { "accept-datetime": then.toUTCString() } };
    const [keys] = await getAndHead(send, "/keys", options);
    assert.deepEqual(keys.json(), { items: [{ name: "a" }, { name: "b" }] });
    const labels = await every(store.listLabels({ acceptDateTime: then }));
    assert.deepEqual(labels, [{ name: "old" }]);
    const revisions = await every(store.listRevisions({ acceptDateTime: then }));
    assert.deepEqual(
      revisions.map((item) => [item.key, item.value]),
      [
        ["a", "old"],
        ["b", "old"],
      ],
    );
    for (const path of ["/keys", "/labels", "/revisions"]) {
      const [, head] = await getAndHead(send, path, options);
      assert.ok(head.header("memento-datetime"));
      assert.match(head.header("link"), /rel="original"/);
    }
  });

  proves(["A3"], "a listing of the past goes on over its pages", async () => {
    const store = fresh();
    let made;
    for (let n = 0; n < 101; n += 1) made = await store.setConfigurationSetting({ key: `k${100 + n}`, value: "old" });
    await sleep(2100);
    await store.setConfigurationSetting({ key: "k200", value: "new" });
    await store.setConfigurationSetting({ key: "k300", value: "new" });
    const acceptDateTime = new Date(made.lastModified.getTime() + 1000);
    const found = (await byPage(store.listConfigurationSettings({ acceptDateTime }))).map((page) => page.items);
    assert.deepEqual(lengths(found), [100, 1]);
    assert.deepEqual([found[1][0].key, found[1][0].value], ["k200", "old"]);
  });
});
