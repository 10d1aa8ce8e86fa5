/** What keys do not do: wrong digests and algorithms, damaged boxes, closed windows, operations not permitted. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe } from "node:test";

import { home, onShelf, remote } from "../clients.js";
import { badParameter, forbidden, refused } from "../expect.js";
import {
  ENCRYPTIONS,
  RSA_OPERATIONS,
  SIGNERS,
  digestOf,
  encrypt,
  flip,
  generate,
  privateJwk,
  sign,
} from "../independent.js";
import { day, unique } from "../settings.js";
import { proves } from "../tally.js";

const EVERY_USE = ["K11", "K12", "K13", "K14", "K15", "K16"];

/** The operations of key_ops, each as one call on an RSA-2048 key. */
const USES = {
  encrypt: (client) => client.encrypt("RSA-OAEP", Buffer.from("x")),
  decrypt: (client) => client.decrypt("RSA-OAEP", Buffer.alloc(256)),
  sign: (client) => client.sign("RS256", Buffer.alloc(32)),
  verify: (client) => client.verify("RS256", Buffer.alloc(32), Buffer.alloc(256)),
  wrapKey: (client) => client.wrapKey("RSA-OAEP", Buffer.from("x")),
  unwrapKey: (client) => client.unwrapKey("RSA-OAEP", Buffer.alloc(256)),
};

describe("the rules of cryptography", { concurrency: 8 }, () => {
  for (const [algorithm, kind] of SIGNERS) {
    proves(["K13", "K14"], `${algorithm} refuses digests of another length`, async () => {
      const client = remote(await onShelf(kind));
      const { length } = digestOf(algorithm, "");
      for (const wrong of [0, length - 1, length + 1, 100]) {
        await refused(client.sign(algorithm, Buffer.alloc(wrong)), badParameter);
      }
      await refused(client.verify(algorithm, Buffer.alloc(length - 1), Buffer.alloc(64)), badParameter);
    });
  }

  for (const [kind, algorithm] of [
    ["P-384", "ES256"],
    ["P-256", "ES384"],
    ["P-256", "ES256K"],
    ["P-256K", "ES256"],
    ["P-256", "RS256"],
    ["RSA-2048", "ES256"],
    ["RSA-2048", "RS1024"],
  ]) {
    proves(["K13"], `a ${kind} key does not sign with ${algorithm}`, async () => {
      const digest = digestOf(algorithm === "RS1024" ? "RS256" : algorithm, "misfit");
      await refused(remote(await onShelf(kind)).sign(algorithm, digest), badParameter);
    });
  }

  proves(["K11", "K15"], "keys neither encrypt nor wrap with what is not theirs", async () => {
    await refused(remote(await onShelf("RSA-2048")).wrapKey("A128KW", Buffer.alloc(16)), badParameter);
    await refused(USES.encrypt(remote(await onShelf("P-256"))), forbidden("KeyOperationForbidden"));
  });

  for (const algorithm of Object.keys(ENCRYPTIONS)) {
    proves(["K12", "K16"], `damaged ${algorithm} ciphertexts get one uniform refusal`, async () => {
      const client = remote(await onShelf("RSA-2048"));
      const box = (await client.encrypt(algorithm, Buffer.from("attack at dawn"))).result;
      const messages = new Set();
      for (const damaged of [flip(box), flip(box, 10), Buffer.concat([Buffer.alloc(1), randomBytes(255)])]) {
        messages.add((await refused(client.decrypt(algorithm, damaged), badParameter)).message);
        await refused(client.unwrapKey(algorithm, damaged), badParameter);
      }
      assert.equal(messages.size, 1, "the message says nothing about the plaintext");
    });
  }

  for (const [inner, notBefore, expiresOn] of [
    ["KeyNotYetValid", day(1), day(2)],
    ["KeyExpired", day(-2), day(-1)],
  ]) {
    proves(["K5", ...EVERY_USE], `with ${inner} only the operations that read work`, async () => {
      const { keys } = await home();
      const [name, local] = [unique("window"), await generate("RSA-2048")];
      const key = await keys.importKey(name, privateJwk(local.privateKey), { notBefore, expiresOn });
      const client = remote(key);
      for (const use of [USES.sign, USES.encrypt, USES.wrapKey]) await refused(use(client), forbidden(inner));
      const box = encrypt("RSA-OAEP", local.publicKey, Buffer.from("old box"));
      assert.equal(String((await client.decrypt("RSA-OAEP", box)).result), "old box");
      assert.equal(String((await client.unwrapKey("RSA-OAEP", box)).result), "old box");
      const digest = digestOf("RS256", "window");
      const signature = sign("RS256", local.privateKey, Buffer.from("window"));
      assert.equal((await client.verify("RS256", digest, signature)).result, true);

      await keys.updateKeyProperties(name, { notBefore: day(-1), expiresOn: day(1) });
      const signed = Buffer.from((await client.sign("RS256", digest)).result);
      assert.deepEqual(signed, signature, "inside the window it signs, as the local key does");
    });
  }

  proves(["K5", "K6", ...EVERY_USE], "a disabled key does nothing until it is enabled again", async () => {
    const { keys } = await home();
    const name = unique("disabled");
    const key = await keys.createRsaKey(name);
    await keys.updateKeyProperties(name, key.properties.version, { enabled: false });
    for (const use of Object.values(USES)) await refused(use(remote(key)), forbidden("KeyDisabled"), "disabled");
    assert.equal((await keys.getKey(name)).properties.enabled, false);
    await keys.updateKeyProperties(name, key.properties.version, { enabled: true });
    assert.equal((await USES.sign(remote(key))).result.length, 256);
  });

  for (const operation of RSA_OPERATIONS) {
    proves(["K3", ...EVERY_USE], `a key without ${operation} in its key_ops refuses just that`, async () => {
      const { keys } = await home();
      const { privateKey } = await generate("RSA-2048");
      const others = RSA_OPERATIONS.filter((other) => other !== operation);
      const key = await keys.importKey(unique("ops"), privateJwk(privateKey, others));
      const text = `operation ${operation} is not permitted`;
      await refused(USES[operation](remote(key)), forbidden("KeyOperationForbidden"), text);
      const allowed = others.filter((other) => !["decrypt", "unwrapKey"].includes(other));
      for (const other of allowed) await USES[other](remote(key));
    });
  }

  proves(["K1", "K5", "K13"], "a key without any operation does nothing", async () => {
    const { keys } = await home();
    const key = await keys.createEcKey(unique("idle"), { keyOps: [] });
    assert.deepEqual(key.keyOperations, []);
    await refused(remote(key).sign("ES256", Buffer.alloc(32)), forbidden("KeyOperationForbidden"));
    await refused(keys.updateKeyProperties(key.name, { keyOps: ["shred"] }), badParameter);
  });
});
