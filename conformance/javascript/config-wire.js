/** Plain HTTPS to an App Configuration store, signed by an implementation of our own. */

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";

import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
} from "@azure/core-rest-pipeline";

import { credential } from "./clients.js";
import { settings } from "./settings.js";

export const VERSION = "2026-04-01";
export const SIGNED = ["x-ms-date", "host", "x-ms-content-sha256"];
export const media = (resource) => `application/vnd.microsoft.appconfig.${resource}+json; charset=utf-8`;
export const PROBLEM = "application/problem+json; charset=utf-8";

const client = createDefaultHttpClient();
const pipeline = createPipelineFromOptions({ retryOptions: { maxRetries: 0 } });

/** One request as it is given, without retries. The pipeline is the packages' own, which knows the proxy. */
export async function bare(method, url, headers = {}, body = undefined) {
  const request = createPipelineRequest({ method, url, headers: createHttpHeaders(headers), body });
  const { status, headers: received, bodyAsText } = await pipeline.sendRequest(client, request);
  const text = bodyAsText ?? "";
  return { status, text, header: (name) => received.get(name), json: () => JSON.parse(text) };
}

/** What a connection string says. */
export function accessKey(connectionString) {
  const [, endpoint, id, secret] = /^Endpoint=(.*?)\/*;Id=(.*);Secret=(.*)$/.exec(connectionString);
  return { endpoint, id, secret: Buffer.from(secret, "base64") };
}

export const contentHash = (body = "") => createHash("sha256").update(body).digest("base64");

/** HMAC-SHA256 of the method, the target as it is on the request line, and the values of the signed headers. */
export function signature(secret, method, target, values) {
  return createHmac("sha256", secret)
    .update([method, target, values.join(";")].join("\n"))
    .digest("base64");
}

/** The headers that every signature covers. */
export const toSign = (endpoint, body = "", date = new Date()) => ({
  "x-ms-date": date.toUTCString(),
  host: new URL(endpoint).host,
  "x-ms-content-sha256": contentHash(body),
});

/** An Authorization that signs the headers in `names`; one without a value signs as nothing. */
export function authorization({ id, secret }, method, target, headers, names = SIGNED, separator = "&") {
  const values = names.map((name) => headers[name] ?? "");
  const signed = `Signature=${signature(secret, method, target, values)}`;
  return `HMAC-SHA256 ${[`Credential=${id}`, `SignedHeaders=${names.join(";")}`, signed].join(separator)}`;
}

/** Requests to the `dev` store that are signed with an access key. */
export function signing(connectionString = settings.connectionString) {
  const key = accessKey(connectionString);
  return wire(key.endpoint, (method, target, body) => {
    const headers = toSign(key.endpoint, body);
    return { ...headers, authorization: authorization(key, method, target, headers) };
  });
}

/** Requests to any store with the application's token. */
export const bearing = (url = settings.storeUrl) =>
  wire(url, async () => ({ authorization: `Bearer ${(await credential.getToken(storeScope())).token}` }));

/** The scope that the package asks for: the host's part from `azconfig` on, without a port. */
export const storeScope = () => `https://${new URL(settings.storeUrl).hostname.replace(/^[^.]+\./, "")}/.default`;

/** Both ways to authenticate, for a loop. */
export const WIRES = { "a signature": () => signing(), "a token": () => bearing() };

function wire(base, authorize) {
  /** Sends `target` as it is, with the api-version behind it, and `body` as JSON when it is an object. */
  return async (method, target, { body, headers = {}, version = VERSION } = {}) => {
    const path = version ? `${target}${target.includes("?") ? "&" : "?"}api-version=${version}` : target;
    const { pathname, search } = new URL(path, base);
    assert.equal(pathname + search, path, "the target is sent as it is signed");
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    const type = text === undefined ? {} : { "content-type": "application/json" };
    return bare(method, base + path, { ...type, ...(await authorize(method, path, text)), ...headers }, text);
  };
}

/** The answers to a listing, over all its pages by their Link headers. */
export async function walk(send, method, target, options = {}) {
  const answers = [await send(method, target, options)];
  for (;;) {
    const link = answers.at(-1).header("link");
    const next = /^<([^>]+)>; rel="next"/.exec(link ?? "");
    if (!next) return answers;
    assert.ok(next[1].startsWith("/") && answers.length < 20, link);
    answers.push(await send(method, next[1], { ...options, version: "" }));
  }
}

/** A HEAD: like the GET, with no body. Gives the answer to the GET and to the HEAD. */
export async function getAndHead(send, target, options) {
  const got = await send("GET", target, options);
  const head = await send("HEAD", target, options);
  assert.deepEqual([head.status, head.text], [got.status, ""]);
  for (const name of ["content-type", "etag", "last-modified", "memento-datetime"]) {
    assert.equal(head.header(name), got.header(name), name);
  }
  // Without a body, clients follow the first link of a list: one to the present would be taken for a next page.
  const link = got.header("link");
  const misleading = /^\/kv(\?|$)/.test(target) && /^<[^>]+>; rel="original"$/.test(link ?? "");
  assert.equal(head.header("link"), misleading ? undefined : link, "link");
  assert.equal(Boolean(head.header("sync-token")), Boolean(got.header("sync-token")));
  return [got, head];
}

/** A failed request's problem, after checking its status, its media type and its shape. */
export function problem(answer, status, kind, name) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.header("content-type"), PROBLEM);
  const body = answer.json();
  assert.deepEqual([body.type, body.status], [`https://azconfig.io/errors/${kind}`, status]);
  assert.ok(body.title);
  if (name) assert.equal(body.name, name, answer.text);
  return body;
}

/** An answer without a body. */
export function empty(answer, status) {
  assert.deepEqual([answer.status, answer.text], [status, ""]);
  return answer;
}
