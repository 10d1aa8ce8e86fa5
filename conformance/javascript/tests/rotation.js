/** Rotation on demand, and rotation policies. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { home, onShelf, pages, remote } from "../clients.js";
import { badParameter, keyNotFound, lengths, refused, sameMembers } from "../expect.js";
import { digestOf, kindOf, publicOf, verify } from "../independent.js";
import { unique } from "../settings.js";
import { proves } from "../tally.js";

const DAY = 86_400_000;
const rotate = (trigger) => ({ action: "Rotate", ...trigger });
const notify = (trigger) => ({ action: "Notify", ...trigger });
const DEFAULT_ACTIONS = ["Notify after undefined before P30D"];

/** The actions of a policy in words, in no order that the server chooses. */
const actionsOf = (policy) =>
  policy.lifetimeActions
    .map((item) => `${item.action} after ${item.timeAfterCreate} before ${item.timeBeforeExpiry}`)
    .sort();

const BAD_POLICIES = {
  "a duration that is none": [[rotate({ timeAfterCreate: "ninety days" })], "P2Y"],
  "an expiry that is none": [[rotate({ timeAfterCreate: "P90D" })], "2Y"],
  "an expiry under 28 days": [[rotate({ timeAfterCreate: "P10D" })], "P27D"],
  "a rotation within 7 days of creation": [[rotate({ timeAfterCreate: "P6D" })], "P90D"],
  "a rotation within 7 days of expiry": [[rotate({ timeBeforeExpiry: "P6D" })], "P90D"],
  "a rotation before an expiry that is not there": [[rotate({ timeBeforeExpiry: "P30D" })], undefined],
  "two triggers": [[rotate({ timeAfterCreate: "P30D", timeBeforeExpiry: "P30D" })], "P90D"],
  "no trigger": [[rotate()], "P90D"],
  "a notice after creation": [[notify({ timeAfterCreate: "P30D" })], "P90D"],
  "two rotations": [[rotate({ timeAfterCreate: "P30D" }), rotate({ timeAfterCreate: "P60D" })], "P90D"],
  "an unknown action": [[{ action: "Shred", timeAfterCreate: "P30D" }], "P90D"],
};

