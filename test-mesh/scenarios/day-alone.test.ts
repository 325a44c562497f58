/**
 * A node cut off from all others for a day: every clock is led through 24 hours while both sides are
 * edited in every way there is. Answers and edits work throughout; after healing all nodes serve the
 * same zones with the same serials, later than every one that was seen before.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isLaterSerial } from "../../daemon/core/zones/zone-serial.ts";
import { SerialWatch } from "../dns/serial-watch.ts";
import type { Gate } from "../gate.ts";
import { GatedMesh, upAt } from "../gated-mesh.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import { ShiftedTime } from "../shifted-time.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const ZONE = "bzh.example";
/** Brought in on both sides while they are apart, from files that differ. */
const TAKEN = "taken.example";
const WITHIN_MS = 120_000;
const DAY_MS = 24 * 3_600_000;
/** In hours; after each of them something is edited on each side. */
const PARTS_OF_THE_DAY = [1, 5, 12, 6] as const;

class Day {
  readonly mesh: TestMesh;
  readonly time: ShiftedTime;

  constructor(mesh: TestMesh, time: ShiftedTime) {
    this.mesh = mesh;
    this.time = time;
  }

  get keyFile(): string {
    return join(this.mesh.directory, "hand.key");
  }

  async dig(site: TestSite, ...words: readonly string[]): Promise<string> {
    const where = [`@${site.address}`, "-p", String(site.dnsPort), "+tries=1", "+timeout=5"];
    return (await runProcess("dig", [...where, ...words])).stdout.trim();
  }

  /** All records of a zone as a secondary gets them, in any order. */
  async zoneAt(site: TestSite, zone: string): Promise<string> {
    const text = await this.dig(site, zone, "AXFR", "+noall", "+answer", "+onesoa");
    const records = text.split("\n").filter((line) => line.includes("\tIN\t"));
    return records.toSorted().join("\n");
  }

  /** A challenge added or deleted by a TSIG key, as certbot does, in the time of the nodes. */
  async update(site: TestSite, act: "add" | "delete", text: string): Promise<void> {
    const program = [
      "import dns.query, dns.tsigkeyring, dns.update",
      `keyring = dns.tsigkeyring.from_text({'hand': '${await this.#secret()}'})`,
      `update = dns.update.Update('${ZONE}', keyring=keyring)`,
      act === "add"
        ? `update.add('_acme-challenge', 60, 'TXT', '${text}')`
        : `update.delete('_acme-challenge', 'TXT', '${text}')`,
      `answer = dns.query.udp(update, '${site.address}', port=${site.dnsPort}, timeout=30)`,
      "assert answer.rcode() == 0, answer",
    ];
    const options = { env: this.time.env };
    const done = await runProcess("/usr/bin/python3", ["-c", program.join("\n")], options);
    assert.equal(done.exit, 0, `${site.name}: ${done.stdout}${done.stderr}`);
  }

  async #secret(): Promise<string> {
    return /secret "([^"]+)"/.exec(await readFile(this.keyFile, "utf8"))?.[1] ?? "";
  }

  async imports(site: TestSite, ...records: readonly string[]): Promise<string> {
    const file = join(this.mesh.directory, `${site.name}.zone`);
    const soa = `@ 3600 SOA ns.${TAKEN}. root.${TAKEN}. 2026010100 3600 300 1209600 60`;
    await writeFile(file, [`$ORIGIN ${TAKEN}.`, "$TTL 300", soa, ...records, ""].join("\n"));
    const { change } = await site.pleach("dns", "import", file, "--yes");
    return String(change);
  }

  /** Every node answers for what is there, whatever the hour. */
  async assertAnswers(sites: readonly TestSite[], name: string, data: string): Promise<void> {
    for (const site of sites) {
      await waitFor(`${name} at ${site.name}`, WITHIN_MS, async () =>
        (await this.dig(site, "+short", `${name}.${ZONE}`, "A")).split("\n").includes(data),
      );
    }
  }
}

