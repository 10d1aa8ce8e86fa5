/** The configuration provider and the feature management library, as an application uses them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  featureFlagContentType,
  featureFlagPrefix,
  secretReferenceContentType,
  snapshotReferenceContentType,
} from "@azure/app-configuration";
import { load } from "@azure/app-configuration-provider";

import { credential, home } from "../clients.js";
import { byKey, byToken, fill, snapshot } from "../config-clients.js";
import { failure } from "../expect.js";
import { freshStore, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

/** Node before 20.19 does not see that the package's modules are modules, but knows its CommonJS half. */
const require = createRequire(import.meta.url);
const { ConfigurationMapFeatureFlagProvider, FeatureManager } = require("@microsoft/feature-management");

/** The library's shortest time between two looks at the store, and a little more. */
const refreshIntervalInMs = 1000;
const pause = () => sleep(refreshIntervalInMs + 100);

/** Replica discovery is off: it asks the public DNS about the store's name. */
const loaded = (url, options) => load(url, credential, { replicaDiscoveryEnabled: false, ...options });
const loadedByKey = (text, options) => load(text, { replicaDiscoveryEnabled: false, ...options });

/** A new store, and settings put into it: key, value and the rest. */
async function storeWith(...made) {
  const url = freshStore();
  await fill(byToken(url), made);
  return { url, store: byToken(url) };
}

const flag = (id, enabled, conditions = {}, more = {}) => ({
  key: `${featureFlagPrefix}${id}`,
  contentType: featureFlagContentType,
  value: JSON.stringify({ id, enabled, conditions, ...more }),
});

const audience = (Audience) => ({ client_filters: [{ name: "Microsoft.Targeting", parameters: { Audience } }] });

/** Where the library puts a user on its scale of a hundred, by the published rule. */
function percentOf(user, feature) {
  const digest = createHash("sha256").update(`${user}\n${feature}`).digest();
  return (digest.readUInt32LE(0) / 0xffffffff) * 100;
}

