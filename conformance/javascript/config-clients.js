/** The official App Configuration clients, made as a program would make them. */

import assert from "node:assert/strict";

import { AppConfigurationClient } from "@azure/app-configuration";

import { credential, every } from "./clients.js";
import { freshStore, settings, unique } from "./settings.js";
import { proves } from "./tally.js";

/** A client with the application's token. */
export const byToken = (url = settings.storeUrl, options = {}) => new AppConfigurationClient(url, credential, options);

/** A client with an access key. */
export const byKey = (connectionString = settings.connectionString) => new AppConfigurationClient(connectionString);

/** A store that nobody else uses. */
export const fresh = () => byToken(freshStore());

/** A test that runs once with the access key and once with the token, and proves its operations for both. */
export function provesBoth(claims, sentence, body) {
  proves(claims, `${sentence}, with a connection string`, () => body(byKey()));
  proves(claims, `${sentence}, with a token`, () => body(byToken()));
}

/** Makes something for several tests, once, when the first of them asks for it. */
export function shared(make) {
  let made;
  return () => (made ??= make());
}

/** A filter that only the text itself passes. */
export const exactly = (text) => text.replace(/[\\*,]/g, "\\$&");

export const revisionsOf = (store, key) => every(store.listRevisions({ keyFilter: exactly(key) }));

/** The pages of a listing, each with its etag. */
export const byPage = (listing) => every(listing.byPage());

/** Sets many settings, some at a time. */
export async function fill(store, made) {
  for (let start = 0; start < made.length; start += 20) {
    await Promise.all(made.slice(start, start + 20).map((setting) => store.setConfigurationSetting(setting)));
  }
}

/** Creates a snapshot and waits until its poller says that it is there. */
export async function snapshot(store, filters, { name = unique("snapshot"), ...options } = {}) {
  const poller = await store.beginCreateSnapshot({ name, filters, ...options }, { updateIntervalInMs: 50 });
  const made = await poller.pollUntilDone();
  assert.deepEqual([poller.isDone(), made.name, made.status], [true, name, "ready"]);
  return made;
}
