/** The signatures of App Configuration, made by an implementation that is not the package's. */

import assert from "node:assert/strict";
import { describe } from "node:test";

import { byToken } from "../config-clients.js";
import {
  SIGNED,
  VERSION,
  accessKey,
  authorization,
  bare,
  contentHash,
  empty,
  getAndHead,
  signature,
  signing,
  toSign,
} from "../config-wire.js";
import { contains } from "../expect.js";
import { settings, unique } from "../settings.js";
import { proves } from "../tally.js";

const MINUTE = 60_000;
const key = () => accessKey(settings.connectionString);
const later = (minutes) => new Date(Date.now() + minutes * MINUTE);
const other = Buffer.alloc(32, 7);

/** A PUT of its own key that is signed as `change` says: of its headers, of the signature, or of what is then sent. */
async function put(change = {}) {
  const access = { ...key(), ...change.access };
  const body = '{"value":"v"}';
  const target = `/kv/${unique("signed")}?api-version=${VERSION}`;
  const headers = { ...toSign(access.endpoint, body, change.date), ...change.headers };
  const { method = "PUT", signedTarget = target, names = SIGNED, separator } = change;
  const signed = authorization(access, method, signedTarget, { ...headers, ...change.signedHeaders }, names, separator);
  const sent = { ...headers, "content-type": "application/json", authorization: change.edit?.(signed) ?? signed };
  for (const name of change.unsent ?? []) delete sent[name];
  return bare("PUT", access.endpoint + target, sent, change.body ?? body);
}

const { hostname, port } = new URL(settings.storeUrl);

const GOOD = {
  "as the package makes it": {},
  "with the older separator": { separator: "," },
  "with the names in another order": { names: ["host", "x-ms-content-sha256", "x-ms-date"] },
  "with another header": { names: [...SIGNED, "x-extra"], headers: { "x-extra": "kept" } },
  "of a client whose clock is ten minutes behind": { date: later(-10) },
  "of a client whose clock is ten minutes ahead": { date: later(10) },
  "with the host and the port": { signedHeaders: { host: `${hostname}:${port || 443}` } },
};

const BAD = {
  "of another secret": [{ access: { secret: other } }, "Invalid Signature"],
  "of an unknown id": [{ access: { id: "unknown" } }, "Invalid Credential"],
  "of another method": [{ method: "GET" }, "Invalid Signature"],
  "of another target": [{ signedTarget: "/kv/other" }, "Invalid Signature"],
  "of another host": [{ signedHeaders: { host: "other.example.com" } }, "Invalid Signature"],
  "of another date": [{ signedHeaders: { "x-ms-date": later(-1).toUTCString() } }, "Invalid Signature"],
  "of another body": [{ body: '{"value":"w"}' }, "Invalid request content hash"],
  "that is old": [{ date: later(-17) }, "The access token has expired"],
  "of the future": [{ date: later(17) }, "The access token has expired"],
  "of no date": [{ headers: { "x-ms-date": "yesterday" } }, "Invalid access token date"],
  "that leaves out the date": [{ names: ["host", "x-ms-content-sha256"] }, ""],
  "that leaves out the host": [{ names: ["x-ms-date", "x-ms-content-sha256"] }, ""],
  "that leaves out the content": [{ names: ["x-ms-date", "host"] }, ""],
  "of a header that is not sent": [{ names: [...SIGNED, "x-extra"] }, "x-extra"],
  "without its names": [{ edit: (text) => text.replace(/SignedHeaders=[^&]*&/, "") }, "SignedHeaders"],
  "without itself": [{ edit: (text) => text.replace(/&Signature=.*/, "") }, "Signature is required"],
  "that is cut": [{ edit: (text) => text.slice(0, -4) }, "Invalid Signature"],
  "without the content's header": [{ unsent: ["x-ms-content-sha256"] }, "x-ms-content-sha256"],
};

describe("signatures", { concurrency: 8 }, () => {
  proves([], "our own implementation gives the published signature", () => {
    const body = '{"key": "k", "value": "v", "tags": {}}';
    const hash = "dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw=";
    assert.equal(contentHash(body), hash);
    assert.equal(contentHash(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    const values = ["Nov, 21 2026 00:35:49.408620 GMT", "h.example.com", hash];
    const made = signature(Buffer.from("secretsecret"), "PUT", "/kv/k?api-version=2026-04-01", values);
    assert.equal(made, "A1WmhaJ70BNLpWO+lC011svE1ab8sWuQbQI7n1R8h4E=");
  });

  for (const [what, change] of Object.entries(GOOD)) {
    proves(["A6"], `a signature ${what} is accepted`, async () => {
      const answer = await put(change);
      assert.equal(answer.status, 200, `${answer.text} ${answer.header("www-authenticate")}`);
    });
  }

  for (const [what, [change, text]] of Object.entries(BAD)) {
    proves(["A6"], `a signature ${what} is unauthorized`, async () => {
      const answer = empty(await put(change), 401);
      const challenge = answer.header("www-authenticate");
      contains(challenge, "HMAC-SHA256");
      contains(challenge, "Bearer");
      contains(challenge, text);
    });
  }

  proves(["A3", "A5"], "nothing is given without credentials", async () => {
    for (const path of ["/kv", "/kv/any", "/keys", "/snapshots", "/kv/%25"]) {
      for (const method of ["GET", "HEAD", "DELETE"]) {
        const answer = empty(await bare(method, `${settings.storeUrl}${path}?api-version=${VERSION}`), 401);
        contains(answer.header("www-authenticate"), "HMAC-SHA256");
        contains(answer.header("www-authenticate"), "Bearer");
      }
    }
  });

  proves(["A3", "A5", "A8"], "the raw target is signed, however it is spelled", async () => {
    const [send, name] = [signing(), unique("raw")];
    await byToken().setConfigurationSetting({ key: `${name}/a b`, label: "l,1", value: "v" });
    for (const target of [`${name}%2Fa%20b`, `${name}/a%20b`, `${name}%2fa%20%62`]) {
      for (const query of [
        "?label=l,1",
        "?LABEL=l%2C1",
        "?label=l%2c1&$Select=value,etag",
        "?%24select=value&label=l,1",
      ]) {
        const [got] = await getAndHead(send, `/kv/${target}${query}`);
        assert.deepEqual([got.status, got.json().value], [200, "v"], target + query);
      }
    }
    for (const query of [`?KEY=${name}*&label=l%5C,1`, `?key=${name}*&Label=l%5C%2C1&fields=key`]) {
      const [got] = await getAndHead(send, `/kv${query}`);
      assert.equal(got.json().items?.length, 1, query);
    }
  });
});
