/** The official Azure SDK for JavaScript against a running Strongroom: every test, then the report. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { reach } from "./clients.js";
import { missingVariables } from "./settings.js";
import { removeReport, writeReport } from "./tally.js";

const whole = process.env.CONFORMANCE_WHOLE === "true";
if (whole) removeReport();

const missing = missingVariables();
if (missing.length) {
  console.error(`the environment gives no ${missing.join(", ")}; see README.md`);
  process.exit(2);
}
try {
  await reach();
} catch (error) {
  console.error(`the vault does not answer: ${error.message}`);
  process.exit(2);
}

await import("./tests/secrets.js");
await import("./tests/secrets-lifecycle.js");
await import("./tests/keys.js");
await import("./tests/keys-lifecycle.js");
await import("./tests/rotation.js");
await import("./tests/cryptography.js");
await import("./tests/cryptography-rules.js");
await import("./tests/errors.js");
await import("./tests/key-refusals.js");
await import("./tests/identity.js");
await import("./tests/config.js");
await import("./tests/config-lists.js");
await import("./tests/config-revisions.js");
await import("./tests/config-snapshots.js");
await import("./tests/config-access.js");
await import("./tests/config-signatures.js");
await import("./tests/config-types.js");
await import("./tests/config-provider.js");

if (whole) {
  // It is the last test, and the suites above run one after the other, so all of them are done by then.
  test("every operation of the contract is proven", () => assert.deepEqual(writeReport(), []));
}
