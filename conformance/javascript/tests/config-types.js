/** Feature flags and references: what the package has types of its own for, and the store keeps as it is. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import {
  featureFlagContentType,
  featureFlagPrefix,
  isFeatureFlag,
  isSecretReference,
  isSnapshotReference,
  parseFeatureFlag,
  parseSecretReference,
  parseSnapshotReference,
  secretReferenceContentType,
  snapshotReferenceContentType,
} from "@azure/app-configuration";

import { every } from "../clients.js";
import { provesBoth } from "../config-clients.js";
import { settings, unique } from "../settings.js";

describe("typed settings", { concurrency: 8 }, () => {
  provesBoth(["A3", "A5", "A6", "A7"], "a feature flag goes around", async (store) => {
    const id = unique("Beta");
    const clientFilters = [{ name: "Microsoft.Targeting", parameters: { Audience: { Users: ["ana"] } } }];
    const value = {
      id,
      enabled: true,
      description: "new pages",
      displayName: "Beta",
      conditions: { clientFilters, requirementType: "All" },
    };
    const key = `${featureFlagPrefix}${id}`;
    const flag = { key, label: "prod", contentType: featureFlagContentType, isReadOnly: false, value };
    const made = await store.addConfigurationSetting(flag);
    assert.ok(isFeatureFlag(made));
    assert.deepEqual(parseFeatureFlag(made).value, value);
    const got = await store.getConfigurationSetting({ key, label: "prod" });
    assert.deepEqual(parseFeatureFlag(got).value, value);

    const off = parseFeatureFlag(got);
    off.value.enabled = false;
    const changed = await store.setConfigurationSetting(off, { onlyIfUnchanged: true });
    assert.deepEqual(parseFeatureFlag(changed).value, { ...value, enabled: false });
    const keyFilter = `${featureFlagPrefix}${id}*`;
    const [listed] = await every(store.listConfigurationSettings({ keyFilter, labelFilter: "prod" }));
    assert.equal(parseFeatureFlag(listed).value.enabled, false);
    assert.equal((await store.deleteConfigurationSetting({ key, label: "prod" })).statusCode, 200);
  });

  provesBoth(["A5", "A6"], "a Key Vault reference goes around", async (store) => {
    const key = unique("reference");
    const value = { secretId: `${settings.vaultUrl}/secrets/some-secret` };
    const made = await store.setConfigurationSetting({ key, contentType: secretReferenceContentType, value });
    assert.equal(made.value, JSON.stringify({ uri: value.secretId }));
    const got = await store.getConfigurationSetting({ key });
    assert.ok(isSecretReference(got) && !isFeatureFlag(got));
    assert.deepEqual(parseSecretReference(got).value, value);
  });

  provesBoth(["A5", "A6"], "a snapshot reference goes around", async (store) => {
    const key = unique("reference");
    const value = { snapshotName: "some-snapshot" };
    await store.setConfigurationSetting({ key, contentType: snapshotReferenceContentType, value });
    const got = await store.getConfigurationSetting({ key });
    assert.ok(isSnapshotReference(got));
    assert.deepEqual(parseSnapshotReference(got).value, value);
  });

  provesBoth(["A5", "A6"], "the store looks into no value", async (store) => {
    for (const contentType of [featureFlagContentType, secretReferenceContentType, snapshotReferenceContentType]) {
      const key = `${featureFlagPrefix}${unique("broken")}`;
      await store.setConfigurationSetting({ key, contentType, value: "{not json" });
      const got = await store.getConfigurationSetting({ key });
      assert.deepEqual([got.value, got.contentType], ["{not json", contentType]);
    }
  });
});
