/** Keys: soft delete, recovery, purge, backup and restore. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { elsewhere, every, finished, home, pages, remote, vaultAt } from "../clients.js";
import { badParameter, conflict, deletedName, keyNotFound, lengths, refused, sameMembers } from "../expect.js";
import { digestOf, flip, generate, privateJwk, publicOf, verify } from "../independent.js";
import { freshVault, unique } from "../settings.js";
import { proves } from "../tally.js";

const NINETY_DAYS = 90 * 86_400_000;

describe("the life of keys", { concurrency: 8 }, () => {
  proves(["K4", "K13", "K18", "K19", "K21"], "delete and recover bring every version back", async () => {
    const { keys, url } = await home();
    const name = unique("recover");
    const first = await keys.createEcKey(name, { tags: { a: "b" } });
    const second = await keys.createEcKey(name);

    const deleted = await finished(keys.beginDeleteKey(name));
    assert.deepEqual([deleted.id, deleted.key], [second.id, second.key]);
    assert.equal(deleted.properties.recoveryId, `${url}/deletedkeys/${name}`);
    assert.equal(deleted.properties.scheduledPurgeDate - deleted.properties.deletedOn, NINETY_DAYS);
    await refused(keys.getKey(name), keyNotFound, "not found");
    await refused(remote(first).sign("ES256", Buffer.alloc(32)), keyNotFound);
    const live = await every(keys.listPropertiesOfKeys());
    assert.ok(!live.some((item) => item.name === name));

    assert.deepEqual(await keys.getDeletedKey(name), deleted);
    const listed = (await every(keys.listDeletedKeys())).filter((item) => item.name === name);
    assert.deepEqual(
      listed.map((item) => [item.id, item.properties.recoveryId]),
      [[`${url}/keys/${name}`, deleted.properties.recoveryId]],
    );

    assert.equal((await finished(keys.beginRecoverDeletedKey(name))).id, second.id);
    assert.deepEqual(await keys.getKey(name, { version: first.properties.version }), first);
    const message = Buffer.from("recovered");
    const { result } = await remote(first).sign("ES256", digestOf("ES256", message));
    assert.ok(verify("ES256", publicOf(first.key), message, result));
    await refused(keys.getDeletedKey(name), keyNotFound);
  });

  proves(["K1", "K3", "K4"], "create and import over a deleted key are conflicts", async () => {
    const { keys } = await home();
    const name = unique("conflict");
    await keys.createEcKey(name);
    await finished(keys.beginDeleteKey(name));
    await refused(keys.createEcKey(name), deletedName, "deleted but recoverable");
    const { privateKey } = await generate("P-256");
    await refused(keys.importKey(name, privateJwk(privateKey)), deletedName, name);
    await refused(keys.beginDeleteKey(name), keyNotFound);
  });

  proves(["K4", "K20"], "purge is the end, and the name is free again", async () => {
    const { keys } = await home();
    const name = unique("purge");
    const made = await keys.createEcKey(name);
    await finished(keys.beginDeleteKey(name));
    assert.equal(await keys.purgeDeletedKey(name), undefined);
    await refused(keys.getDeletedKey(name), keyNotFound);
    await refused(keys.purgeDeletedKey(name), keyNotFound);
    await refused(keys.getKey(name), keyNotFound);
    assert.notEqual((await keys.createEcKey(name)).id, made.id);
    assert.equal((await every(keys.listPropertiesOfKeyVersions(name))).length, 1);
  });

  proves(["K4", "K18", "K20"], "thirty deleted keys are two pages", async () => {
    const { keys } = await vaultAt(freshVault("conf-js"));
    const names = Array.from({ length: 30 }, (_, n) => `deleted-${n}`);
    for (const name of names) {
      await keys.createEcKey(name);
      await finished(keys.beginDeleteKey(name));
    }
    const listed = await pages(keys.listDeletedKeys());
    assert.deepEqual(lengths(listed), [25, 5]);
    sameMembers(
      listed.flat().map((item) => item.name),
      names,
    );
    assert.deepEqual(lengths(await pages(keys.listDeletedKeys(), 12)), [12, 12, 6]);
    for (const name of names) await keys.purgeDeletedKey(name);
    assert.deepEqual(await every(keys.listDeletedKeys()), []);
  });

  proves(["K9", "K10", "K13", "K14"], "a backup restores all versions in another vault", async () => {
    const [here, there, name] = [await home(), await elsewhere(), unique("backup")];
    const first = await here.keys.createEcKey(name, { tags: { a: "b" } });
    const second = await here.keys.createRsaKey(name, { keyOps: ["sign", "verify"] });
    const message = Buffer.from("signed before");
    const before = (await remote(first).sign("ES256", digestOf("ES256", message))).result;
    const blob = await here.keys.backupKey(name);
    assert.ok(blob instanceof Uint8Array && blob.length > 64);

    const restored = await there.keys.restoreKeyBackup(blob);
    assert.equal(restored.id, `${there.url}/keys/${name}/${second.properties.version}`);
    assert.deepEqual([restored.key.n, restored.keyOperations], [second.key.n, second.keyOperations]);
    const versions = await every(there.keys.listPropertiesOfKeyVersions(name));
    sameMembers(
      versions.map((item) => item.version),
      [first.properties.version, second.properties.version],
    );
    const moved = await there.keys.getKey(name, { version: first.properties.version });
    assert.deepEqual(moved.properties.tags, { a: "b" });
    assert.deepEqual(moved.properties.createdOn, first.properties.createdOn);
    assert.deepEqual(moved.properties.updatedOn, first.properties.updatedOn);
    assert.equal((await remote(moved).verify("ES256", digestOf("ES256", message), before)).result, true);
    const after = (await remote(moved).sign("ES256", digestOf("ES256", message))).result;
    assert.ok(verify("ES256", publicOf(first.key), message, after));
    await refused(there.keys.restoreKeyBackup(blob), conflict);
  });

  proves(["K9", "K10", "K20"], "restore over a deleted name waits for the purge", async () => {
    const { keys } = await home();
    const name = unique("restore");
    const made = await keys.createEcKey(name);
    const blob = await keys.backupKey(name);
    await finished(keys.beginDeleteKey(name));
    await refused(keys.restoreKeyBackup(blob), deletedName);
    await keys.purgeDeletedKey(name);
    assert.equal((await keys.restoreKeyBackup(blob)).id, made.id);
  });

  proves(["K9", "K10", "S11"], "a changed backup is refused, and so is a secret's", async () => {
    const [here, there, name] = [await home(), await elsewhere(), unique("tamper")];
    await here.keys.createEcKey(name);
    await here.secrets.setSecret(name, "a secret's blob restores no key");
    const blob = Buffer.from(await here.keys.backupKey(name));
    const middle = Math.floor(blob.length / 2);
    const others = [blob.subarray(0, -1), Buffer.from("nothing"), await here.secrets.backupSecret(name)];
    for (const changed of [flip(blob, 0), flip(blob, middle), flip(blob), ...others]) {
      await refused(there.keys.restoreKeyBackup(changed), badParameter);
    }
  });
});
