/** What a failed call must raise. */

import assert from "node:assert/strict";

import { isRestError } from "@azure/core-rest-pipeline";

export const badParameter = { status: 400, code: "BadParameter" };
export const unauthorized = { status: 401, code: "Unauthorized" };
export const secretNotFound = { status: 404, code: "SecretNotFound" };
export const keyNotFound = { status: 404, code: "KeyNotFound" };
export const conflict = { status: 409, code: "Conflict" };
export const deletedName = { status: 409, code: "Conflict", inner: "ObjectIsDeletedButRecoverable" };
export const forbidden = (inner) => ({ status: 403, code: "Forbidden", inner });

/**
 * The call fails with the package's own error class, the status, and the codes that programs test; `text` occurs in
 * the message, whatever its case. Gives the error.
 */
export async function refused(call, { status, code, inner }, text = "") {
  const error = await failure(call);
  assert.ok(isRestError(error) && error.name === "RestError", `not a RestError: ${error?.stack}`);
  assert.deepEqual([error.statusCode, error.code], [status, code], error.message);
  if (inner) assert.equal(error.details.error.innerError?.code, inner, error.message);
  contains(error.message, text);
  return error;
}

/**
 * The call to an App Configuration store fails with the package's own error class and the status. Its details name the
 * kind of problem, or are empty, as the answer's body is. Gives the details.
 */
export async function configRefused(call, status, kind) {
  const { details } = await refused(call, { status, code: undefined });
  assert.equal(details?.type, kind && `https://azconfig.io/errors/${kind}`);
  assert.equal(details?.status, kind && status);
  return details;
}

/** The error of a call that must not succeed. */
export async function failure(call) {
  const outcome = await call.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  assert.ok("error" in outcome, "the call succeeded");
  return outcome.error;
}

export function contains(message, text) {
  assert.ok(message.toLowerCase().includes(text.toLowerCase()), `"${text}" is not in "${message}"`);
}

/** Two lists have the same members, whatever their order. */
export function sameMembers(actual, expected) {
  assert.deepEqual([...actual].sort(), [...expected].sort());
}

/** Each time is after the one before it. */
export function rising(...times) {
  for (let i = 1; i < times.length; i += 1) {
    assert.ok(times[i] > times[i - 1], `the times do not rise: ${times.map((time) => time.toISOString())}`);
  }
}

export const lengths = (pages) => pages.map((page) => page.length);
