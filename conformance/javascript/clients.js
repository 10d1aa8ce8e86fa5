/** The official clients, made as a program would make them, and the objects that several tests share. */

import assert from "node:assert/strict";

import { DefaultAzureCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

import { generate, privateJwk } from "./independent.js";
import { freshVault, settings, unique } from "./settings.js";

/**
 * In direct mode the authority is not one that the identity package knows, and it would ask the public cloud about it:
 * the one documented code option. In proxy mode there is none.
 */
export const identityOptions = settings.mode === "direct" ? { disableInstanceDiscovery: true } : {};

export const credential = new DefaultAzureCredential(identityOptions);

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "k", "key_hsm"];

/** Looks at every response that a key client gets: none may carry private key material. */
const noPrivateMaterial = {
  name: "noPrivateMaterial",
  async sendRequest(request, next) {
    const response = await next(request);
    const key = response.bodyAsText?.startsWith("{") ? JSON.parse(response.bodyAsText).key : undefined;
    const leaked = PRIVATE_MEMBERS.filter((member) => key && member in key);
    assert.deepEqual(leaked, [], "private members in a response");
    return response;
  },
};
const watched = () => ({ additionalPolicies: [{ policy: noPrivateMaterial, position: "perCall" }] });

/** The clients of one vault. */
export class Vault {
  constructor(url, as = credential) {
    this.url = url;
    this.secrets = new SecretClient(url, as);
    this.keys = new KeyClient(url, as, watched());
  }

  /** Creates a key of a kind such as `RSA-2048` or `P-256K`. */
  createKey(name, kind, options = {}) {
    return kind.startsWith("RSA-")
      ? this.keys.createRsaKey(name, { keySize: Number(kind.slice(4)), ...options })
      : this.keys.createEcKey(name, { curve: kind, ...options });
  }
}

const opened = new Map();

/** A vault whose clients are ready for several requests at once. */
export function vaultAt(url) {
  if (!opened.has(url)) opened.set(url, open(url));
  return opened.get(url);
}

/**
 * Each client's first request goes out alone: the package keeps the body of only one request through the
 * challenge, and sends another that is under way at that moment without its body.
 */
async function open(url) {
  const vault = new Vault(url);
  await Promise.all([vault.secrets.listPropertiesOfSecrets().next(), vault.keys.listPropertiesOfKeys().next()]);
  return vault;
}

export const home = () => vaultAt(settings.vaultUrl);

/** A second vault of the same installation, for restores. */
export const elsewhere = () => vaultAt(otherUrl);
const otherUrl = freshVault("conf-js");

/** A CryptographyClient that does locally what the package chooses to do locally. */
export const cryptography = (key) => new CryptographyClient(key, credential, watched());

/** A CryptographyClient that asks the server for everything, because it knows of the key no more than its id. */
export const remote = ({ id, name, properties: { vaultUrl, version } }) =>
  cryptography({ id, name, properties: { name, vaultUrl, version } });

/** Begins a deletion or a recovery, waits until its poller says that it is done, and gives the result. */
export async function finished(beginning) {
  const poller = await beginning;
  const result = await poller.pollUntilDone();
  assert.equal(poller.isDone(), true);
  return result;
}

/** All items of a listing, over all its pages. */
export async function every(listing) {
  const items = [];
  for await (const item of listing) items.push(item);
  return items;
}

/** A listing page by page. */
export const pages = (listing, maxPageSize) => every(listing.byPage({ maxPageSize }));

/** Tells at once, without the packages' retries, whether the vault answers. */
export async function reach() {
  const client = new SecretClient(settings.vaultUrl, credential, { retryOptions: { maxRetries: 0 } });
  await client.listPropertiesOfSecrets().next();
}

function once(make) {
  const made = new Map();
  return (kind) => {
    if (!made.has(kind)) made.set(kind, make(kind));
    return made.get(kind);
  };
}

/** A key of the home vault that tests only use, made once per run and kind. */
export const onShelf = once(async (kind) => (await home()).createKey(unique(`shelf-${kind}`), kind));

/** An imported key of the home vault, and the local private key that it came from. */
export const imported = once(async (kind) => {
  const local = await generate(kind);
  const vault = await home();
  return { local, key: await vault.keys.importKey(unique(`imported-${kind}`), privateJwk(local.privateKey)) };
});
