/**
 * Views of a real daemon: by the address that is asked, by the network of who asks and by the key
 * that has signed, over UDP and TCP, in the thread and in the main one; and the commands around them.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../dns/debian-servers.ts";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const ZONE = "bzh.example";

/** Addresses of one machine, of which any may ask and some answer. */
class Place {
  readonly #site: TestSite;
  readonly #port6: number;
  readonly key: string;

  constructor(site: TestSite, port6: number) {
    this.#site = site;
    this.#port6 = port6;
    this.key = join(site.directory, "lan.key");
  }

  at(last: number): string {
    return this.#site.address.replace(/\d+$/, String(last));
  }

  /** @param threads - That answer UDP. @param lan - Last numbers of addresses that see the LAN. */
  async configure(threads: number, lan: readonly number[]): Promise<void> {
    const port = this.#site.dnsPort;
    const networks = lan.map((last) => JSON.stringify(`${this.at(last)}/32`));
    await this.#site.configure({
      dnsThreads: threads,
      dnsListen: `[
        "${this.at(1)}:${port}", "[::1]:${this.#port6}",
        { address = "${this.at(101)}:${port}", view = "lan" },
        { address = "${this.at(102)}:${port}", view = "mesh" },
      ]`,
      toml: `[dns.views]\nlan = [${networks.join(", ")}]\nmesh = ["${this.at(12)}/32", "::1/128"]`,
    });
  }

  /** What one address is answered by another: the code, or the data of the answer. */
  async ask(from: string, to: string, ...words: readonly string[]): Promise<string> {
    const port = String(to.includes(":") ? this.#port6 : this.#site.dnsPort);
    const { stdout } = await runProcess("dig", [
      ...["-b", from, `@${to}`, "-p", port, "+tries=3", "+timeout=5", "+noall", "+comments"],
      ...["+answer", ...words],
    ]);
    const code = /status: (\w+)/.exec(stdout)?.[1] ?? "nothing";
    const data = [...stdout.matchAll(/\sIN\s+(?:A|AAAA|TXT)\s+(.*)$/gm)].map(([, text]) => text);
    return data.length === 0 ? code : data.join(" ");
  }
}

const WWW = { public: "192.0.2.1", mesh: "10.0.0.1", lan: "192.168.1.1" };

async function seesItsView(place: Place): Promise<void> {
  const at = (last: number): string => place.at(last);
  const cases: readonly (readonly [from: string, to: string, view: keyof typeof WWW])[] = [
    [at(1), at(1), "public"],
    [at(11), at(1), "lan"],
    [at(12), at(1), "mesh"],
    ["::1", "::1", "mesh"],
    // The address that is asked stands above the network of who asks.
    [at(1), at(101), "lan"],
    [at(11), at(102), "mesh"],
  ];
  for (const [from, to, view] of cases) {
    for (const way of ["+notcp", "+tcp"]) {
      const www = await place.ask(from, to, `www.${ZONE}`, "A", way);
      equal(www, WWW[view], `${from} asks ${to} ${way}`);
    }
    const inner = view === "public" ? "NXDOMAIN" : '"inner"';
    equal(await place.ask(from, to, `only.${ZONE}`, "TXT"), inner);
    const home = view === "lan" ? "192.168.1.9" : "REFUSED";
    equal(await place.ask(from, to, "nas.home.arpa", "A"), home);
  }
  const signed = ["-k", place.key, `www.${ZONE}`];
  equal(await place.ask(at(1), at(1), ...signed, "A", "+notcp"), WWW.lan);
  equal(await place.ask(at(1), at(1), ...signed, "A", "+tcp"), WWW.lan);
  // Its view is that of the zone that it is for; for others it is nobody in particular.
  equal(await place.ask(at(1), at(1), "-k", place.key, "nas.home.arpa", "A"), "REFUSED");
  const whole = await place.ask(at(102), at(102), "-k", place.key, ZONE, "AXFR");
  deepEqual([whole.includes(WWW.lan), whole.includes(WWW.mesh)], [true, false]);
  equal(await place.ask(at(1), at(1), ZONE, "AXFR"), "REFUSED");
}

async function fill(site: TestSite, place: Place): Promise<void> {
  const dns = (...words: readonly string[]) => site.pleach("dns", ...words);
  await dns("add-zone", ZONE);
  await dns("add-zone", "home.arpa", "--view", "lan");
  await dns("set", `www.${ZONE}`, "A", WWW.public);
  await dns("set", `www.${ZONE}`, "AAAA", "2001:db8::1");
  const noted = await dns("set", `www.${ZONE}`, "A", WWW.mesh, "--view", "mesh");
  match(String(noted["notes"]), /In the view mesh, www\.bzh\.example\. has A of its own and AAAA/);
  await dns("set", `www.${ZONE}`, "A", WWW.lan, "--view", "lan", "--site", "quimper");
  await dns("set", `only.${ZONE}`, "TXT", "inner", "--view", "mesh");
  await dns("set", "nas.home.arpa", "A", "192.168.1.9", "--view", "lan");
  const key = ["keys", "add", "lan", "--zone", ZONE, "--transfer", "--view", "lan"];
  await dns(...key, "--out", place.key);
}