describe("rotation", { concurrency: 8 }, () => {
  proves(["K22"], "a key that never had a policy shows the default", async () => {
    const { keys, url } = await home();
    const { name } = await onShelf("P-256");
    const policy = await keys.getKeyRotationPolicy(name);
    assert.equal(policy.id, `${url}/keys/${name}/rotationpolicy`);
    assert.deepEqual([actionsOf(policy), policy.expiresIn], [DEFAULT_ACTIONS, undefined]);
  });

  proves(["K22", "K23"], "a policy comes back as it was put", async () => {
    const { keys, url } = await home();
    const name = unique("policy");
    await keys.createEcKey(name);
    const put = await keys.updateKeyRotationPolicy(name, {
      lifetimeActions: [rotate({ timeAfterCreate: "P90D" }), notify({ timeBeforeExpiry: "P30D" })],
      expiresIn: "P2Y",
    });
    for (const policy of [put, await keys.getKeyRotationPolicy(name)]) {
      assert.deepEqual([policy.id, policy.expiresIn], [`${url}/keys/${name}/rotationpolicy`, "P2Y"]);
      assert.ok(policy.createdOn <= policy.updatedOn);
      assert.deepEqual(actionsOf(policy), ["Notify after undefined before P30D", "Rotate after P90D before undefined"]);
    }
    const actions = [rotate({ timeBeforeExpiry: "P1M" })];
    const second = await keys.updateKeyRotationPolicy(name, { lifetimeActions: actions, expiresIn: "P1Y2M" });
    assert.deepEqual([actionsOf(second), second.expiresIn], [["Rotate after undefined before P1M"], "P1Y2M"]);
    assert.deepEqual(second.createdOn, put.createdOn);
  });

  proves(["K23"], "actions in lower case are accepted", async () => {
    const { keys } = await home();
    const name = unique("policy-lower");
    await keys.createEcKey(name);
    const lifetimeActions = [{ action: "rotate", timeAfterCreate: "P90D" }];
    const policy = await keys.updateKeyRotationPolicy(name, { lifetimeActions, expiresIn: "P2Y" });
    assert.deepEqual(actionsOf(policy), ["Rotate after P90D before undefined"]);
  });

  proves(["K22", "K23"], "an empty policy is legal", async () => {
    const { keys } = await home();
    const name = unique("policy-empty");
    await keys.createEcKey(name);
    assert.deepEqual(actionsOf(await keys.updateKeyRotationPolicy(name, {})), []);
    const got = await keys.getKeyRotationPolicy(name);
    assert.deepEqual([actionsOf(got), got.expiresIn], [[], undefined]);
  });

  for (const [what, [lifetimeActions, expiresIn]] of Object.entries(BAD_POLICIES)) {
    proves(["K22", "K23"], `a policy with ${what} is refused and changes nothing`, async () => {
      const { keys } = await home();
      const name = unique("policy-bad");
      await keys.createEcKey(name);
      await refused(keys.updateKeyRotationPolicy(name, { lifetimeActions, expiresIn }), badParameter);
      assert.deepEqual(actionsOf(await keys.getKeyRotationPolicy(name)), DEFAULT_ACTIONS);
    });
  }

  proves(["K2", "K22", "K23"], "a key that is not there has no policy and does not rotate", async () => {
    const { keys } = await home();
    const name = unique("none");
    await refused(keys.getKeyRotationPolicy(name), keyNotFound);
    await refused(keys.updateKeyRotationPolicy(name, {}), keyNotFound);
    await refused(keys.rotateKey(name), keyNotFound);
  });

  proves(["K2", "K6", "K13", "K14"], "rotation copies all but the material", async () => {
    const { keys } = await home();
    const name = unique("rotate");
    const first = await keys.createRsaKey(name, { keySize: 3072, keyOps: ["sign", "verify"], tags: { a: "b" } });
    const lifetimeActions = [rotate({ timeAfterCreate: "P30D" })];
    await keys.updateKeyRotationPolicy(name, { lifetimeActions, expiresIn: "P90D" });
    const second = await keys.rotateKey(name);
    const { properties } = second;
    assert.equal(second.name, name);
    assert.notEqual(second.id, first.id);
    assert.notDeepEqual(second.key.n, first.key.n);
    assert.equal(kindOf(publicOf(second.key)), "RSA-3072");
    assert.deepEqual([second.keyOperations, properties.tags], [first.keyOperations, { a: "b" }]);
    assert.deepEqual([properties.enabled, properties.expiresOn - properties.createdOn], [true, 90 * DAY]);
    assert.deepEqual(await keys.getKey(name), second);

    const message = Buffer.from("old versions live on");
    const digest = digestOf("PS256", message);
    const { result } = await remote(first).sign("PS256", digest);
    assert.ok(verify("PS256", publicOf(first.key), message, result));
    assert.equal((await remote(first).verify("PS256", digest, result)).result, true);
    assert.equal((await remote(second).verify("PS256", digest, result)).result, false);
  });

  proves(["K2", "K23"], "rotation counts years on the calendar", async () => {
    const { keys } = await home();
    const name = unique("rotate-years");
    await keys.createEcKey(name, { curve: "P-384" });
    await keys.updateKeyRotationPolicy(name, { lifetimeActions: [], expiresIn: "P2Y" });
    const { key, properties } = await keys.rotateKey(name);
    assert.equal(kindOf(publicOf(key)), "P-384");
    const expected = new Date(properties.createdOn);
    expected.setUTCFullYear(expected.getUTCFullYear() + 2);
    assert.ok(Math.abs(properties.expiresOn - expected) <= DAY);
  });

  proves(["K2", "K6", "K7"], "thirty rotations make two pages of versions, each readable", async () => {
    const { keys } = await home();
    const name = unique("rotate-30");
    const made = [await keys.createEcKey(name)];
    for (let n = 0; n < 30; n += 1) made.push(await keys.rotateKey(name));
    assert.equal(new Set(made.map((key) => Buffer.from(key.key.x).toString("hex"))).size, 31);
    const listed = await pages(keys.listPropertiesOfKeyVersions(name));
    assert.deepEqual(lengths(listed), [25, 6]);
    sameMembers(
      listed.flat().map((item) => item.id),
      made.map((key) => key.id),
    );
    assert.deepEqual(await keys.getKey(name), made[30]);
    assert.deepEqual(await keys.getKey(name, { version: made[3].properties.version }), made[3]);
    assert.deepEqual(lengths(await pages(keys.listPropertiesOfKeyVersions(name), 12)), [12, 12, 7]);
  });
});