async function dayAlone(t: TestContext, mesh: TestMesh): Promise<void> {
  const gates: Gate[] = [];
  const time = await ShiftedTime.create();
  const watches = [new SerialWatch(ZONE), new SerialWatch(TAKEN)] as const;
  t.after(async () => {
    await Promise.all(watches.map((watch) => watch.stop()));
    for (const gate of gates) gate.close();
    await time.remove();
  });
  const names = ["quimper", "brest", "lorient"];
  // Whoever fetches from this machine needs no key, whose signature would be of the wrong hour.
  const toml = '[[dns.secondary]]\naddress = "127.0.0.1:1"';
  const gated = await GatedMesh.form(mesh, names, gates, { dht: false, toml, env: time.env });
  const { sites } = gated;
  const [alone, brest, lorient] = sites;
  assert.ok(alone && brest && lorient);
  const others = [brest, lorient];
  const day = new Day(mesh, time);

  await alone.pleach("dns", "add-zone", ZONE);
  await alone.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.1");
  await alone.pleach("service", "add", "wiki", "--address", "192.0.2.20");
  const rights = ["--update", `_acme-challenge.${ZONE}:TXT`, "--out", day.keyFile];
  await alone.pleach("dns", "keys", "add", "hand", "--zone", ZONE, ...rights);
  for (const site of sites) {
    await waitFor(`the key at ${site.name}`, WITHIN_MS, async () => {
      const { keys } = (await site.pleach("dns", "keys", "list")) as {
        keys: { usable: boolean }[];
      };
      return keys.length === 1 && keys[0]?.usable === true;
    });
  }
  const places = sites.map(({ name, address, dnsPort }) => ({ name, address, port: dnsPort }));
  for (const watch of watches) watch.start(places);
  await day.assertAnswers(sites, "www", "192.0.2.1");

  gated.cut([alone], others);
  await waitFor("the cut", WITHIN_MS, async () => (await upAt(alone)).length === 0);
  await waitFor(
    "the cut at brest",
    WITHIN_MS,
    async () => (await upAt(brest)).join() === "lorient",
  );

  const [night, morning, noon, evening] = PARTS_OF_THE_DAY;
  // Without a change on either side at first: time alone must change nothing.
  await time.pass(night);
  await day.assertAnswers(sites, "www", "192.0.2.1");

  // Imports under one name from two files, one of which is taken back.
  await day.imports(alone, "@ NS ns", "ns A 192.0.2.53", "a A 192.0.2.61");
  await day.imports(brest, "@ NS ns", "ns A 192.0.2.54", "b A 192.0.2.62");
  const change = await day.imports(alone, "@ NS ns", "extra A 192.0.2.63");
  await time.pass(morning);
  await day.assertAnswers(sites, "www", "192.0.2.1");

  await alone.pleach("dns", "undo", change);
  await day.update(alone, "add", "alone");
  await day.update(lorient, "add", "together");
  await alone.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.2");
  await lorient.pleach("dns", "add", `www.${ZONE}`, "A", "192.0.2.3");
  await time.pass(noon);
  await day.assertAnswers([alone], "www", "192.0.2.2");
  await day.assertAnswers(others, "www", "192.0.2.3");

  // A restart in the middle, as after a power cut: what it knows is on its disk.
  await alone.kill();
  await alone.start();
  await alone.pleach("service", "add", "agenda", "--address", "192.0.2.21");
  await brest.pleach("service", "add", "wiki", "--address", "192.0.2.22");
  await day.update(alone, "delete", "alone");
  await brest.pleach("dns", "remove", `www.${ZONE}`, "A", "192.0.2.1");
  await lorient.pleach("dns", "set", `alias.${ZONE}`, "CNAME", "www");
  await alone.pleach("dns", "set", `alias.${ZONE}`, "CNAME", "wiki");
  await time.pass(evening);
  await day.assertAnswers([alone], "agenda", "192.0.2.21");
  await day.assertAnswers(others, "wiki", "192.0.2.22");

  const [left, right, beside] = await Promise.all(sites.map((site) => day.zoneAt(site, ZONE)));
  assert.equal(right, beside, "those who are together agree");
  assert.notEqual(left, right, "and the one that is alone has gone its own way");
  const apart = watches.map(({ last }) => [...last.values()]);
  for (const serials of apart) assert.equal(serials.length, sites.length);
  gated.heal();
  for (const [index, { zone, last }] of watches.entries()) {
    await waitFor(`one serial of ${zone}`, WITHIN_MS, () => {
      const serials = [...last.values()];
      const later = serials.every((serial) =>
        (apart[index] ?? []).every((before) => isLaterSerial(serial, before)),
      );
      return later && new Set(serials).size === 1;
    });
  }
  for (const { zone, last } of watches) {
    await waitFor(`one version of ${zone}`, WITHIN_MS, async () => {
      const zones = await Promise.all(sites.map((site) => day.zoneAt(site, zone)));
      return zones[0] !== "" && new Set(zones).size === 1 && new Set(last.values()).size === 1;
    });
  }

  const merged = `${await day.zoneAt(brest, ZONE)}\n${await day.zoneAt(alone, TAKEN)}`;
  const has = (name: string, type: string, data: string): boolean =>
    merged
      .split("\n")
      .some((line) => line.startsWith(`${name}.`) && line.endsWith(`IN\t${type}\t${data}`));
  for (const [name, type, data] of [
    [`www.${ZONE}`, "A", "192.0.2.2"],
    [`www.${ZONE}`, "A", "192.0.2.3"],
    [`agenda.${ZONE}`, "A", "192.0.2.21"],
    [`wiki.${ZONE}`, "A", "192.0.2.20"],
    [`wiki.${ZONE}`, "A", "192.0.2.22"],
    [`_acme-challenge.${ZONE}`, "TXT", '"together"'],
    [`a.${TAKEN}`, "A", "192.0.2.61"],
    [`b.${TAKEN}`, "A", "192.0.2.62"],
    [`ns.${TAKEN}`, "A", "192.0.2.53"],
    [`ns.${TAKEN}`, "A", "192.0.2.54"],
  ] as const) {
    assert.ok(has(name, type, data), `${name} ${type} ${data} in\n${merged}`);
  }
  // What was taken back or deleted does not come again.
  for (const [name, type, data] of [
    [`www.${ZONE}`, "A", "192.0.2.1"],
    [`_acme-challenge.${ZONE}`, "TXT", '"alone"'],
    [`extra.${TAKEN}`, "A", "192.0.2.63"],
  ] as const) {
    assert.ok(!has(name, type, data), `${name} ${type} ${data} in\n${merged}`);
  }
  await alone.pleach("dns", "set", `after.${ZONE}`, "A", "192.0.2.9");
  await day.assertAnswers(sites, "after", "192.0.2.9");
  const { changes } = (await alone.pleach("dns", "changes")) as { changes: { atMs: number }[] };
  const [newest, oldest] = [changes.at(0), changes.at(-1)];
  assert.ok(newest && oldest && newest.atMs - oldest.atMs > DAY_MS, "a day has passed");
  await Promise.all(watches.map((watch) => watch.stop()));
  for (const { backwards } of watches) assert.deepEqual(backwards, []);
}

test("a node that was cut off for a day is one with the others again", (t) =>
  withMesh((mesh) => dayAlone(t, mesh)));
