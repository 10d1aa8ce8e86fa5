/** Lists of App Configuration: filters, fields, pages and their etags, keys and labels. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { every } from "../clients.js";
import { byPage, byToken, fill, fresh, provesBoth, shared } from "../config-clients.js";
import { bearing, getAndHead, media, problem, walk } from "../config-wire.js";
import { configRefused, lengths } from "../expect.js";
import { freshStore, unique } from "../settings.js";
import { proves } from "../tally.js";

const NULL = "\0";
const byOrder = (a, b) => (a < b ? -1 : 1);
const keysOf = (items) => items.map((item) => item.key);
const namesOf = (labels) => labels.map((label) => label.name);
const idsOf = (items) => items.map((item) => [item.key, item.label]);
const etagsOf = (pages) => pages.map((page) => page.etag.replaceAll('"', ""));

/** What the store of the filters below holds: key, label and tags. */
const SHOP = [
  ["shop/color", undefined, { team: "web", tier: "1" }],
  ["shop/color", "dev", { team: "web" }],
  ["shop/color", "prod", { team: "web", tier: "2" }],
  ["shop/size", undefined, { team: "data" }],
  ["shop/size", "prod", {}],
  ["Shop/color", undefined, { team: "Web" }],
  ["other", "prod-eu", { "a=b": "c,d" }],
  ["a,b*c\\d", "x,y", { "star*": "back\\slash" }],
  ["grüße", "東", { kéy: "京" }],
];

/** Filters, and how many of the settings above pass each. */
const FILTERS = [
  [{}, 9],
  [{ keyFilter: "*", labelFilter: "*" }, 9],
  [{ keyFilter: "shop/color" }, 3],
  [{ keyFilter: "shop/*" }, 5],
  [{ keyFilter: "Shop/*" }, 1],
  [{ keyFilter: "shop/size,other" }, 3],
  [{ labelFilter: NULL }, 3],
  [{ labelFilter: "prod" }, 2],
  [{ labelFilter: "prod*" }, 3],
  [{ labelFilter: `dev,${NULL}` }, 4],
  [{ keyFilter: "shop/*", labelFilter: "prod" }, 2],
  [{ keyFilter: "a\\,b\\*c\\\\d" }, 1],
  [{ keyFilter: "a\\,b\\**" }, 1],
  [{ labelFilter: "x\\,y" }, 1],
  [{ keyFilter: "grü*", labelFilter: "東" }, 1],
  [{ tagsFilter: ["team=web"] }, 3],
  [{ tagsFilter: ["team=web", "tier=2"] }, 1],
  [{ keyFilter: "shop/*", labelFilter: NULL, tagsFilter: ["team=web"] }, 1],
  [{ tagsFilter: ["a\\=b=c\\,d"] }, 1],
  [{ tagsFilter: ["star\\*=back\\\\slash"] }, 1],
  [{ tagsFilter: ["kéy=京"] }, 1],
  [{ keyFilter: "shop" }, 0],
];

const BAD_FILTERS = [
  ["key", { keyFilter: "a*b" }],
  ["key", { keyFilter: "a**" }],
  ["key", { keyFilter: "a\\" }],
  ["key", { keyFilter: "a,b,c,d,e,f" }],
  ["label", { labelFilter: "x*y" }],
  ["tags", { tagsFilter: ["a=b=c"] }],
  ["tags", { tagsFilter: ["=b"] }],
];

const shop = shared(async () => {
  const url = freshStore();
  const made = SHOP.map(([key, label, tags]) => ({ key, label, tags, value: "v", contentType: "text/plain" }));
  await fill(byToken(url), made);
  return url;
});

