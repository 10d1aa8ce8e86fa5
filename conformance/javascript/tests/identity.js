/** The ordinary credentials, and what happens with credentials and tokens that are not good. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { ClientSecretCredential, EnvironmentCredential } from "@azure/identity";

import { Vault, credential, identityOptions } from "../clients.js";
import { contains, failure, refused, unauthorized } from "../expect.js";
import { resource, settings, unique } from "../settings.js";
import { proves } from "../tally.js";

const scope = () => `${resource()}/.default`;
const { tenantId, clientId, clientSecret, vaultUrl } = settings;
const UNKNOWN = "00000000-0000-0000-0000-000000000007";

const bySecret = (...names) => new ClientSecretCredential(...names, identityOptions);

const CREDENTIALS = {
  DefaultAzureCredential: () => credential,
  EnvironmentCredential: () => new EnvironmentCredential(identityOptions),
  ClientSecretCredential: () => bySecret(tenantId, clientId, clientSecret),
};

const REFUSED_CREDENTIALS = [
  ["a wrong client secret", () => bySecret(tenantId, clientId, "not-the-secret"), "AADSTS7000215"],
  ["an unknown application", () => bySecret(tenantId, UNKNOWN, "secret"), "AADSTS700016"],
];

/** A credential that always gives the same token, whatever it is worth. */
const fixed = (token) => ({ getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) });

const unsigned = (parts) => `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${parts[1]}.`;

/** Tokens that differ from a good one in one respect. */
const BAD_TOKENS = {
  "is none": () => "garbage",
  "has no signature": (parts) => `${parts[0]}.${parts[1]}.`,
  "has another signature": (parts) => `${parts[0]}.${parts[1]}.${"A".repeat(parts[2].length)}`,
  "says that it needs no signature": unsigned,
  "is for another audience": async () => (await credential.getToken("https://management.azure.com/.default")).token,
};

describe("identity", { concurrency: 8 }, () => {
  for (const [name, made] of Object.entries(CREDENTIALS)) {
    proves(["S1", "S4", "K1", "K6"], `${name} reads a secret and a key`, async () => {
      const { secrets, keys } = new Vault(vaultUrl, made());
      const object = unique("credential");
      await secrets.setSecret(object, name);
      assert.equal((await secrets.getSecret(object)).value, name);
      const { id } = await keys.createEcKey(object);
      assert.equal((await keys.getKey(object)).id, id);
    });
  }

  for (const [what, made, code] of REFUSED_CREDENTIALS) {
    proves([], `${what} is refused with ${code}`, async () => {
      const refusing = made();
      const { secrets } = new Vault(vaultUrl, refusing);
      for (const call of [() => refusing.getToken(scope()), () => secrets.getSecret("any")]) {
        const { name, message } = await failure(call());
        assert.equal(name, "AuthenticationRequiredError");
        contains(message, code);
        assert.ok(!message.includes("not-the-secret") && !message.includes(clientSecret));
      }
    });
  }

  proves([], "an unknown tenant is refused", async () => {
    const { message } = await failure(bySecret(UNKNOWN, clientId, clientSecret).getToken(scope()));
    // In direct mode the package asks for the tenant's discovery document first, and keeps that answer to itself.
    contains(message, settings.mode === "direct" ? "endpoints_resolution_error" : "AADSTS90002");
  });

  for (const [what, made] of Object.entries(BAD_TOKENS)) {
    proves([], `a token that ${what} is unauthorized and gets a challenge`, async () => {
      const token = await made((await credential.getToken(scope())).token.split("."));
      const { secrets, keys } = new Vault(vaultUrl, fixed(token));
      for (const call of [() => secrets.setSecret("any", "v"), () => keys.getKey("any")]) {
        const { message, response } = await refused(call(), unauthorized);
        assert.ok(!message.includes(token));
        const challenge = response.headers.get("www-authenticate");
        assert.match(challenge, /^Bearer authorization="https:\/\//);
        contains(challenge, `/${tenantId}"`);
        contains(challenge, `resource="${resource()}"`);
      }
    });
  }

  proves(["S4"], "a thousand reads need one token", async () => {
    let count = 0;
    const counting = {
      getToken(...request) {
        count += 1;
        return credential.getToken(...request);
      },
    };
    const { secrets } = new Vault(vaultUrl, counting);
    const name = unique("thousand");
    await secrets.setSecret(name, "v");
    for (let n = 0; n < 20; n += 1) {
      const read = await Promise.all(Array.from({ length: 50 }, () => secrets.getSecret(name)));
      assert.ok(read.every((secret) => secret.value === "v"));
    }
    assert.equal(count, 1);
  });
});
