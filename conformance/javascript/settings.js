/** Where the server under test is: read once, from nothing but environment variables. */

import { randomBytes } from "node:crypto";

const env = process.env;

export const settings = Object.freeze({
  mode: env.CONFORMANCE_MODE ?? "proxy",
  vaultUrl: (env.AZURE_KEYVAULT_URL ?? "").replace(/\/+$/, ""),
  tenantId: env.AZURE_TENANT_ID ?? "",
  clientId: env.AZURE_CLIENT_ID ?? "",
  clientSecret: env.AZURE_CLIENT_SECRET ?? "",
  storeUrl: (env.AZURE_APPCONFIG_ENDPOINT ?? "").replace(/\/+$/, ""),
  connectionString: env.AZURE_APPCONFIG_CONNECTION_STRING ?? "",
  readOnlyConnectionString: env.AZURE_APPCONFIG_READONLY_CONNECTION_STRING ?? "",
});

/** The variables without which no test can run, as far as they are missing. */
export function missingVariables() {
  const identity = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];
  const store = ["ENDPOINT", "CONNECTION_STRING", "READONLY_CONNECTION_STRING"];
  const needed = ["AZURE_KEYVAULT_URL", ...identity, ...store.map((name) => `AZURE_APPCONFIG_${name}`)];
  return needed.filter((name) => !env[name]);
}

/** A name that no earlier run against the same data folder has used. */
export const unique = (prefix) => `${prefix}-${randomBytes(5).toString("hex")}`;

/**
 * The URL of a vault that this run alone uses: only the first label of the host differs.
 * Vault names have at most 24 characters.
 */
export function freshVault(label) {
  return settings.vaultUrl.replace(/^https:\/\/[^.]+/, `https://${label}-${randomBytes(4).toString("hex")}`);
}

/** The endpoint of an App Configuration store that the caller alone uses. Such a store takes tokens only. */
export function freshStore() {
  return settings.storeUrl.replace(/^https:\/\/[^.]+/, `https://conf-js-${randomBytes(4).toString("hex")}`);
}

/** What a vault's challenge must name: the vault's parent domain, with its port. */
export const resource = () => settings.vaultUrl.replace(/^https:\/\/[^.]+\./, "https://");

const startOfRun = Math.floor(Date.now() / 1000) * 1000;

/** The time `n` days from the start of the run, in whole seconds as the wire has them. */
export const day = (n) => new Date(startOfRun + n * 86_400_000);
