import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import { siteIdOf, StaticSource } from "../../../test-mesh/dns/static-source.ts";
import type { Authority } from "../../core/authority/authority.ts";
import { silentLogger } from "../../observe/log.ts";
import { systemClock } from "../../observe/system-clock.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { matchesPattern } from "../../../protocol/dns/name-pattern.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { toHex } from "../../../protocol/ids.ts";
import { signingKey } from "../../../protocol/keys/signature.ts";
import { siteBox } from "../../../protocol/keys/site-box.ts";
import { KeyRing, type KeyRequest } from "./key-ring.ts";

const ZONE = parseDnsName("mesh.example");
const NAMES = ["quimper", "brest", "lorient"] as const;
type Name = (typeof NAMES)[number];
const FRIEND = parseDnsName("friend");
const SECRET = Buffer.alloc(32, 7).toString("base64");
const FETCH: KeyRequest = {
  ...{ name: "friend", zones: [], algorithm: "hmac-sha256", secret: SECRET },
  ...{ transfer: true, update: [] },
};
const CHANGE: KeyRequest = { ...FETCH, update: [{ names: "**.mesh.example", types: [] }] };

/** Three sites with the same state; lorient may not write the zone. */
function party(answering: readonly Name[] = NAMES) {
  const source = new StaticSource(NAMES);
  source.putRecord(ZONE, "mesh.example", TYPE.SOA, [". hostmaster 0 3600 300 1209600 60"]);
  const boxOf = (name: Name) =>
    siteBox(signingKey(new Uint8Array(32).fill(NAMES.indexOf(name) + 1)));
  const answers = (name: Name): void => {
    const dns = [{ address: "192.0.2.1", port: 53 }];
    const node = { addresses: [], version: "1", dns, box: toHex(boxOf(name).publicKey) };
    source.put("site", "node", node, siteIdOf(name));
  };
  for (const name of answering) answers(name);
  const mayWrite = (site: string): boolean => site !== siteIdOf("lorient");
  const authority = () => ({ ...source.authority(), mayWrite }) as Authority;
  const ring = (name: Name, awake: readonly Name[] = []) =>
    new KeyRing({
      source: { view: () => source.view(), authority },
      zones: () => [ZONE],
      ...{ siteId: siteIdOf(name), box: boxOf(name), writer: source },
      awake: () => awake.map(siteIdOf),
      ...{ clock: systemClock, log: silentLogger },
    });
  return { source, ring, answers };
}

test("a key to fetch with is for all sites that answer DNS", async () => {
  const { ring } = party(["quimper", "lorient"]);
  await ring("quimper").add(FETCH);
  const found = ring("lorient").find(FRIEND, "hmac-sha256");
  deepEqual(found[0]?.tsig.secret, new Uint8Array(32).fill(7));
  equal(ring("brest").find(FRIEND).length, 0);
});

test("a key that changes a zone is not for a site that may not change it itself", async () => {
  const { ring } = party();
  await ring("quimper").add(CHANGE);
  equal(ring("brest").find(FRIEND).length, 1);
  equal(ring("lorient").find(FRIEND).length, 0);
  deepEqual(ring("lorient").list()[0]?.readers, ["quimper", "brest"]);
});

test("no record holds the secret, and what is sealed for one site opens for no other", async () => {
  const { source, ring } = party();
  await ring("quimper").add(FETCH);
  const entries = source.view().entries("zone", "mesh.example/!key/");
  equal(entries.length, 4);
  ok(!JSON.stringify(entries).includes(SECRET.slice(0, 20)));
  // Put in the place of another site's, and under another name, it opens nothing.
  const mine = entries.find(({ key }) => key.endsWith(siteIdOf("quimper")));
  ok(mine !== undefined);
  source.put("zone", `mesh.example/!key/friend/${siteIdOf("brest")}`, mine.value);
  equal(ring("brest").find(FRIEND).length, 0);
  const rule = entries.find(({ key }) => key === "mesh.example/!key/friend");
  source.put("zone", "mesh.example/!key/foe", rule?.value ?? null);
  source.put("zone", `mesh.example/!key/foe/${siteIdOf("quimper")}`, mine.value);
  equal(ring("quimper").find(parseDnsName("foe")).length, 0);
});

test("another secret than the one of the hash counts nowhere", async () => {
  const { source, ring } = party();
  await ring("quimper").add(FETCH);
  const other = party();
  const secret = Buffer.alloc(32, 8).toString("base64");
  await other.ring("quimper").add({ ...FETCH, secret });
  const place = `mesh.example/!key/friend/${siteIdOf("quimper")}`;
  source.put("zone", place, other.source.view().get("zone", place)?.value ?? null);
  equal(ring("quimper").find(FRIEND).length, 0);
});