describe("filters", { concurrency: 8 }, () => {
  for (const [filters, count] of FILTERS) {
    proves(["A3", "A4", "A20"], `${count} of ${SHOP.length} settings pass ${JSON.stringify(filters)}`, async () => {
      const store = byToken(await shop());
      const found = await every(store.listConfigurationSettings({ ...filters }));
      assert.equal(found.length, count);
      assert.deepEqual(idsOf(await every(store.listRevisions({ ...filters }))), idsOf(found));
      const listed = await byPage(store.listConfigurationSettings({ ...filters }));
      const checked = await byPage(store.checkConfigurationSettings({ ...filters }));
      assert.deepEqual(etagsOf(checked), etagsOf(listed));
    });
  }

  for (const [name, filters] of BAD_FILTERS) {
    proves(["A3", "A4", "A20"], `${JSON.stringify(filters)} is refused`, async () => {
      const store = byToken(await shop());
      for (const listing of [store.listConfigurationSettings({ ...filters }), store.listRevisions({ ...filters })]) {
        const details = await configRefused(every(listing), 400, "invalid-argument");
        assert.equal(details.name, name);
      }
      await configRefused(byPage(store.checkConfigurationSettings({ ...filters })), 400);
    });
  }

  proves(["A3"], "the order is by key and then by label, the null label first", async () => {
    const store = byToken(await shop());
    const found = await every(store.listConfigurationSettings());
    assert.deepEqual(
      idsOf(found.filter((item) => item.key.startsWith("shop/"))),
      SHOP.slice(0, 5).map((made) => made.slice(0, 2)),
    );
    assert.deepEqual(keysOf(found), keysOf(found).sort(byOrder));
  });

  proves(["A3", "A20"], "lists select fields", async () => {
    const store = byToken(await shop());
    const one = { keyFilter: "shop/color", labelFilter: "prod" };
    for (const list of ["listConfigurationSettings", "listRevisions"]) {
      const [item] = await every(store[list]({ ...one, fields: ["key", "tags", "isReadOnly"] }));
      assert.deepEqual([item.key, item.tags, item.isReadOnly], ["shop/color", { team: "web", tier: "2" }, false]);
      const absent = [item.value, item.label, item.etag, item.contentType, item.lastModified];
      assert.deepEqual(absent, Array(5).fill(undefined));
      const [other] = await every(store[list]({ ...one, fields: ["value", "etag", "lastModified"] }));
      assert.deepEqual([other.key, other.value, typeof other.etag], [undefined, "v", "string"]);
      assert.ok(other.lastModified instanceof Date);
    }
  });

  proves(["A1", "A2"], "the keys", async () => {
    const send = bearing(await shop());
    const all = [...new Set(SHOP.map(([key]) => key))].sort(byOrder);
    for (const [name, expected] of [
      ["", all],
      ["shop/*", all.filter((key) => key.startsWith("shop/"))],
      ["a\\,b*", ["a,b*c\\d"]],
      ["none", []],
    ]) {
      const [got] = await getAndHead(send, name ? `/keys?name=${encodeURIComponent(name)}` : "/keys");
      assert.deepEqual([got.status, got.header("content-type")], [200, media("keyset")]);
      assert.deepEqual(got.json(), { items: expected.map((key) => ({ name: key })) });
    }
    problem(await send("GET", "/keys?name=a*b"), 400, "invalid-argument", "name");
  });

  proves(["A16", "A17"], "the labels", async () => {
    const [store, send] = [byToken(await shop()), bearing(await shop())];
    const all = [null, "dev", "prod", "prod-eu", "x,y", "東"];
    for (const [nameFilter, expected] of [
      [undefined, all],
      ["prod*", ["prod", "prod-eu"]],
      ["x\\,y", ["x,y"]],
      [NULL, [null]],
      [`${NULL},dev`, [null, "dev"]],
    ]) {
      const found = await every(store.listLabels({ nameFilter }));
      assert.deepEqual(namesOf(found), expected);
      const target = nameFilter ? `/labels?name=${encodeURIComponent(nameFilter)}` : "/labels";
      const [got] = await getAndHead(send, target);
      assert.deepEqual([got.status, got.header("content-type")], [200, media("labelset")]);
    }
    assert.deepEqual(namesOf(await every(store.listLabels({ fields: ["name"] }))), all);
    await configRefused(every(store.listLabels({ nameFilter: "a*b" })), 400, "invalid-argument");
  });

  provesBoth(["A3", "A5", "A16", "A20"], "queries of many characters are signed right", async (store) => {
    for (const tail of ["x y", "grüße/東京", "a=b:c", "~!'()[]{}|^`<>\"@:;$"]) {
      const key = unique("q") + tail;
      await store.setConfigurationSetting({ key, label: key, value: "v", tags: { t: key } });
      const filters = { keyFilter: key, labelFilter: key, tagsFilter: [`t=${key.replace("=", "\\=")}`] };
      for (const listing of [store.listConfigurationSettings({ ...filters }), store.listRevisions({ ...filters })]) {
        assert.deepEqual(idsOf(await every(listing)), [[key, key]]);
      }
      assert.deepEqual(namesOf(await every(store.listLabels({ nameFilter: key }))), [key]);
      assert.equal((await store.getConfigurationSetting({ key, label: key })).value, "v");
    }
  });
});

/** Unicode and punctuation, so that a page's continuation has bytes of every kind. */
const PAGED = Array.from({ length: 230 }, (_, n) => `ÿ¿>?東/${String(n).padStart(3, "0")}`);
const LABELS = Array.from({ length: 120 }, (_, n) => `l${String(n).padStart(3, "0")}`);

const paged = shared(async () => {
  const url = freshStore();
  const settings = PAGED.map((key) => ({ key, value: key, tags: { p: "1" } }));
  await fill(byToken(url), [...settings, ...LABELS.map((label) => ({ key: "one,key", label, value: "v" }))]);
  return url;
});

