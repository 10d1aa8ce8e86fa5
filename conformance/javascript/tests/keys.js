/** Keys: creating, importing, reading, updating and listing them. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { every, home, imported, pages, remote, vaultAt } from "../clients.js";
import { lengths, rising, sameMembers } from "../expect.js";
import {
  CURVES,
  EC_SIGNATURES,
  KINDS,
  RSA_KINDS,
  RSA_OPERATIONS,
  digestOf,
  generate,
  kindOf,
  privateJwk,
  publicOf,
  sign,
  verify,
} from "../independent.js";
import { day, freshVault, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

describe("keys", { concurrency: 8 }, () => {
  for (const kind of KINDS) {
    proves(["K1", "K6"], `a new ${kind} key is of that kind and is read back`, async () => {
      const vault = await home();
      const name = unique("create");
      const made = await vault.createKey(name, kind);
      assert.equal(kindOf(publicOf(made.key)), kind);
      sameMembers(made.keyOperations, kind in CURVES ? ["sign", "verify"] : RSA_OPERATIONS);
      assert.match(made.properties.version, /^[0-9a-f]{32}$/);
      assert.equal(made.id, `${vault.url}/keys/${name}/${made.properties.version}`);
      assert.deepEqual(await vault.keys.getKey(name), made);
      assert.deepEqual(await vault.keys.getKey(name, { version: made.properties.version }), made);
    });
  }

  proves(["K1"], "without a size a key is RSA-2048, and without a curve P-256", async () => {
    const { keys } = await home();
    assert.equal(kindOf(publicOf((await keys.createKey(unique("plain"), "RSA")).key)), "RSA-2048");
    assert.equal(kindOf(publicOf((await keys.createKey(unique("plain"), "EC")).key)), "P-256");
  });

  proves(["K1", "K6"], "a new key has the ordinary attributes", async () => {
    const { keys } = await home();
    const name = unique("attributes");
    const { key, keyType, properties } = await keys.createRsaKey(name);
    assert.deepEqual([keyType, Buffer.from(key.e).toString("hex")], ["RSA", "010001"]);
    assert.deepEqual([properties.enabled, properties.managed, properties.exportable], [true, undefined, false]);
    assert.deepEqual([properties.recoveryLevel, properties.recoverableDays], ["Recoverable+Purgeable", 90]);
    assert.deepEqual([properties.hsmPlatform, properties.vaultUrl], ["0", settings.vaultUrl]);
    assert.ok(Math.abs(properties.createdOn - Date.now()) < 300_000 && properties.updatedOn >= properties.createdOn);
  });

  proves(["K1", "K6"], "a key is created with everything that the options can say", async () => {
    const { keys } = await home();
    const name = unique("full");
    await keys.createRsaKey(name, {
      keySize: 2048,
      keyOps: ["sign", "verify"],
      enabled: false,
      tags: { team: "payments" },
      notBefore: day(-1),
      expiresOn: day(1),
    });
    const { keyOperations, properties } = await keys.getKey(name);
    sameMembers(keyOperations, ["sign", "verify"]);
    assert.deepEqual([properties.enabled, properties.tags], [false, { team: "payments" }]);
    assert.deepEqual([properties.notBefore, properties.expiresOn], [day(-1), day(1)]);
  });

  proves(["K1", "K6", "K7"], "creating again is a new version, which may be of another type", async () => {
    const { keys } = await home();
    const name = unique("again");
    const first = await keys.createRsaKey(name, { tags: { a: "b" } });
    const second = await keys.createEcKey(name);
    assert.equal(second.properties.tags, undefined);
    assert.deepEqual(await keys.getKey(name), second);
    assert.deepEqual(await keys.getKey(name, { version: first.properties.version }), first);
    const versions = await every(keys.listPropertiesOfKeyVersions(name));
    sameMembers(
      versions.map((item) => item.id),
      [first.id, second.id],
    );
    assert.ok(versions.every((item) => item.name === name && item.createdOn));
  });

  proves(["K5"], "an update changes only what it names", async () => {
    const { keys } = await home();
    const name = unique("update");
    const made = await keys.createRsaKey(name, { tags: { a: "1" } });
    const { version } = made.properties;
    const first = await keys.updateKeyProperties(name, version, { expiresOn: day(9) });
    assert.deepEqual([first.properties.tags, first.properties.expiresOn], [{ a: "1" }, day(9)]);
    sameMembers(first.keyOperations, RSA_OPERATIONS);
    const second = await keys.updateKeyProperties(name, version, { keyOps: ["verify"], tags: {}, notBefore: day(-9) });
    assert.deepEqual([second.keyOperations, second.properties.tags], [["verify"], {}]);
    assert.deepEqual([second.properties.notBefore, second.properties.expiresOn], [day(-9), day(9)]);
    const third = await keys.updateKeyProperties(name, { enabled: false });
    assert.deepEqual([third.properties.enabled, third.id, third.key.n], [false, made.id, made.key.n]);
    rising(...[made, first, second, third].map((key) => key.properties.updatedOn));
  });

  proves(["K5", "K6"], "an update without a version means the latest", async () => {
    const { keys } = await home();
    const name = unique("update-latest");
    const old = await keys.createEcKey(name);
    const latest = await keys.createEcKey(name);
    assert.equal((await keys.updateKeyProperties(name, { tags: { latest: "yes" } })).id, latest.id);
    assert.equal((await keys.getKey(name, { version: old.properties.version })).properties.tags, undefined);
  });

  for (const kind of KINDS) {
    proves(["K3", "K13", "K14"], `an imported ${kind} key signs as the local key does`, async () => {
      const { local, key } = await imported(kind);
      assert.ok(publicOf(key.key).equals(local.publicKey));
      const [curved] = Object.keys(EC_SIGNATURES).filter((algorithm) => EC_SIGNATURES[algorithm] === kind);
      for (const algorithm of RSA_KINDS.includes(kind) ? ["RS256", "PS512"] : [curved]) {
        const message = Buffer.from(`imported ${kind}`);
        const digest = digestOf(algorithm, message);
        const { result } = await remote(key).sign(algorithm, digest);
        assert.ok(verify(algorithm, local.publicKey, message, result));
        const theirs = sign(algorithm, local.privateKey, message);
        assert.equal((await remote(key).verify(algorithm, digest, theirs)).result, true);
      }
    });
  }

  proves(["K3", "K6"], "an import over an active name is a new version", async () => {
    const { keys } = await home();
    const name = unique("import-again");
    const first = await keys.createEcKey(name);
    const { privateKey } = await generate("P-256");
    const options = { enabled: false, notBefore: day(-3), expiresOn: day(3), tags: { from: "here" } };
    const second = await keys.importKey(name, privateJwk(privateKey, ["sign"]), options);
    const { properties } = second;
    assert.deepEqual([second.keyOperations, properties.enabled, properties.tags], [["sign"], false, { from: "here" }]);
    assert.deepEqual([properties.notBefore, properties.expiresOn], [day(-3), day(3)]);
    assert.notEqual(first.id, second.id);
    assert.deepEqual(await keys.getKey(name), second);
  });

  proves(["K8"], "sixty keys are three pages", async () => {
    const { keys, url } = await vaultAt(freshVault("conf-js"));
    const names = Array.from({ length: 60 }, (_, n) => `key-${n}`);
    await Promise.all(names.map((name) => keys.createEcKey(name, { tags: { name }, enabled: name !== "key-7" })));
    const listed = await pages(keys.listPropertiesOfKeys());
    assert.deepEqual(lengths(listed), [25, 25, 10]);
    const items = listed.flat();
    sameMembers(
      items.map((item) => item.id),
      names.map((name) => `${url}/keys/${name}`),
    );
    assert.ok(items.every((item) => item.version === undefined && item.tags.name === item.name));
    assert.ok(items.every((item) => item.enabled === (item.name !== "key-7")));
    assert.deepEqual(lengths(await pages(keys.listPropertiesOfKeys(), 20)), [20, 20, 20]);
    assert.equal((await every(keys.listPropertiesOfKeys())).length, 60);
  });

  proves(["K1", "K6"], "names ignore case and keep their first spelling", async () => {
    const { keys } = await home();
    const name = unique("Signing-KEY");
    const made = await keys.createEcKey(name);
    const version = made.properties.version.toUpperCase();
    assert.equal((await keys.getKey(name.toLowerCase(), { version })).id, made.id);
    const again = await keys.createEcKey(name.toUpperCase());
    assert.equal(again.name, name);
    assert.equal((await keys.getKey(name)).id, again.id);
  });
});
