import { deepEqual, equal, notEqual } from "node:assert/strict";
import { test } from "node:test";
import { hashId, type SiteId } from "../ids.ts";
import {
  isFallbackName,
  markKey,
  markRecord,
  parseMarkKey,
  servicePolicyRecord,
  verdictRecord,
} from "./steering-record.ts";

const site = hashId<SiteId>("quimper");

test("the key of a mark is read again, and no other key is", () => {
  deepEqual(parseMarkKey(markKey("wiki", site)), { service: "wiki", site });
  for (const key of [
    `mark//${site}`,
    `mark/wiki/${site.slice(1)}`,
    `mark/wiki/${site}/more`,
    `service/wiki/${site}`,
    "mark/wiki",
    "",
  ]) {
    equal(parseMarkKey(key), undefined, key);
  }
});

test("a fallback is a name of a host, written in one way", () => {
  for (const name of ["status.example", "a.b-c.example", "localhost"]) {
    equal(isFallbackName(name), true, name);
  }
  for (const name of ["", ".", "Status.example", "status.example.", "a..b", "_x.example", "*.a"]) {
    equal(isFallbackName(name), false, name);
  }
});

test("records of hostile members are refused; unknown fields are not", () => {
  notEqual(markRecord.safeParse({ state: "up", later: 1 }).data, undefined);
  for (const value of [null, {}, { state: "auto" }, { state: "up", text: "a\nb" }]) {
    equal(markRecord.safeParse(value).success, false);
  }
  for (const value of [{ whenDown: "fallback" }, { whenDown: "fallback", name: "a b" }, {}]) {
    equal(servicePolicyRecord.safeParse(value).success, false);
  }
  equal(verdictRecord.safeParse({ state: "up", sinceMs: 2 ** 53 - 1, weight: 0 }).success, false);
  for (const weight of [-1, 12_001, 0.5]) {
    equal(verdictRecord.safeParse({ state: "down", sinceMs: 0, weight }).success, false);
  }
});