async function exportsOf(site: TestSite): Promise<void> {
  for (const view of ["public", "mesh", "lan"] as const) {
    const { text } = (await site.pleach("dns", "export", ZONE, "--view", view)) as { text: string };
    for (const other of Object.values(WWW)) equal(text.includes(other), other === WWW[view]);
    const file = join(site.directory, `${view}.zone`);
    await writeFile(file, text);
    // The LAN that was exported is the one of this site.
    const place = ["--view", view, ...(view === "lan" ? ["--site", "quimper"] : [])];
    const { same, lines } = await site.pleach("dns", "diff", ZONE, file, ...place);
    deepEqual([same, lines], [true, []]);
  }
  const { error } = await site.refused("dns", "export", "home.arpa");
  equal(error["code"], "E-DNS-ZONE");
  match(String(error["hint"]), /in lan: {2}pleach dns export home\.arpa --view lan/);
}

async function importsOf(site: TestSite, place: Place): Promise<void> {
  const file = join(site.directory, "mesh.zone");
  const text = await readFile(file, "utf8");
  await writeFile(file, `${text.replace(WWW.mesh, "10.0.0.9")}\nnew 300 IN A 10.0.0.8\n`);
  const words = ["dns", "import", file, "--zone", ZONE, "--view", "mesh", "--replace"];
  const planned = await site.pleach(...words, "--dry-run");
  deepEqual(planned["lines"], [
    `+ new.${ZONE}. 300 IN A 10.0.0.8`,
    `- www.${ZONE}. 300 IN A ${WWW.mesh}`,
    `+ www.${ZONE}. 300 IN A 10.0.0.9`,
  ]);
  const done = await site.pleach("--yes", ...words);
  deepEqual([done["added"], done["removed"]], [2, 1]);
  equal(await place.ask(place.at(12), place.at(1), `www.${ZONE}`, "A"), "10.0.0.9");
  equal(await place.ask(place.at(1), place.at(1), `new.${ZONE}`, "A"), "NXDOMAIN");
  equal(await place.ask(place.at(11), place.at(1), `www.${ZONE}`, "A"), WWW.lan);
  await site.pleach("dns", "undo", String(done["change"]));
  equal(await place.ask(place.at(12), place.at(1), `www.${ZONE}`, "A"), WWW.mesh);
}

interface Explained {
  readonly view: string;
  readonly why: readonly string[];
  readonly records: readonly {
    readonly section: string;
    readonly data: string;
    readonly site: string;
    readonly viewSite: string | null;
    readonly writtenAtMs: number | null;
  }[];
  readonly others: readonly { readonly view: string; readonly answer: readonly string[] }[];
}

async function explains(site: TestSite, place: Place): Promise<void> {
  const words = ["dns", "explain", `www.${ZONE}`];
  const found = (await site.pleach(...words, "--from", place.at(11))) as unknown as Explained;
  equal(found.view, "lan");
  equal(found.why[0], `${place.at(11)} is in ${place.at(11)}/32, so it sees the view lan.`);
  ok(found.why.some((line) => line.includes(`A ${WWW.public} (public), A ${WWW.mesh} (mesh)`)));
  const [record] = found.records;
  deepEqual(
    [record?.section, record?.data, record?.site, record?.viewSite],
    ["answer", WWW.lan, "quimper", "quimper"],
  );
  ok(Math.abs((record?.writtenAtMs ?? 0) - Date.now()) < 3_600_000);
  deepEqual(
    found.others.map(({ view, answer }) => [view, ...answer]),
    [
      ["public", `A ${WWW.public}`],
      ["mesh", `A ${WWW.mesh}`],
    ],
  );
  const text = (await site.run([...words, "--view", "mesh"])).stdout;
  match(text, /www\.bzh\.example\. A: NOERROR \(zone bzh\.example, serial \d+, view mesh\)/);
  match(text, /10\.0\.0\.1 +mesh +quimper.*, written \d{4}-\d\d-\d\d \d\d:\d\d by the clock there/);
  match(
    text,
    /In other views:\n +public: +NOERROR, A 192\.0\.2\.1\n +lan: +NOERROR, A 192\.168\.1\.1/,
  );
  const listed = (await site.run(["dns", "list", ZONE])).stdout;
  match(listed, /^www +300 +A +192\.168\.1\.1 +lan at quimper +quimper/m);
  const shown = (await site.run(["dns", "list", ZONE, "--view", "mesh"])).stdout;
  match(shown, /^www +300 +A +10\.0\.0\.1 +mesh /m);
  ok(!shown.includes(WWW.public) && !shown.includes(WWW.lan));
}

test("each client sees its view, and the commands say so", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    const place = new Place(site, await freePort());
    await place.configure(1, [11]);
    await site.start();
    await mesh.found(site);
    await fill(site, place);
    await seesItsView(place);
    await exportsOf(site);
    await explains(site, place);
    await importsOf(site, place);

    // Another network at once; what takes a restart waits for one.
    await place.configure(0, [13]);
    process.kill(site.pid, "SIGHUP");
    const www = (last: number) => place.ask(place.at(last), place.at(1), `www.${ZONE}`, "A");
    await waitFor("the other network", 60_000, async () => (await www(13)) === WWW.lan);
    equal(await www(11), WWW.public);
    match(await readFile(site.logFile, "utf8"), /waits for a restart.*dns/);

    await place.configure(0, [11]);
    await site.stop();
    await site.start();
    await seesItsView(place);
  }));
