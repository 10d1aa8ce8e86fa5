/** Secrets: soft delete, recovery, purge, backup and restore. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { elsewhere, every, finished, home, pages, vaultAt } from "../clients.js";
import { badParameter, conflict, deletedName, lengths, refused, sameMembers, secretNotFound } from "../expect.js";
import { flip } from "../independent.js";
import { day, freshVault, unique } from "../settings.js";
import { proves } from "../tally.js";

const NINETY_DAYS = 90 * 86_400_000;

describe("the life of secrets", { concurrency: 8 }, () => {
  proves(["S2", "S7", "S8", "S10"], "delete and recover bring every version back", async () => {
    const { secrets, url } = await home();
    const name = unique("recover");
    const { properties: first } = await secrets.setSecret(name, "1", { tags: { a: "b" } });
    const { properties: second } = await secrets.setSecret(name, "2", { contentType: "text/plain" });

    const deleted = await finished(secrets.beginDeleteSecret(name));
    assert.deepEqual([deleted.name, deleted.properties.id, deleted.value], [name, second.id, undefined]);
    assert.equal(deleted.recoveryId, `${url}/deletedsecrets/${name}`);
    assert.equal(deleted.scheduledPurgeDate - deleted.deletedOn, NINETY_DAYS);
    await refused(secrets.getSecret(name), secretNotFound, "not found");
    await refused(secrets.getSecret(name, { version: first.version }), secretNotFound);
    const live = await every(secrets.listPropertiesOfSecrets());
    assert.ok(!live.some((item) => item.name === name));

    assert.deepEqual(await secrets.getDeletedSecret(name), deleted);
    const listed = (await every(secrets.listDeletedSecrets())).filter((item) => item.name === name);
    assert.equal(listed.length, 1);
    assert.deepEqual([listed[0].properties.id, listed[0].recoveryId], [`${url}/secrets/${name}`, deleted.recoveryId]);
    assert.equal(listed[0].properties.contentType, "text/plain");

    const recovered = await finished(secrets.beginRecoverDeletedSecret(name));
    assert.deepEqual([recovered.id, recovered.contentType], [second.id, "text/plain"]);
    assert.equal((await secrets.getSecret(name)).value, "2");
    const old = await secrets.getSecret(name, { version: first.version });
    assert.deepEqual([old.value, old.properties.tags, old.properties.createdOn], ["1", { a: "b" }, first.createdOn]);
    await refused(secrets.getDeletedSecret(name), secretNotFound);
  });

  proves(["S2", "S9"], "purge is the end, and the name is free again", async () => {
    const { secrets } = await home();
    const name = unique("purge");
    await secrets.setSecret(name, "gone");
    await finished(secrets.beginDeleteSecret(name));
    assert.equal(await secrets.purgeDeletedSecret(name), undefined);
    await refused(secrets.getDeletedSecret(name), secretNotFound);
    await refused(secrets.purgeDeletedSecret(name), secretNotFound);
    await refused(secrets.getSecret(name), secretNotFound);
    await secrets.setSecret(name, "again");
    assert.equal((await every(secrets.listPropertiesOfSecretVersions(name))).length, 1);
  });

  proves(["S2", "S7", "S9"], "thirty deleted secrets are two pages", async () => {
    const { secrets } = await vaultAt(freshVault("conf-js"));
    const names = Array.from({ length: 30 }, (_, n) => `deleted-${n}`);
    for (const name of names) {
      await secrets.setSecret(name, "v");
      await finished(secrets.beginDeleteSecret(name));
    }
    const listed = await pages(secrets.listDeletedSecrets());
    assert.deepEqual(lengths(listed), [25, 5]);
    sameMembers(
      listed.flat().map((item) => item.name),
      names,
    );
    assert.deepEqual(lengths(await pages(secrets.listDeletedSecrets(), 12)), [12, 12, 6]);
    for (const name of names) await secrets.purgeDeletedSecret(name);
    assert.deepEqual(await every(secrets.listDeletedSecrets()), []);
  });

  proves(["S1", "S2", "S10"], "set over a deleted secret is a conflict until it is recovered", async () => {
    const { secrets } = await home();
    const name = unique("conflict");
    await secrets.setSecret(name, "v");
    await finished(secrets.beginDeleteSecret(name));
    const error = await refused(secrets.setSecret(name, "v"), deletedName, "deleted but recoverable");
    assert.ok(error.message.includes(name));
    await refused(secrets.beginDeleteSecret(name), secretNotFound);
    await finished(secrets.beginRecoverDeletedSecret(name));
    assert.equal((await secrets.setSecret(name, "v2")).value, "v2");
  });

  proves(["S11", "S12"], "a backup restores all versions in another vault", async () => {
    const [here, there, name] = [await home(), await elsewhere(), unique("backup")];
    const { properties: first } = await here.secrets.setSecret(name, "1", { tags: { a: "b" } });
    const options = { contentType: "text/plain", expiresOn: day(5) };
    const { properties: second } = await here.secrets.setSecret(name, "2", options);
    const blob = await here.secrets.backupSecret(name);
    assert.ok(blob instanceof Uint8Array && blob.length > 64);

    const restored = await there.secrets.restoreSecretBackup(blob);
    assert.equal(restored.id, `${there.url}/secrets/${name}/${second.version}`);
    assert.deepEqual([restored.contentType, restored.expiresOn], ["text/plain", day(5)]);
    const old = await there.secrets.getSecret(name, { version: first.version });
    assert.deepEqual([old.value, old.properties.tags], ["1", { a: "b" }]);
    assert.deepEqual([old.properties.createdOn, old.properties.updatedOn], [first.createdOn, first.updatedOn]);
    assert.equal((await there.secrets.getSecret(name)).value, "2");
    await refused(here.secrets.restoreSecretBackup(blob), conflict);
  });

  proves(["S9", "S11", "S12"], "restore over a deleted name waits for the purge", async () => {
    const { secrets } = await home();
    const name = unique("restore");
    const made = await secrets.setSecret(name, "kept");
    const blob = await secrets.backupSecret(name);
    await finished(secrets.beginDeleteSecret(name));
    await refused(secrets.restoreSecretBackup(blob), deletedName);
    await secrets.purgeDeletedSecret(name);
    assert.equal((await secrets.restoreSecretBackup(blob)).id, made.properties.id);
    assert.equal((await secrets.getSecret(name)).value, "kept");
  });

  proves(["S11", "S12"], "a changed backup is refused", async () => {
    const [here, there, name] = [await home(), await elsewhere(), unique("tamper")];
    await here.secrets.setSecret(name, "secret in the blob");
    const blob = Buffer.from(await here.secrets.backupSecret(name));
    assert.ok(!blob.includes("secret in the blob"));
    const middle = Math.floor(blob.length / 2);
    const cut = [blob.subarray(0, -1), blob.subarray(0, 40), Buffer.from("nothing")];
    for (const changed of [flip(blob, 0), flip(blob, middle), flip(blob), ...cut]) {
      await refused(there.secrets.restoreSecretBackup(changed), badParameter);
    }
  });
});
