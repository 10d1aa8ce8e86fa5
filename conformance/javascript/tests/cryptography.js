/** Every algorithm, with the server on one side and node:crypto on the other. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe } from "node:test";

import { cryptography, home, imported, onShelf, remote } from "../clients.js";
import { badParameter, refused } from "../expect.js";
import {
  ENCRYPTIONS,
  RSA_KINDS,
  RSA_SIGNATURES,
  SIGNERS,
  decrypt,
  digestOf,
  encrypt,
  flip,
  publicOf,
  sign,
  verify,
} from "../independent.js";
import { unique } from "../settings.js";
import { proves } from "../tally.js";

const LARGER = ["RSA-3072", "RSA-4096"].flatMap((kind) => RSA_SIGNATURES.map((algorithm) => [algorithm, kind]));

describe("cryptography", { concurrency: 8 }, () => {
  for (const [algorithm, kind] of [...SIGNERS, ...LARGER]) {
    proves(["K13", "K14"], `what the server signs with ${algorithm} and ${kind} verifies`, async () => {
      const key = await onShelf(kind);
      const message = randomBytes(100);
      const digest = digestOf(algorithm, message);
      const client = remote(key);
      const { result, keyID, algorithm: used } = await client.sign(algorithm, digest);
      assert.deepEqual([keyID, used], [key.id, algorithm]);
      assert.ok(verify(algorithm, publicOf(key.key), message, result));
      assert.equal((await client.verify(algorithm, digest, result)).result, true);
      assert.equal((await client.verify(algorithm, digest, flip(result))).result, false);
      assert.equal((await client.verify(algorithm, flip(digest), result)).result, false);
      assert.equal((await client.verify(algorithm, digest, result.subarray(0, -1))).result, false);
    });
  }

  for (const [algorithm, kind] of SIGNERS) {
    proves(["K14"], `the server verifies ${algorithm} signatures that were made elsewhere`, async () => {
      const { local, key } = await imported(kind);
      const message = Buffer.from("made elsewhere");
      const digest = digestOf(algorithm, message);
      const signature = sign(algorithm, local.privateKey, message);
      const client = remote(key);
      assert.equal((await client.verify(algorithm, digest, signature)).result, true);
      assert.equal((await client.verify(algorithm, digest, flip(signature, 5))).result, false);
      assert.equal((await client.verify(algorithm, digest, Buffer.alloc(signature.length))).result, false);
    });
  }

  for (const algorithm of Object.keys(ENCRYPTIONS)) {
    proves(["K11", "K12"], `${algorithm} boxes open on both sides`, async () => {
      const { local, key } = await imported("RSA-2048");
      const client = remote(key);
      for (const plain of [Buffer.from("x"), Buffer.from("\0lead"), randomBytes(64)]) {
        const there = await client.encrypt({ algorithm, plaintext: plain });
        assert.deepEqual([there.keyID, there.algorithm, there.result.length], [key.id, algorithm, 256]);
        assert.deepEqual(decrypt(algorithm, local.privateKey, there.result), plain);
        for (const ciphertext of [there.result, encrypt(algorithm, local.publicKey, plain)]) {
          assert.deepEqual(Buffer.from((await client.decrypt({ algorithm, ciphertext })).result), plain);
        }
      }
    });

    proves(["K15", "K16"], `${algorithm} wraps open on both sides`, async () => {
      const { local, key } = await imported("RSA-2048");
      const client = remote(key);
      const secret = randomBytes(32);
      const there = await client.wrapKey(algorithm, secret);
      assert.deepEqual([there.keyID, there.algorithm], [key.id, algorithm]);
      assert.deepEqual(decrypt(algorithm, local.privateKey, there.result), secret);
      for (const box of [there.result, encrypt(algorithm, local.publicKey, secret)]) {
        assert.deepEqual(Buffer.from((await client.unwrapKey(algorithm, box)).result), secret);
      }
    });
  }

  for (const kind of RSA_KINDS) {
    proves(["K11", "K12", "K15", "K16"], `${kind} encrypts and wraps up to its limit and not beyond`, async () => {
      const client = remote(await onShelf(kind));
      for (const [algorithm, overhead] of Object.entries(ENCRYPTIONS)) {
        const largest = randomBytes(Number(kind.slice(4)) / 8 - overhead);
        const boxed = (await client.encrypt(algorithm, largest)).result;
        assert.deepEqual(Buffer.from((await client.decrypt(algorithm, boxed)).result), largest);
        const wrapped = (await client.wrapKey(algorithm, largest)).result;
        assert.deepEqual(Buffer.from((await client.unwrapKey(algorithm, wrapped)).result), largest);
        const tooLarge = Buffer.concat([largest, Buffer.from("!")]);
        await refused(client.encrypt(algorithm, tooLarge), badParameter);
        await refused(client.wrapKey(algorithm, tooLarge), badParameter);
      }
    });
  }

  proves(["K6", "K12", "K16"], "the server opens what the package encrypts and wraps locally", async () => {
    const { id } = await onShelf("RSA-2048");
    const client = cryptography(id);
    for (const algorithm of ["RSA-OAEP", "RSA1_5"]) {
      const boxed = (await client.encrypt(algorithm, Buffer.from("x"))).result;
      assert.equal(String((await client.decrypt(algorithm, boxed)).result), "x");
      const wrapped = (await client.wrapKey(algorithm, Buffer.from("y"))).result;
      assert.equal(String((await client.unwrapKey(algorithm, wrapped)).result), "y");
    }
  });

  for (const [algorithm, kind] of SIGNERS) {
    proves(["K13", "K14"], `signData with ${algorithm} signs the data's digest, and verifyData agrees`, async () => {
      const key = await onShelf(kind);
      const data = randomBytes(1000);
      const { result } = await remote(key).signData(algorithm, data);
      assert.ok(verify(algorithm, publicOf(key.key), data, result));
      assert.equal((await remote(key).verifyData(algorithm, data, result)).result, true);
      assert.equal((await remote(key).verifyData(algorithm, flip(data), result)).result, false);
    });
  }

  proves(["K6", "K13"], "a client of a key without a version uses the latest", async () => {
    const { keys } = await home();
    const name = unique("latest");
    await keys.createEcKey(name);
    const latest = await keys.createEcKey(name);
    const message = Buffer.from("latest");
    const { result } = await keys.getCryptographyClient(name).sign("ES256", digestOf("ES256", message));
    assert.ok(verify("ES256", publicOf(latest.key), message, result));
  });

  proves(["K6", "K13"], "a client of a key with a version uses that one", async () => {
    const { keys } = await home();
    const name = unique("older");
    const older = await keys.createEcKey(name);
    await keys.createEcKey(name);
    const message = Buffer.from("older");
    const client = keys.getCryptographyClient(name, { keyVersion: older.properties.version });
    const { result } = await client.sign("ES256", digestOf("ES256", message));
    assert.ok(verify("ES256", publicOf(older.key), message, result));
  });
});
