/** Who may do what with an App Configuration store: access keys, tokens, sync tokens. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { AppConfigurationClient } from "@azure/app-configuration";
import { ClientSecretCredential } from "@azure/identity";

import { credential, every, identityOptions } from "../clients.js";
import { byKey, byPage, byToken, fresh, provesBoth, revisionsOf, snapshot } from "../config-clients.js";
import { accessKey, bearing, empty, getAndHead, media, problem, signing, storeScope } from "../config-wire.js";
import { configRefused, contains, failure } from "../expect.js";
import { freshStore, resource, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

const READS = ["A1", "A2", "A3", "A4", "A5", "A8", "A9", "A10", "A11", "A12", "A15", "A16", "A17", "A20", "A21"];
const WRITES = ["A6", "A7", "A13", "A14", "A18", "A19"];
const reading = () => byKey(settings.readOnlyConnectionString);
const connection = ({ endpoint, id, secret }) =>
  `Endpoint=${endpoint};Id=${id};Secret=${Buffer.from(secret).toString("base64")}`;

const given = () => accessKey(settings.connectionString);
const reader = () => accessKey(settings.readOnlyConnectionString);

const WRONG_KEYS = {
  "a wrong secret": () => connection({ ...given(), secret: "not the secret of this key, not " }),
  "an unknown id": () => connection({ ...given(), id: "unknown" }),
  "the id of another key": () => connection({ ...given(), id: reader().id }),
  "another store": () => connection({ ...given(), endpoint: freshStore() }),
};

/** A credential that always gives the same token, whatever it is worth. */
const fixed = (token) => ({ getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) });
const tokenFor = async (scope) => (await credential.getToken(scope)).token;

const WRONG_TOKENS = {
  "that is none": () => "garbage",
  "with another signature": async () =>
    (await tokenFor(storeScope())).replace(/[^.]+$/, (part) => "A".repeat(part.length)),
  "for a vault": () => tokenFor(`${resource()}/.default`),
};

