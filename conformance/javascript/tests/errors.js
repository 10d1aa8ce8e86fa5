/** The errors that users catch: what is not there, and arguments that are refused. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { every, home, onShelf, remote } from "../clients.js";
import { badParameter, contains, keyNotFound, refused, secretNotFound } from "../expect.js";
import { unique } from "../settings.js";
import { proves } from "../tally.js";

const NO_VERSION = "0".repeat(32);
const BAD_NAMES = ["bad_name", "bad.name", "bad name", "näme", "a".repeat(128)];

describe("errors", { concurrency: 8 }, () => {
  proves(["S2", "S3", "S4", "S6", "S8", "S9", "S10", "S11"], "a secret that is not there is not found", async () => {
    const { secrets } = await home();
    const name = unique("none");
    for (const call of [
      () => secrets.getSecret(name),
      () => secrets.getSecret(name, { version: NO_VERSION }),
      () => secrets.updateSecretProperties(name, "", { enabled: true }),
      () => secrets.beginDeleteSecret(name),
      () => secrets.backupSecret(name),
      () => secrets.getDeletedSecret(name),
      () => secrets.purgeDeletedSecret(name),
      () => secrets.beginRecoverDeletedSecret(name),
    ]) {
      await refused(call(), secretNotFound, "not found");
    }
    // A listing's error has the package's own message.
    await refused(every(secrets.listPropertiesOfSecretVersions(name)), secretNotFound);
  });

  proves(["S4"], "the message of a missing secret names it and says what to do", async () => {
    const { secrets } = await home();
    const name = unique("none");
    const text = `A secret with (name/id) ${name} was not found in this key vault`;
    const { message } = await refused(secrets.getSecret(name), secretNotFound, text);
    contains(message, "you may be able to recover it");
    await secrets.setSecret(name, "v");
    await refused(secrets.getSecret(name, { version: NO_VERSION }), secretNotFound, `${name}/${NO_VERSION}`);
  });

  const keyOperations = ["K4", "K5", "K6", "K7", "K9", "K13", "K19", "K20", "K21"];
  proves(keyOperations, "a key that is not there is not found", async () => {
    const { keys, url } = await home();
    const name = unique("none");
    const nowhere = { id: `${url}/keys/${name}/${NO_VERSION}`, name, properties: { name, vaultUrl: url } };
    for (const call of [
      () => keys.getKey(name),
      () => keys.getKey(name, { version: NO_VERSION }),
      () => keys.updateKeyProperties(name, { enabled: true }),
      () => keys.beginDeleteKey(name),
      () => keys.backupKey(name),
      () => keys.getDeletedKey(name),
      () => keys.purgeDeletedKey(name),
      () => keys.beginRecoverDeletedKey(name),
      () => remote(nowhere).sign("ES256", Buffer.alloc(32)),
    ]) {
      await refused(call(), keyNotFound, "not found");
    }
    await refused(every(keys.listPropertiesOfKeyVersions(name)), keyNotFound);
    await refused(keys.getKey(name), keyNotFound, `A key with (name/id) ${name} was not found in this key vault`);
    const present = await onShelf("P-256");
    const text = `${present.name}/${NO_VERSION}`;
    await refused(keys.getKey(present.name, { version: NO_VERSION }), keyNotFound, text);
  });

  for (const name of BAD_NAMES) {
    proves(["S1", "S4", "K1", "K6"], `"${name}" is no name`, async () => {
      const { secrets, keys } = await home();
      await refused(secrets.setSecret(name, "v"), badParameter);
      await refused(secrets.getSecret(name), badParameter);
      await refused(keys.createEcKey(name), badParameter);
      await refused(keys.getKey(name), badParameter);
    });
  }

  proves(["S1", "S4"], "the longest name and a name that starts with a digit are names", async () => {
    const { secrets } = await home();
    for (const name of [unique("n".repeat(100)).padEnd(127, "x"), `7${unique("")}`]) {
      await secrets.setSecret(name, "v");
      assert.equal((await secrets.getSecret(name)).name, name);
    }
  });

  proves(["S1", "S3", "S6"], "the tags of secrets are bounded", async () => {
    const { secrets } = await home();
    const name = unique("tags");
    const fifteen = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`tag-${n}`, "v"]));
    assert.deepEqual((await secrets.setSecret(name, "v", { tags: fifteen })).properties.tags, fifteen);
    for (const tags of [{ ...fifteen, one: "more" }, { ["k".repeat(513)]: "v" }, { k: "v".repeat(513) }]) {
      await refused(secrets.setSecret(name, "v", { tags }), badParameter);
      await refused(secrets.updateSecretProperties(name, "", { tags }), badParameter);
    }
    assert.equal((await every(secrets.listPropertiesOfSecretVersions(name))).length, 1);
  });

  proves(["K1", "K5"], "the tags of keys are bounded", async () => {
    const { keys } = await home();
    const name = unique("tags");
    const tags = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`tag-${n}`, "v"]));
    await refused(keys.createEcKey(name, { tags }), badParameter);
    await keys.createEcKey(name);
    await refused(keys.updateKeyProperties(name, { tags }), badParameter);
  });

  proves(["S1"], "a content type has at most 255 characters", async () => {
    const { secrets } = await home();
    const name = unique("type");
    const longest = "t".repeat(255);
    assert.equal((await secrets.setSecret(name, "v", { contentType: longest })).properties.contentType, longest);
    await refused(secrets.setSecret(name, "v", { contentType: `${longest}t` }), badParameter);
  });
});
