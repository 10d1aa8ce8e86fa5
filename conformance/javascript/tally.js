/** Which operations of the contract the tests claim, and which of those claims hold. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { settings } from "./settings.js";

const folder = new URL("../", import.meta.url);
const report = new URL(`report/javascript-${settings.mode}.json`, folder);

/** The contract ids of operations.txt, each with the number of tests that claim it and that passed. */
const operations = new Map(
  readFileSync(new URL("operations.txt", folder), "utf8")
    .split("\n")
    .filter((line) => line.trim() && !line.startsWith("#"))
    .map((line) => [line.split(/\s+/)[0], { claimed: 0, passed: 0 }]),
);

/** A test, and the operations that it proves when it passes. */
export function proves(claims, sentence, body) {
  const rows = claims.map((id) => {
    if (!operations.has(id)) throw new Error(`${id} is not in operations.txt`);
    return operations.get(id);
  });
  for (const row of rows) row.claimed += 1;
  test(sentence, { timeout: 180_000 }, async () => {
    await body();
    for (const row of rows) row.passed += 1;
  });
}

/** `passed` only when tests claim the operation and every one of them passed. */
function resultOf({ claimed, passed }) {
  if (!claimed) return "uncovered";
  return claimed === passed ? "passed" : "failed";
}

/** A run that breaks off must not leave an earlier run's report behind. */
export const removeReport = () => rmSync(report, { force: true });

/** Writes the report and gives the operations that are not proven. */
export function writeReport() {
  const results = Object.fromEntries([...operations].map(([id, row]) => [id, resultOf(row)]));
  const text = JSON.stringify({ language: "javascript", mode: settings.mode, operations: results }, null, 2);
  mkdirSync(new URL("report/", folder), { recursive: true });
  writeFileSync(report, `${text}\n`);
  return Object.keys(results).filter((id) => results[id] !== "passed");
}