describe("access to a store", { concurrency: 8 }, () => {
  proves(["A3", "A5", "A6", "A7"], "both authentications see the same store", async () => {
    const key = unique("both");
    const made = await byKey().setConfigurationSetting({ key, value: "by key" });
    assert.deepEqual(await byToken().getConfigurationSetting({ key }), { ...made, statusCode: 200 });
    await byToken().setConfigurationSetting({ key, value: "by token" });
    const [item] = await every(byKey().listConfigurationSettings({ keyFilter: key }));
    assert.equal(item.value, "by token");
    assert.equal((await byKey().deleteConfigurationSetting({ key })).value, "by token");
  });

  proves(READS, "the read-only key reads everything", async () => {
    const [writer, store, send] = [byKey(), reading(), signing(settings.readOnlyConnectionString)];
    const key = unique("reader");
    await writer.setConfigurationSetting({ key, label: key, value: "v" });
    await snapshot(writer, [{ keyFilter: key, labelFilter: key }], { name: key });
    assert.equal((await store.getConfigurationSetting({ key, label: key })).value, "v");
    assert.equal((await every(store.listConfigurationSettings({ keyFilter: key }))).length, 1);
    assert.equal((await every(store.listConfigurationSettingsForSnapshot(key))).length, 1);
    assert.equal((await byPage(store.checkConfigurationSettings({ keyFilter: key }))).length, 1);
    assert.equal((await revisionsOf(store, key)).length, 1);
    assert.deepEqual(await every(store.listLabels({ nameFilter: key })), [{ name: key }]);
    assert.equal((await store.getSnapshot(key)).itemCount, 1);
    assert.equal((await every(store.listSnapshots({ nameFilter: key }))).length, 1);
    for (const path of [
      `/keys?name=${key}`,
      `/kv?key=${key}`,
      `/kv/${key}?label=${key}`,
      `/labels?name=${key}`,
      `/revisions?key=${key}`,
      `/snapshots?name=${key}`,
      `/snapshots/${key}`,
    ]) {
      const [got] = await getAndHead(send, path);
      assert.equal(got.status, 200, path);
    }
    assert.equal((await send("GET", `/operations?snapshot=${key}`)).status, 200);
  });

  proves(WRITES, "the read-only key changes nothing", async () => {
    const [writer, store, key] = [byKey(), reading(), unique("reader")];
    const made = await writer.setConfigurationSetting({ key, value: "v" });
    await snapshot(writer, [{ keyFilter: key }], { name: key });
    for (const call of [
      () => store.setConfigurationSetting({ key, value: "w" }),
      () => store.setConfigurationSetting({ key, value: "v" }),
      () => store.addConfigurationSetting({ key: unique("new"), value: "w" }),
      () => store.deleteConfigurationSetting({ key }),
      () => store.deleteConfigurationSetting({ key: unique("none") }),
      () => store.setReadOnly({ key }, true),
      () => store.setReadOnly({ key }, false),
      () => store.beginCreateSnapshot({ name: unique("new"), filters: [{ keyFilter: key }] }),
      () => store.archiveSnapshot(key),
      () => store.recoverSnapshot(key),
    ]) {
      await configRefused(call(), 403);
    }
    const put = await signing(settings.readOnlyConnectionString)("PUT", `/kv/${key}`, { body: { value: "w" } });
    empty(put, 403);
    assert.equal((await writer.getConfigurationSetting({ key })).etag, made.etag);
    assert.equal((await writer.getSnapshot(key)).status, "ready");
  });

  for (const [what, wrong] of Object.entries(WRONG_KEYS)) {
    proves(["A3", "A4", "A5", "A6"], `a connection string with ${what} is unauthorized`, async () => {
      const store = byKey(wrong());
      for (const call of [
        () => store.getConfigurationSetting({ key: "any" }),
        () => store.setConfigurationSetting({ key: unique("no"), value: "v" }),
        () => every(store.listConfigurationSettings()),
        () => byPage(store.checkConfigurationSettings()),
      ]) {
        await configRefused(call(), 401);
      }
      const answer = empty(await signing(wrong())("GET", "/kv"), 401);
      contains(answer.header("www-authenticate"), "HMAC-SHA256");
      contains(answer.header("www-authenticate"), "invalid_token");
    });
  }

  for (const [what, token] of Object.entries(WRONG_TOKENS)) {
    proves(["A3", "A5", "A6"], `a token ${what} is unauthorized`, async () => {
      const store = new AppConfigurationClient(settings.storeUrl, fixed(await token()));
      for (const call of [
        () => store.getConfigurationSetting({ key: "any" }),
        () => store.setConfigurationSetting({ key: unique("no"), value: "v" }),
        () => every(store.listConfigurationSettings()),
      ]) {
        await configRefused(call(), 401);
      }
    });
  }

  proves(["A5"], "a wrong client secret never reaches the store", async () => {
    const { tenantId, clientId, storeUrl } = settings;
    const wrong = new ClientSecretCredential(tenantId, clientId, "not-the-secret", identityOptions);
    const { message } = await failure(
      new AppConfigurationClient(storeUrl, wrong).getConfigurationSetting({ key: "any" }),
    );
    contains(message, "AADSTS7000215");
    assert.ok(!message.includes("not-the-secret"));
  });

  proves(["A3", "A5", "A6"], "stores are apart, and made on demand", async () => {
    const [first, second] = [fresh(), fresh()];
    await first.setConfigurationSetting({ key: "k", value: "first" });
    assert.deepEqual(await every(second.listConfigurationSettings()), []);
    await second.setConfigurationSetting({ key: "k", value: "second" });
    assert.equal((await first.getConfigurationSetting({ key: "k" })).value, "first");
  });

  provesBoth(["A5", "A6"], "sync tokens are taken and given", async (store) => {
    const key = unique("sync");
    store.updateSyncToken("jtqGc1I4=MDoyOA==;sn=28");
    const made = await store.setConfigurationSetting({ key, value: "v" });
    store.updateSyncToken("other=MQ==;sn=9007199254740993,jtqGc1I4=MDoyOQ==;sn=29");
    assert.equal((await store.getConfigurationSetting({ key })).etag, made.etag);
  });

  for (const token of ["garbage", "kv=", "=;sn=;", "kv=MA==;sn=99999999999", "a=b;sn=1,c=d;sn=x"]) {
    proves(["A5", "A6"], `the sync token "${token}" breaks nothing`, async () => {
      const [send, target] = [signing(), `/kv/${unique("sync")}`];
      const headers = { "sync-token": token };
      assert.equal((await send("PUT", target, { headers, body: { value: "v" } })).status, 200);
      const answer = await send("GET", target, { headers });
      assert.deepEqual([answer.status, answer.json().value], [200, "v"]);
      for (const part of answer.header("sync-token").split(",")) assert.match(part, /^[^=;]+=[^;]*;sn=\d+$/);
    });
  }
});

