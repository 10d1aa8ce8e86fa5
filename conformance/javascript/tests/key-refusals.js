/** Keys that cannot be created or imported, and what the refusals say. */

import { describe } from "node:test";

import { home } from "../clients.js";
import { badParameter, contains, keyNotFound, refused } from "../expect.js";
import { generate, privateJwk } from "../independent.js";
import { unique } from "../settings.js";
import { proves } from "../tally.js";

const BAD_CREATES = {
  "an unknown type": ["DSA", {}],
  "1024 bits": ["RSA", { keySize: 1024 }],
  "2049 bits": ["RSA", { keySize: 2049 }],
  "8192 bits": ["RSA", { keySize: 8192 }],
  "an unknown curve": ["EC", { curve: "P-224" }],
  "a curve for RSA": ["RSA", { curve: "P-256" }],
  "an unknown operation": ["RSA", { keyOps: ["sign", "shred"] }],
};

/** A local key of a kind as a JWK, with some members changed. */
async function changed(kind, members) {
  return { ...privateJwk((await generate(kind)).privateKey), ...members };
}

const none = (...names) => Object.fromEntries(names.map((name) => [name, undefined]));

const BAD_IMPORTS = {
  "only the public half": () => changed("P-256", none("d")),
  "a point off the curve": () => changed("P-256", { y: Buffer.alloc(32) }),
  "another key's private number": () => changed("P-384", { d: Buffer.alloc(48, 5) }),
  "the wrong curve": () => changed("P-256", { crv: "P-384" }),
  "no curve": () => changed("P-256", none("crv")),
  "only the public half of RSA": () => changed("RSA-2048", none("d", "p", "q", "dp", "dq", "qi")),
  "another key's prime": async () => changed("RSA-2048", { p: (await changed("RSA-2048")).p }),
  "1024 bits": () => changed("RSA-1024"),
  octets: () => changed("P-256", { ...none("crv", "x", "y", "d"), kty: "oct", k: Buffer.alloc(32) }),
};

describe("keys that are refused", { concurrency: 8 }, () => {
  for (const [what, [keyType, options]] of Object.entries(BAD_CREATES)) {
    proves(["K1", "K6"], `no key is created with ${what}`, async () => {
      const { keys } = await home();
      const name = unique("bad");
      await refused(keys.createKey(name, keyType, options), badParameter);
      await refused(keys.getKey(name), keyNotFound);
    });
  }

  for (const [what, jwk] of Object.entries(BAD_IMPORTS)) {
    proves(["K3", "K6"], `no key is imported with ${what}`, async () => {
      const { keys } = await home();
      const name = unique("bad");
      await refused(keys.importKey(name, await jwk()), badParameter);
      await refused(keys.getKey(name), keyNotFound);
    });
  }

  proves(["K1"], "symmetric keys are refused with advice", async () => {
    const { keys } = await home();
    await refused(keys.createOctKey(unique("oct"), { keySize: 256 }), badParameter, "HSM");
    await refused(keys.createOctKey(unique("oct"), { keySize: 256, hsm: true }), badParameter, "HSM");
  });

  proves(["K1", "K3"], "Ed25519 is refused with advice", async () => {
    const { keys } = await home();
    await refused(keys.createKey(unique("okp"), "OKP", { curve: "Ed25519" }), badParameter, "ES256");
    const jwk = await changed("P-256", { kty: "OKP", crv: "Ed25519", y: undefined });
    await refused(keys.importKey(unique("okp"), jwk), badParameter, "ES256");
  });

  proves(["K1", "K3"], "HSM keys are refused with a way to configure one", async () => {
    const vault = await home();
    for (const kind of ["RSA-2048", "P-256"]) {
      const { message } = await refused(vault.createKey(unique("hsm"), kind, { hsm: true }), badParameter, "configur");
      contains(message, "HSM");
    }
    const jwk = await changed("P-256");
    await refused(vault.keys.importKey(unique("hsm"), jwk, { hardwareProtected: true }), badParameter, "HSM");
  });
});
