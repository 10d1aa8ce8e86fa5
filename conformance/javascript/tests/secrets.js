/** Secrets: setting, reading, updating and listing them. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { elsewhere, every, home, pages, vaultAt } from "../clients.js";
import { badParameter, forbidden, lengths, refused, rising, sameMembers } from "../expect.js";
import { day, freshVault, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

const VALUES = {
  empty: "",
  punctuation: "!@#$%^&*()\"'\\/<>{}[]|`~",
  lines: "first\nsecond\r\n\tthird\0end",
  unicode: "Grüße, 東京, 🔐, e\u0301 \u2028 \ufeff",
  JSON: '{"value":"x","n":null}',
  "25,600 bytes of ASCII": "k".repeat(25_600),
  "25,600 bytes of Unicode": `${"🔐é東".repeat(2_844)}four`,
};

describe("secrets", { concurrency: 8 }, () => {
  proves(["S1", "S4"], "a secret that was set is read back with all its properties", async () => {
    const { secrets, url } = await home();
    const name = unique("set");
    const tags = { environment: "production", application: "flask-fugue", "rotation-policy": "90-days" };
    const made = await secrets.setSecret(name, "YourStrongPassword123!", {
      contentType: "application/password",
      tags,
      notBefore: day(-1),
      expiresOn: day(90),
      enabled: true,
    });
    assert.match(made.properties.version, /^[0-9a-f]{32}$/);
    assert.equal(made.properties.id, `${url}/secrets/${name}/${made.properties.version}`);
    assert.equal(made.value, "YourStrongPassword123!");
    const { value, name: named, properties } = await secrets.getSecret(name);
    assert.deepEqual([value, named, properties.id], [made.value, name, made.properties.id]);
    assert.deepEqual(properties.tags, tags);
    assert.equal(properties.vaultUrl, settings.vaultUrl);
    assert.equal(properties.contentType, "application/password");
    assert.deepEqual([properties.notBefore, properties.expiresOn], [day(-1), day(90)]);
    assert.deepEqual([properties.enabled, properties.managed], [true, undefined]);
    assert.deepEqual([properties.recoveryLevel, properties.recoverableDays], ["Recoverable+Purgeable", 90]);
    assert.ok(Math.abs(properties.createdOn - Date.now()) < 300_000 && properties.updatedOn >= properties.createdOn);
  });

  proves(["S1", "S4", "S6"], "every set is a version that inherits nothing", async () => {
    const { secrets } = await home();
    const name = unique("versions");
    const first = await secrets.setSecret(name, "1", { contentType: "text/plain", tags: { a: "b" } });
    const second = await secrets.setSecret(name, "2");
    assert.deepEqual([second.properties.contentType, second.properties.tags], [undefined, undefined]);
    assert.equal((await secrets.getSecret(name)).value, "2");
    const old = await secrets.getSecret(name, { version: first.properties.version });
    assert.deepEqual([old.value, old.properties.id], ["1", first.properties.id]);
    const versions = await every(secrets.listPropertiesOfSecretVersions(name));
    sameMembers(
      versions.map((item) => item.id),
      [first.properties.id, second.properties.id],
    );
    assert.ok(versions.every((item) => item.name === name && item.enabled && item.createdOn));
  });

  for (const [what, value] of Object.entries(VALUES)) {
    proves(["S1", "S4"], `a value comes back exactly: ${what}`, async () => {
      assert.ok(Buffer.byteLength(value) <= 25_600);
      const { secrets } = await home();
      const name = unique("value");
      assert.equal((await secrets.setSecret(name, value)).value, value);
      assert.equal((await secrets.getSecret(name)).value, value);
    });
  }

  proves(["S1"], "a value above 25,600 bytes is refused", async () => {
    const { secrets } = await home();
    await refused(secrets.setSecret(unique("large"), "k".repeat(25_601)), badParameter);
    await refused(secrets.setSecret(unique("large"), `${VALUES["25,600 bytes of Unicode"]}!`), badParameter);
  });

  proves(["S3", "S4"], "an update changes only what it names", async () => {
    const { secrets } = await home();
    const name = unique("update");
    const options = { contentType: "text/plain", tags: { a: "1", b: "2" } };
    const { properties: made } = await secrets.setSecret(name, "v", options);
    const first = await secrets.updateSecretProperties(name, made.version, { expiresOn: day(30) });
    assert.deepEqual([first.tags, first.contentType, first.expiresOn], [{ a: "1", b: "2" }, "text/plain", day(30)]);
    const second = await secrets.updateSecretProperties(name, made.version, { tags: { c: "3" }, notBefore: day(0) });
    assert.deepEqual([second.tags, second.expiresOn, second.notBefore], [{ c: "3" }, day(30), day(0)]);
    const third = await secrets.updateSecretProperties(name, made.version, { tags: {}, contentType: "text/html" });
    assert.deepEqual([third.tags, third.contentType, third.version], [{}, "text/html", made.version]);
    rising(made.updatedOn, first.updatedOn, second.updatedOn, third.updatedOn);
    assert.deepEqual(third.createdOn, made.createdOn);
    assert.equal((await secrets.getSecret(name)).value, "v");
  });

  proves(["S3"], "an update without a version means the latest", async () => {
    const { secrets } = await home();
    const name = unique("update-latest");
    const { properties: old } = await secrets.setSecret(name, "1");
    const { properties: latest } = await secrets.setSecret(name, "2");
    assert.equal((await secrets.updateSecretProperties(name, "", { tags: { latest: "yes" } })).id, latest.id);
    assert.equal((await secrets.getSecret(name, { version: old.version })).properties.tags, undefined);
  });

  proves(["S3", "S4"], "a disabled old version is refused while the latest stays readable", async () => {
    const { secrets } = await home();
    const name = unique("disable");
    const { version } = (await secrets.setSecret(name, "old")).properties;
    await secrets.setSecret(name, "new");
    await secrets.updateSecretProperties(name, version, { enabled: false });
    await refused(secrets.getSecret(name, { version }), forbidden("SecretDisabled"), "disabled");
    assert.equal((await secrets.getSecret(name)).value, "new");
    await secrets.updateSecretProperties(name, version, { enabled: true });
    assert.equal((await secrets.getSecret(name, { version })).value, "old");
  });

  proves(["S4"], "a disabled latest version does not fall back to an older one", async () => {
    const { secrets } = await home();
    const name = unique("disabled-latest");
    await secrets.setSecret(name, "old");
    await secrets.setSecret(name, "new", { enabled: false });
    await refused(secrets.getSecret(name), forbidden("SecretDisabled"));
  });

  for (const [what, notBefore, expiresOn] of [
    ["expired", day(-2), day(-1)],
    ["not yet valid", day(1), day(2)],
  ]) {
    proves(["S1", "S4"], `a secret that is ${what} can still be read`, async () => {
      const { secrets } = await home();
      const name = unique("window");
      await secrets.setSecret(name, "still here", { notBefore, expiresOn });
      const { value, properties } = await secrets.getSecret(name);
      assert.deepEqual([value, properties.notBefore, properties.expiresOn], ["still here", notBefore, expiresOn]);
    });
  }

  proves(["S5"], "sixty secrets are three pages", async () => {
    const { secrets, url } = await vaultAt(freshVault("conf-js"));
    const names = Array.from({ length: 60 }, (_, n) => `page-${n}`);
    await Promise.all(names.map((name) => secrets.setSecret(name, "v", { tags: { name } })));
    const listed = await pages(secrets.listPropertiesOfSecrets());
    assert.deepEqual(lengths(listed), [25, 25, 10]);
    const items = listed.flat();
    sameMembers(
      items.map((item) => item.id),
      names.map((name) => `${url}/secrets/${name}`),
    );
    assert.ok(items.every((item) => item.version === undefined && item.tags.name === item.name && !("value" in item)));
    assert.deepEqual(lengths(await pages(secrets.listPropertiesOfSecrets(), 20)), [20, 20, 20]);
    assert.equal((await every(secrets.listPropertiesOfSecrets())).length, 60);
  });

  proves(["S5"], "the list shows the latest version, and disabled secrets too", async () => {
    const { secrets, url } = await vaultAt(freshVault("conf-js"));
    await secrets.setSecret("listed", "1", { tags: { v: "1" } });
    await secrets.setSecret("listed", "2", { tags: { v: "2" }, enabled: false, contentType: "text/plain" });
    const [item, ...others] = await every(secrets.listPropertiesOfSecrets());
    assert.deepEqual(others, []);
    assert.deepEqual([item.id, item.tags, item.enabled], [`${url}/secrets/listed`, { v: "2" }, false]);
    assert.equal(item.contentType, "text/plain");
  });

  proves(["S1", "S6"], "thirty versions are two pages", async () => {
    const { secrets } = await home();
    const name = unique("version-pages");
    const made = [];
    for (let n = 0; n < 30; n += 1) made.push((await secrets.setSecret(name, String(n))).properties.version);
    const listed = await pages(secrets.listPropertiesOfSecretVersions(name));
    assert.deepEqual(lengths(listed), [25, 5]);
    sameMembers(
      listed.flat().map((item) => item.version),
      made,
    );
    assert.deepEqual(lengths(await pages(secrets.listPropertiesOfSecretVersions(name), 12)), [12, 12, 6]);
  });

  proves(["S1", "S4", "S6"], "names ignore case and keep their first spelling", async () => {
    const { secrets } = await home();
    const name = unique("FLASK-SECRET-key");
    await secrets.setSecret(name, "1");
    assert.equal((await secrets.getSecret(name.toLowerCase())).name, name);
    assert.equal((await secrets.setSecret(name.toUpperCase(), "2")).name, name);
    assert.equal((await secrets.getSecret(name)).value, "2");
    assert.equal((await every(secrets.listPropertiesOfSecretVersions(name.toUpperCase()))).length, 2);
  });

  proves(["S1", "S4"], "the same name in two vaults is two secrets", async () => {
    const [here, there, name] = [await home(), await elsewhere(), unique("same")];
    await here.secrets.setSecret(name, "here");
    await there.secrets.setSecret(name, "there");
    assert.equal((await here.secrets.getSecret(name)).value, "here");
    assert.equal((await there.secrets.getSecret(name)).value, "there");
  });
});