describe("what a store says on the wire", { concurrency: 8 }, () => {
  proves(["A5", "A6"], "a key-value writes its nulls", async () => {
    const [send, key] = [signing(), unique("nulls")];
    const put = await send("PUT", `/kv/${key}`, { body: { value: null } });
    assert.deepEqual([put.status, put.header("content-type")], [200, media("kv")]);
    const { etag, last_modified: modified, ...rest } = put.json();
    const nothing = { label: null, content_type: null, value: null, description: null };
    assert.deepEqual(rest, { key, ...nothing, tags: {}, locked: false });
    assert.equal(put.header("etag"), `"${etag}"`);
    assert.match(modified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
    assert.equal(Object.keys(put.json())[0], "etag");
  });

  for (const version of ["2023-11-01", "2024-09-01", "2026-03-01-preview"]) {
    proves(["A3", "A5", "A6"], `the api-version ${version} is spoken too`, async () => {
      const store = byToken(settings.storeUrl, { apiVersion: version });
      const key = unique("version");
      await store.setConfigurationSetting({ key, value: "v", tags: { a: "b" } });
      assert.equal((await store.getConfigurationSetting({ key })).value, "v");
      const [page] = await byPage(store.listConfigurationSettings({ keyFilter: key, tagsFilter: ["a=b"] }));
      assert.deepEqual([page.items.length, typeof page.etag], [1, "string"]);
    });
  }

  proves(["A5"], "an api-version that is none is refused", async () => {
    problem(await bearing()("GET", "/kv/any", { version: "yesterday" }), 400, "invalid-argument", "api-version");
  });

  proves(["A6", "A7", "A18"], "the lengths of names and tags are bounded", async () => {
    const [store, long] = [byToken(), "l".repeat(256)];
    const key = unique("").padEnd(256, "k");
    const made = await store.setConfigurationSetting({ key, label: long, value: "v", tags: { [long]: long } });
    assert.deepEqual([made.key, made.label, made.tags], [key, long, { [long]: long }]);
    for (const wrong of [
      { key: `${key}k` },
      { key, label: `${long}l` },
      { key, tags: { [`${long}l`]: "v" } },
      { key, tags: { t: `${long}l` } },
      { key, tags: { t: "line\nline" } },
      { key, contentType: "a\nb" },
      { key: "a\nb" },
    ]) {
      await configRefused(store.setConfigurationSetting({ value: "v", ...wrong }), 400, "invalid-argument");
    }
  });

  proves(["A5", "A6"], "what is no operation is refused", async () => {
    const send = bearing();
    for (const [method, target] of [
      ["PUT", "/kv"],
      ["POST", "/kv/any"],
      ["PATCH", "/kv/any"],
    ]) {
      assert.equal((await send(method, target, { body: { value: "v" } })).status, 405, `${method} ${target}`);
    }
  });

  proves(["A3"], "a continuation that is none is refused", async () => {
    problem(await bearing()("GET", "/kv?after=garbage!"), 400, "invalid-argument");
  });
});