describe("the provider", { concurrency: 8 }, () => {
  proves(["A3"], "selectors and prefixes", async () => {
    const { url } = await storeWith(
      { key: "app/color", value: "blue" },
      { key: "app/color", label: "prod", value: "red" },
      { key: "app/size", value: "7", contentType: "application/json" },
      { key: "app/db/hosts", value: '["a","b"]', contentType: "application/json; charset=utf-8" },
      { key: "app/size", label: "test", value: "8" },
      { key: "other", value: "unseen" },
      { key: "tagged", value: "web", tags: { team: "web" } },
      { key: "tagging", value: "none" },
    );
    const config = await loaded(url, {
      selectors: [
        { keyFilter: "app/*" },
        { keyFilter: "app/*", labelFilter: "prod" },
        { keyFilter: "tagg*", tagFilters: ["team=web"] },
      ],
      trimKeyPrefixes: ["app/"],
    });
    const expected = { color: "red", size: 7, "db/hosts": ["a", "b"], tagged: "web" };
    assert.deepEqual(Object.fromEntries(config), expected);
    const { db, ...flat } = config.constructConfigurationObject({ separator: "/" });
    assert.deepEqual([db, flat], [{ hosts: ["a", "b"] }, { color: "red", size: 7, tagged: "web" }]);
    const whole = await loaded(url);
    assert.deepEqual([whole.size, whole.get("app/color"), whole.get("other")], [6, "blue", "unseen"]);
  });

  proves(["A3"], "an access key is enough to load several pages", async () => {
    const prefix = unique("many");
    const made = Array.from({ length: 105 }, (_, n) => ({ key: `${prefix}/${n}`, value: String(n) }));
    await fill(byKey(), made);
    for (const text of [settings.connectionString, settings.readOnlyConnectionString]) {
      const config = await loadedByKey(text, {
        selectors: [{ keyFilter: `${prefix}/*` }],
        trimKeyPrefixes: [`${prefix}/`],
      });
      assert.deepEqual([config.size, config.get("104")], [105, "104"]);
    }
  });

  proves(["A3", "S1", "S4"], "Key Vault references are resolved", async () => {
    const { secrets, url: vaultUrl } = await home();
    const name = unique("resolved");
    const { properties: first } = await secrets.setSecret(name, "the first value");
    await secrets.setSecret(name, "the secret value");
    const contentType = secretReferenceContentType;
    const uri = `${vaultUrl}/secrets/${name}`;
    const { url } = await storeWith(
      { key: "plain", value: "v" },
      { key: "current", contentType, value: { secretId: uri } },
      { key: "pinned", contentType, value: JSON.stringify({ uri: `${uri}/${first.version}` }) },
    );
    for (const keyVaultOptions of [{ credential }, { secretClients: [secrets] }]) {
      const config = await loaded(url, { keyVaultOptions });
      const expected = { plain: "v", current: "the secret value", pinned: "the first value" };
      assert.deepEqual(Object.fromEntries(config), expected);
    }
  });

  proves(["A3", "S4"], "a reference to a secret that is not there fails the start", async () => {
    const secretId = `${settings.vaultUrl}/secrets/${unique("none")}`;
    const { url } = await storeWith({ key: "missing", contentType: secretReferenceContentType, value: { secretId } });
    const options = { keyVaultOptions: { credential }, startupOptions: { timeoutInMs: 2000 } };
    const error = await failure(loaded(url, options));
    assert.match(error.message, /load operation failed/i);
  });

  proves(["A3", "A5"], "a changed sentinel refreshes everything", async () => {
    const { url, store } = await storeWith({ key: "sentinel", value: "1" }, { key: "color", value: "blue" });
    const config = await loaded(url, {
      refreshOptions: { enabled: true, refreshIntervalInMs, watchedSettings: [{ key: "sentinel" }] },
    });
    let refreshes = 0;
    config.onRefresh(() => (refreshes += 1));
    await store.setConfigurationSetting({ key: "color", value: "red" });
    await pause();
    await config.refresh();
    assert.deepEqual([config.get("color"), refreshes], ["blue", 0]);
    await store.setConfigurationSetting({ key: "sentinel", value: "2" });
    await pause();
    await config.refresh();
    assert.deepEqual([config.get("color"), config.get("sentinel"), refreshes], ["red", "2", 1]);
    await pause();
    await config.refresh();
    assert.equal(refreshes, 1);
    await store.deleteConfigurationSetting({ key: "sentinel" });
    await pause();
    await config.refresh();
    assert.deepEqual([config.has("sentinel"), refreshes], [false, 2]);
  });

  proves(["A3"], "everything is watched by the etags of its pages", async () => {
    const made = Array.from({ length: 105 }, (_, n) => ({ key: `k${100 + n}`, value: "old" }));
    const { url, store } = await storeWith(...made);
    const config = await loaded(url, { refreshOptions: { enabled: true, refreshIntervalInMs } });
    let refreshes = 0;
    config.onRefresh(() => (refreshes += 1));
    await pause();
    await config.refresh();
    assert.equal(refreshes, 0);
    await store.setConfigurationSetting({ key: "k203", value: "new" });
    await pause();
    await config.refresh();
    assert.deepEqual([config.get("k203"), config.size, refreshes], ["new", 105, 1]);
    await store.deleteConfigurationSetting({ key: "k100" });
    await pause();
    await config.refresh();
    assert.deepEqual([config.has("k100"), config.size, refreshes], [false, 104, 2]);
  });

  proves(["A3", "A11", "A13"], "a snapshot is loaded as it was, by name and by reference", async () => {
    const { url, store } = await storeWith({ key: "app/color", value: "blue" }, { key: "app/size", value: "7" });
    const { name } = await snapshot(store, [{ keyFilter: "app/*" }]);
    await store.setConfigurationSetting({ key: "app/color", value: "red" });
    const config = await loaded(url, { selectors: [{ snapshotName: name }], trimKeyPrefixes: ["app/"] });
    assert.deepEqual(Object.fromEntries(config), { color: "blue", size: "7" });
    const contentType = snapshotReferenceContentType;
    await store.setConfigurationSetting({ key: "release", contentType, value: { snapshotName: name } });
    const referring = await loaded(url, { selectors: [{ keyFilter: "release" }] });
    assert.deepEqual(Object.fromEntries(referring), { "app/color": "blue", "app/size": "7" });
    const missing = await loaded(url, { selectors: [{ snapshotName: unique("none") }] });
    assert.equal(missing.size, 0);
  });
});

