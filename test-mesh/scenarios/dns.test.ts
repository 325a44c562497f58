/** DNS of real daemons: every node answers the same, alone too, and edits apart come together. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { isLaterSerial } from "../../daemon/core/zones/zone-serial.ts";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

/** What dig prints of one question, without what differs by the moment. */
async function dig(site: TestSite, ...words: readonly string[]): Promise<string> {
  const where = [`@${site.address}`, "-p", String(site.dnsPort), "+tries=1", "+timeout=2"];
  const { stdout } = await runProcess("dig", [
    ...where,
    "+noall",
    "+comments",
    "+answer",
    "+authority",
    "+additional",
    ...words,
  ]);
  return stdout
    .replace(/, id: \d+/, "")
    .replace(/^; COOKIE:.*\n/m, "")
    .split("\n")
    .map((line) => line.replace(/\s+/g, " "))
    .filter((line) => !line.startsWith("; <<>>"))
    .join("\n");
}

async function serial(site: TestSite, zone: string): Promise<number> {
  const answer = await dig(site, zone, "SOA");
  return Number(/ SOA \S+ \S+ (\d+) /.exec(answer)?.[1] ?? Number.NaN);
}

const QUESTIONS: readonly (readonly string[])[] = [
  ["www.bzh.example", "A"],
  ["www.bzh.example", "AAAA"],
  ["alias.bzh.example", "A"],
  ["bzh.example", "MX"],
  ["bzh.example", "NS"],
  ["bzh.example", "SOA"],
  ["deep.wild.bzh.example", "TXT"],
  ["missing.bzh.example", "A"],
  ["node.bzh.example", "A"],
  ["wiki.bzh.example", "A"],
  ["wiki.brest.bzh.example", "A"],
  ["quimper.node.bzh.example", "A"],
  ["_https._tcp.wiki.bzh.example", "SRV"],
  ["www.bzh.example", "A", "+tcp"],
  ["www.bzh.example", "A", "+noedns"],
  ["www.elsewhere.example", "A"],
];

async function answers(site: TestSite): Promise<readonly string[]> {
  const all: string[] = [];
  for (const words of QUESTIONS) all.push(await dig(site, ...words));
  return all;
}

test("dig gets the same answers from each node, and from one that is alone", () =>
  withMesh(async (mesh) => {
    const [quimper, brest, lorient] = await mesh.form(["quimper", "brest", "lorient"]);
    ok(quimper && brest && lorient);
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh", "--timeout", "120s");

    await quimper.pleach("dns", "add-zone", "bzh.example");
    await waitFor(
      "the zone at brest",
      5000,
      async () => !Number.isNaN(await serial(brest, "bzh.example")),
    );
    await brest.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.80", "192.0.2.81");
    await lorient.pleach(
      "service",
      "add",
      "wiki",
      "--address",
      "192.0.2.14",
      "--port",
      "https:443",
    );
    await brest.pleach("service", "add", "wiki", "--address", "192.0.2.15", "--port", "https:443");
    await brest.pleach("dns", "set", "alias.bzh.example", "CNAME", "www");
    await quimper.pleach("dns", "set", "bzh.example", "MX", "10 www");
    await quimper.pleach("dns", "add", "*.wild.bzh.example", "TXT", "any; text");
    for (const site of mesh.sites) await site.pleach("wait", "--for", "dns", "--timeout", "120s");

    await waitFor("equal answers", 60_000, async () => {
      const all = await Promise.all(mesh.sites.map(answers));
      return new Set(all.map((each) => JSON.stringify(each))).size === 1;
    });
    const together = await answers(quimper);
    for (const [index, [name = "", type = ""]] of QUESTIONS.entries()) {
      const status = /status: (\w+)/.exec(together[index] ?? "")?.[1];
      const expected = name.startsWith("missing")
        ? "NXDOMAIN"
        : name.includes("elsewhere")
          ? "REFUSED"
          : "NOERROR";
      equal(status, expected, `${name} ${type}`);
    }
    match(
      together[2] ?? "",
      /alias\.bzh\.example\. 300 IN CNAME www\.bzh\.example\.\nwww\.bzh\.example\. 300 IN A 192\.0\.2\.80/,
    );

    // Alone, after a hard end: the same answers, edits taken and shown as provisional.
    await brest.stop();
    await lorient.stop();
    await quimper.kill();
    await quimper.start();
    const alone = await answers(quimper);
    deepEqual(withoutSerials(alone), withoutSerials(together));
    const before = await serial(quimper, "bzh.example");
    const done = await quimper.pleach("dns", "add", "alone.bzh.example", "A", "192.0.2.90");
    match(
      await dig(quimper, "alone.bzh.example", "A"),
      /alone\.bzh\.example\. 300 IN A 192\.0\.2\.90/,
    );
    ok(isLaterSerial(await serial(quimper, "bzh.example"), before));
    equal(done["serial"], await serial(quimper, "bzh.example"));
    equal(await provisional(quimper, "alone"), true);

    // Brest has gone on alone as well; when they meet, both edits are everywhere.
    await quimper.stop();
    await brest.start();
    await brest.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.82");
    const apart = await serial(brest, "bzh.example");
    await quimper.start();
    for (const site of [quimper, brest]) {
      await waitFor(`both edits at ${site.name}`, 60_000, async () => {
        const www = await dig(site, "www.bzh.example", "A");
        const only = await dig(site, "alone.bzh.example", "A");
        return www.includes("192.0.2.82") && only.includes("192.0.2.90");
      });
    }
    await waitFor("equal serials", 60_000, async () => {
      return (await serial(quimper, "bzh.example")) === (await serial(brest, "bzh.example"));
    });
    ok(isLaterSerial(await serial(brest, "bzh.example"), apart));
    await waitFor(
      "the confirmation",
      60_000,
      async () => (await provisional(quimper, "alone")) === false,
    );
    notEqual(await provisional(quimper, "alone"), undefined);
  }));

function withoutSerials(all: readonly string[]): readonly string[] {
  return all.map((text) => text.replace(/( SOA \S+ \S+) \d+ /g, "$1 SERIAL "));
}

async function provisional(site: TestSite, name: string): Promise<boolean | undefined> {
  const { records } = (await site.pleach("dns", "list", "bzh.example")) as {
    records: readonly Json[];
  };
  return records.find((record) => record["name"] === name)?.["provisional"] as boolean | undefined;
}

test("an edit that is wrong gives one clear error and changes nothing", () =>
  withMesh(async (mesh) => {
    const [quimper] = await mesh.form(["quimper"]);
    ok(quimper);
    await quimper.pleach("dns", "add-zone", "bzh.example");
    const before = await quimper.pleach("dns", "list", "bzh.example");
    for (const [code, ...words] of [
      ["E-DNS-VALUE", "add", "www.bzh.example", "A", "192.0.2.300"],
      ["E-DNS-NAME", "add", "a..bzh.example", "A", "192.0.2.1"],
      ["E-DNS-TYPE", "add", "www.bzh.example", "AAAAA", "192.0.2.1"],
      ["E-DNS-ZONE", "add", "www.example.net", "A", "192.0.2.1"],
      ["E-DNS-ZONE", "add-zone", "bzh.example"],
    ]) {
      const { error } = await quimper.refused("dns", ...words);
      equal(error["code"], code);
      equal(error["changed"], "Nothing was changed.");
    }
    deepEqual(await quimper.pleach("dns", "list", "bzh.example"), before);
  }));