test("a site that comes later gets the key from one of those that have it", async () => {
  const { ring, answers, source } = party(["quimper"]);
  await ring("quimper").add(CHANGE);
  answers("brest");
  const waits = ring("quimper").list()[0];
  deepEqual([waits?.readers, waits?.waiting], [["quimper"], ["brest"]]);
  // Brest has it not, so it cannot; quimper can, and does it once.
  const seals = () => source.view().entries("zone", "mesh.example/!key/friend/").length;
  for (const [name, count] of [
    ["brest", 1],
    ["quimper", 2],
    ["quimper", 2],
  ] as const) {
    const keeper = ring(name, ["quimper", "brest"]);
    keeper.tend();
    await keeper.stop();
    equal(seals(), count);
  }
  equal(ring("brest").find(FRIEND).length, 1);
});

test("a removed key counts nowhere, and its name is free for another secret", async () => {
  const { ring, source } = party();
  const here = ring("quimper");
  await here.add(FETCH);
  const secret = Buffer.alloc(32, 8).toString("base64");
  await rejects(here.add({ ...FETCH, secret }), { code: "E-DNS-KEY" });
  await here.remove("friend", undefined);
  equal(source.view().entries("zone", "mesh.example/!key/").length, 0);
  equal(ring("brest").find(FRIEND).length, 0);
  await rejects(here.remove("friend", undefined), { code: "E-DNS-KEY" });
  await here.add({ ...FETCH, secret });
  notEqual(here.find(FRIEND)[0], undefined);
});

test("what cannot be a key is refused in words", async () => {
  const { ring } = party();
  const here = ring("quimper");
  await rejects(here.add({ ...FETCH, transfer: false }), /may do nothing/);
  await rejects(here.add({ ...FETCH, secret: "c2hvcnQ=" }), /has 5 bytes; 16 to 64/);
  await rejects(here.add({ ...FETCH, secret: undefined }), /no hmac-sha256 secret/);
  await rejects(here.add({ ...FETCH, zones: ["other.example"] }), { code: "E-DNS-ZONE" });
  await rejects(party([]).ring("quimper").add(FETCH), /No site that answers DNS/);
});

test("patterns: one label, any number of labels, and nothing else", () => {
  const matches = (name: string, pattern: string) => matchesPattern(parseDnsName(name), pattern);
  const challenge = "_acme-challenge.**.mesh.example";
  for (const name of ["_acme-challenge.mesh.example", "_ACME-challenge.a.b.mesh.example"]) {
    ok(matches(name, challenge), name);
  }
  for (const name of [
    "www.mesh.example",
    "_acme-challenge.mesh.example.org",
    "a._acme-challenge.mesh.example",
  ]) {
    ok(!matches(name, challenge), name);
  }
  ok(matches("a.dyn.mesh.example", "*.dyn.mesh.example"));
  ok(!matches("dyn.mesh.example", "*.dyn.mesh.example"));
  ok(!matches("a.b.dyn.mesh.example", "*.dyn.mesh.example"));
});

test("a key has a view, of one site where it says so, and is none with a view that nobody knows", async () => {
  const { source, ring } = party();
  await ring("quimper").add({ ...CHANGE, view: "lan", site: "brest" });
  const [listed] = ring("brest").list();
  deepEqual([listed?.view, listed?.viewSite], ["lan", "brest"]);
  const place = "mesh.example/!key/friend";
  const value = source.view().get("zone", place)?.value as Record<string, JsonValue>;
  deepEqual([value["view"], value["site"]], ["lan", siteIdOf("brest")]);
  for (const wrong of [
    { ...value, view: "moon" },
    { ...value, view: "mesh" },
    { ...value, site: "brest" },
  ]) {
    source.put("zone", place, wrong);
    equal(ring("quimper").find(FRIEND).length, 0);
  }
  await ring("quimper").add(CHANGE);
  deepEqual(ring("brest").list()[0]?.view, "public");
  const add = (more: Partial<KeyRequest>) => ring("quimper").add({ ...CHANGE, ...more });
  await rejects(add({ view: "moon" }), { code: "E-DNS-VIEW" });
  await rejects(add({ view: "mesh", site: "brest" }), { code: "E-DNS-VIEW" });
  await rejects(add({ view: "lan", site: "morlaix" }), {
    code: "E-DNS-VIEW",
    hint: "Its sites: brest, lorient, quimper.",
  });
});