describe("pages", { concurrency: 8 }, () => {
  for (const list of ["listConfigurationSettings", "listRevisions"]) {
    proves([list === "listRevisions" ? "A20" : "A3"], `${list} has pages of a hundred`, async () => {
      const store = byToken(await paged());
      const byLabel = { keyFilter: "ÿ*", labelFilter: NULL };
      for (const filters of [{ keyFilter: "ÿ*" }, byLabel, { ...byLabel, tagsFilter: ["p=1"] }]) {
        const items = (await byPage(store[list](filters))).map((page) => page.items);
        assert.deepEqual(lengths(items), [100, 100, 30]);
        assert.deepEqual(keysOf(items.flat()), PAGED);
      }
      const many = { keyFilter: "one\\,key", labelFilter: "l*", fields: ["label"] };
      const labels = (await every(store[list](many))).map((item) => item.label);
      assert.deepEqual(labels, LABELS);
      assert.equal((await every(store[list]({}))).length, PAGED.length + LABELS.length);
    });
  }

  proves(["A3"], "a listing goes on where its continuation token says", async () => {
    const store = byToken(await paged());
    const listing = () => store.listConfigurationSettings({ keyFilter: "ÿ*" });
    const { value: first } = await listing().byPage().next();
    const rest = await every(listing().byPage({ continuationToken: first.continuationToken }));
    assert.deepEqual(keysOf(rest.flatMap((page) => page.items)), PAGED.slice(100));
  });

  proves(["A1", "A2"], "the keys have pages of a hundred", async () => {
    const send = bearing(await paged());
    const answers = await walk(send, "GET", "/keys");
    const found = answers.map((answer) => answer.json().items.map((item) => item.name));
    assert.deepEqual([found[0].length, found.flat()], [100, ["one,key", ...PAGED].sort(byOrder)]);
    assert.ok(answers[0].header("link").startsWith(`<${answers[0].json()["@nextLink"]}>`));
    const heads = await walk(send, "HEAD", `/keys?name=${encodeURIComponent("ÿ*")}`);
    assert.deepEqual(
      heads.map((head) => [head.status, head.text]),
      Array(3).fill([200, ""]),
    );
  });

  proves(["A16", "A17"], "the labels have pages of a hundred", async () => {
    const [store, send] = [byToken(await paged()), bearing(await paged())];
    const found = (await byPage(store.listLabels({ nameFilter: "l*" }))).map((page) => namesOf(page.items));
    assert.deepEqual([lengths(found), found.flat()], [[100, 20], LABELS]);
    assert.deepEqual(namesOf(await every(store.listLabels())), [null, ...LABELS]);
    assert.equal((await walk(send, "HEAD", "/labels?name=l*")).length, 2);
  });

  proves(["A3", "A4", "A20", "A21"], "HEAD has the headers of GET, without its body", async () => {
    const send = bearing(await paged());
    for (const path of ["/kv", "/revisions"]) {
      const answers = await walk(send, "HEAD", `${path}?key=${encodeURIComponent("ÿ*")}`);
      assert.equal(answers.length, 3);
      const [got, head] = await getAndHead(send, path);
      assert.deepEqual([got.status, got.header("content-type")], [200, media("kvset")]);
      assert.ok(head.header("sync-token") && head.header("link"));
    }
  });

  proves(["A3", "A4"], "a page that has not changed is not sent again", async () => {
    const store = byToken(await paged());
    const filters = { keyFilter: "ÿ*" };
    const listed = await byPage(store.listConfigurationSettings({ ...filters }));
    const pageEtags = listed.map((page) => page.etag);
    assert.equal(new Set(pageEtags).size, 3);
    const sized = (status) => [status, status === 200 ? 100 : 0];
    const answered = async (list, etags) => {
      const found = await byPage(store[list]({ ...filters, pageEtags: etags }));
      return found.map((page) => [Number(page._response.status), page.items.length]);
    };
    const other = [pageEtags[0], "other", pageEtags[2]];
    assert.deepEqual(await answered("listConfigurationSettings", pageEtags), Array(3).fill([304, 0]));
    assert.deepEqual(await answered("checkConfigurationSettings", pageEtags), Array(3).fill([304, 0]));
    assert.deepEqual(await answered("listConfigurationSettings", other), [304, 200, 304].map(sized));
    assert.deepEqual(
      (await answered("checkConfigurationSettings", other)).map(([status]) => status),
      [304, 200, 304],
    );
  });

  proves(["A3", "A4"], "a page's etag follows what is on it", async () => {
    const store = fresh();
    const etag = async () => etagsOf(await byPage(store.listConfigurationSettings()))[0];
    const seen = [await etag()];
    for (const step of [
      () => store.setConfigurationSetting({ key: "a", value: "1" }),
      () => store.setReadOnly({ key: "a" }, true),
      () => store.setReadOnly({ key: "a" }, false),
      () => store.setConfigurationSetting({ key: "b", value: "1" }),
      () => store.deleteConfigurationSetting({ key: "b" }),
    ]) {
      await step();
      const now = await etag();
      assert.notEqual(now, seen.at(-1));
      assert.deepEqual(etagsOf(await byPage(store.checkConfigurationSettings())), [now]);
      seen.push(now);
    }
    await store.setConfigurationSetting({ key: "a", value: "1" });
    assert.equal(await etag(), seen.at(-1));
  });
});