describe("feature management", { concurrency: 8 }, () => {
  proves(["A3"], "flags are on, off, or on for some", async () => {
    const soon = new Date(Date.now() + 3_600_000).toUTCString();
    const window = (Start, End) => ({ client_filters: [{ name: "Microsoft.TimeWindow", parameters: { Start, End } }] });
    const targeted = {
      Users: ["ana"],
      Groups: [{ Name: "ring0", RolloutPercentage: 100 }],
      DefaultRolloutPercentage: 0,
    };
    const { url } = await storeWith(
      flag("on", true),
      flag("off", false),
      { ...flag("on", false), label: "test" },
      flag("early", true, window(soon)),
      flag("open", true, window(undefined, soon)),
      flag("targeted", true, audience({ ...targeted, Exclusion: { Users: ["eve"] } })),
      flag("gradual", true, audience({ DefaultRolloutPercentage: 30 })),
      { key: "setting", value: "v" },
    );
    const config = await loaded(url, { featureFlagOptions: { enabled: true } });
    assert.deepEqual([...config.keys()].sort(), ["feature_management", "setting"]);
    const features = new FeatureManager(new ConfigurationMapFeatureFlagProvider(config));
    const all = ["early", "gradual", "off", "on", "open", "targeted"];
    assert.deepEqual((await features.listFeatureNames()).sort(), all);
    const states = { on: true, off: false, early: false, open: true, targeted: false, absent: false };
    for (const [name, state] of Object.entries(states)) assert.equal(await features.isEnabled(name), state, name);
    for (const [context, state] of [
      [{ userId: "ana" }, true],
      [{ userId: "bob" }, false],
      [{ userId: "bob", groups: ["ring0"] }, true],
      [{ userId: "eve", groups: ["ring0"] }, false],
    ]) {
      assert.equal(await features.isEnabled("targeted", context), state, JSON.stringify(context));
    }
    const users = Array.from({ length: 300 }, (_, n) => `user-${n}`);
    for (const userId of users) {
      assert.equal(await features.isEnabled("gradual", { userId }), percentOf(userId, "gradual") < 30, userId);
    }
  });

  proves(["A3"], "selected flags come with their variants", async () => {
    const variants = [
      { name: "small", configuration_value: { size: 1 } },
      { name: "large", configuration_value: { size: 9 } },
    ];
    const allocation = { default_when_enabled: "small", user: [{ variant: "large", users: ["ana"] }] };
    const { url } = await storeWith(
      { ...flag("shop-cart", true, {}, { variants, allocation }), label: "prod" },
      { ...flag("other", true), label: "prod" },
      flag("shop-search", true),
    );
    const selectors = [{ keyFilter: "shop-*", labelFilter: "prod" }];
    const config = await loaded(url, { featureFlagOptions: { enabled: true, selectors } });
    const features = new FeatureManager(new ConfigurationMapFeatureFlagProvider(config));
    assert.deepEqual(await features.listFeatureNames(), ["shop-cart"]);
    for (const [userId, size] of [
      ["ana", 9],
      ["bob", 1],
    ]) {
      const { configuration } = await features.getVariant("shop-cart", { userId });
      assert.deepEqual(configuration, { size });
    }
  });

  proves(["A3"], "a changed flag is refreshed", async () => {
    const { url, store } = await storeWith(flag("beta", false), { key: "setting", value: "v" });
    const refresh = { enabled: true, refreshIntervalInMs };
    const config = await loaded(url, { featureFlagOptions: { enabled: true, refresh } });
    const features = new FeatureManager(new ConfigurationMapFeatureFlagProvider(config));
    let refreshes = 0;
    config.onRefresh(() => (refreshes += 1));
    await pause();
    await config.refresh();
    assert.deepEqual([await features.isEnabled("beta"), refreshes], [false, 0]);
    await store.setConfigurationSetting(flag("beta", true));
    await pause();
    await config.refresh();
    assert.deepEqual([await features.isEnabled("beta"), refreshes], [true, 1]);
  });
});
