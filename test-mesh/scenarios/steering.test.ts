/**
 * A service at three real sites that are down, up and flapping, by marks of people and by reports of
 * checks: each view is answered as the policy says, a name never ceases to exist, steering changes
 * no serial, few entries are written, and nodes agree after a partition.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { endsShape } from "../../daemon/control/shapes-decisions.ts";
import { serviceResult } from "../../daemon/control/shapes-inventory.ts";
import { markAnswer, policyAnswer, reportAnswer } from "../../daemon/control/shapes-services.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import { ViewAsker, VIEWS_TOML, Watch } from "../dns/view-asker.ts";
import { foundingFiles } from "../form.ts";
import type { Gate } from "../gate.ts";
import { GatedMesh, upAt } from "../gated-mesh.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const ZONE = "bzh.example";
const WIKI = `wiki.${ZONE}`;
/** It has a record written by hand, so no alias can stand at its name. */
const DOCS = `docs.${ZONE}`;
const SORRY = `sorry.${ZONE}`;
const WAIT_MS = 60_000;
const NAMES = ["quimper", "brest", "lorient"] as const;

const QUESTIONS = [
  ...[WIKI, DOCS, SORRY].flatMap((name) => [[name, "A"] as const, [name, "AAAA"] as const]),
  [WIKI, "HTTPS"],
  [`_https._tcp.${WIKI}`, "SRV"],
  [`_tcp.${WIKI}`, "A"],
  [DOCS, "TXT"],
  [`wiki.quimper.${ZONE}`, "A"],
  [`quimper.${ZONE}`, "A"],
  [ZONE, "SOA"],
] as const;

/** Numbers of addresses: .1 is Quimper, .2 Brest, .3 Lorient. */
function address(view: ZoneView, site: number): string {
  return `${{ public: "192.0.2", mesh: "100.64.0", lan: "192.168.1" }[view]}.${site}`;
}

/** What a client of a view sees at a node while these sites are answered. */
function expected(view: ZoneView, at: number, sites: readonly number[]): string {
  const seen = sites.map((site) => address(view === "lan" && site !== at ? "mesh" : view, site));
  return seen.length === 0
    ? "NODATA"
    : seen
        .map((each) => `A ${each}`)
        .toSorted()
        .join(", ");
}

class Town {
  readonly mesh: TestMesh;
  readonly sites: readonly TestSite[];
  readonly asker: ViewAsker;

  constructor(mesh: TestMesh, sites: readonly TestSite[], asker: ViewAsker) {
    this.mesh = mesh;
    this.sites = sites;
    this.asker = asker;
  }

  /** Waits until each node answers each view as if these sites were up. */
  async shows(name: string, sites: readonly number[], at = this.sites): Promise<void> {
    const wanted = (site: TestSite, view: ZoneView) =>
      expected(view, this.sites.indexOf(site) + 1, sites);
    await this.sees(name, "A", wanted, at);
  }

  async sees(
    name: string,
    type: string,
    wanted: (site: TestSite, view: ZoneView) => string,
    at = this.sites,
  ): Promise<void> {
    for (const site of at) {
      for (const view of ZONE_VIEWS) {
        const want = wanted(site, view);
        let last = "";
        await waitFor(
          `${want} of ${name} ${type} at ${site.name} in ${view}`,
          WAIT_MS,
          async () => {
            last = await this.asker.data(site, view, name, type);
            return last === want;
          },
        ).catch((cause: Error) => {
          throw new Error(`${cause.message}; it says ${last}`, { cause });
        });
      }
    }
  }

  async mark(by: TestSite, service: string, at: TestSite, state: "up" | "down" | "auto") {
    const path = `/v1/services/${service}/mark`;
    return by.client.put(path, { site: at.name, state }, markAnswer);
  }

  async report(site: TestSite, service: string, reports: string) {
    let last: ReturnType<typeof reportAnswer.parse> | undefined;
    let changes = 0;
    for (const each of reports) {
      const body = { state: each === "-" ? "down" : "up", text: "by the test" };
      last = await site.client.post(`/v1/services/${service}/reports`, body, reportAnswer);
      if (last.changed) changes++;
    }
    ok(last);
    return { ...last, changes };
  }

  async policy(by: TestSite, service: string, whenDown: string, name?: string): Promise<void> {
    const path = `/v1/services/${service}/policy`;
    await by.client.put(path, { whenDown, ...(name === undefined ? {} : { name }) }, policyAnswer);
  }

  signed(): readonly string[] {
    const { operatorKey, passphrase } = foundingFiles(this.mesh.directory);
    return ["--operator-key", operatorKey, "--passphrase-file", passphrase, "--yes"];
  }
}

async function idOf(site: TestSite): Promise<string> {
  return (await site.client.get("/v1/status", statusShape)).siteId;
}

/** Entries that a site has written in a class. */
async function entries(site: TestSite, of: "note" | "policy"): Promise<number> {
  const body = { site: await idOf(site), classes: [of], sinceMs: null };
  return (await site.client.post("/v1/decisions/ends", body, endsShape)).effect.kept;
}

async function viewHash(site: TestSite): Promise<string | null> {
  return (await site.client.get("/v1/status", statusShape)).viewHash;
}

async function found(mesh: TestMesh, gates: Gate[], asker: ViewAsker) {
  const gated = await GatedMesh.form(mesh, NAMES, gates, { dht: false, toml: VIEWS_TOML });
  const town = new Town(mesh, gated.sites, asker);
  const [quimper] = gated.sites;
  ok(quimper);
  await quimper.pleach("dns", "add-zone", ZONE);
  await quimper.pleach("dns", "set", SORRY, "A", "192.0.2.99");
  await quimper.pleach("dns", "set", DOCS, "TXT", "by hand");
  for (const [index, site] of gated.sites.entries()) {
    const [open, inner, own] = ZONE_VIEWS.map((view) => address(view, index + 1));
    ok(open !== undefined && inner !== undefined && own !== undefined);
    for (const service of ["wiki", "docs"]) {
      const ports = [{ name: "https", port: 8443, transport: "tcp" }];
      const addresses = { addresses: [open], mesh: [inner], lan: [own] };
      const body = {
        replace: false,
        service: { name: service, maintainers: [], ports, ...addresses },
      };
      await site.client.put("/v1/services", body, serviceResult);
    }
  }
  for (const name of [WIKI, DOCS]) await town.shows(name, [1, 2, 3]);
  await waitFor("one view", WAIT_MS, async () => {
    return new Set(await Promise.all(gated.sites.map(viewHash))).size === 1;
  });
  return { gated, town };
}

test("three sites of a service go down, come up and flap", (t) =>
  withMesh(async (mesh) => {
    const gates: Gate[] = [];
    const asker = await ViewAsker.open();
    t.after(() => {
      for (const gate of gates) gate.close();
      asker.close();
    });
    const { gated, town } = await found(mesh, gates, asker);
    const watch = new Watch(asker, town.sites, QUESTIONS);
    try {
      await byMarks(town);
      await byReports(town, t);
      equal(watch.serials.size, 1, "steering changes no serial");
      await apart(town, gated);
      equal(watch.serials.size, 1, "nor does a partition of it");
      await byWhom(town, watch);
    } finally {
      await watch.stop();
    }
    t.diagnostic(`${watch.asked} questions, ${watch.serials.size} serials in all`);
    deepEqual(watch.failures, [], "every name was there at any moment");
    ok(watch.asked > QUESTIONS.length * ZONE_VIEWS.length * NAMES.length);
  }));

/** Marks, and each policy when all sites are marked down. */
async function byMarks(town: Town): Promise<void> {
  const [quimper, brest, lorient] = town.sites;
  ok(quimper && brest && lorient);
  const own = await asked(town, quimper, "lan", WIKI);
  equal(own[0], `${WIKI}. A ${address("lan", 1)}`, "the own site first on its LAN");

  await quimper.pleach("service", "mark", "wiki", "--site", "brest", "down", "--text", "new disk");
  for (const view of ZONE_VIEWS) {
    const now = await town.asker.data(quimper, view, WIKI);
    equal(now, expected(view, 1, [1, 3]), "served when the command has returned");
  }
  await town.shows(WIKI, [1, 3]);
  await town.shows(DOCS, [1, 2, 3]);
  equal((await asked(town, lorient, "public", `_https._tcp.${WIKI}`, "SRV")).length, 2);
  equal((await asked(town, lorient, "mesh", WIKI, "HTTPS")).length, 2);

  for (const service of ["wiki", "docs"]) {
    for (const site of town.sites) await town.mark(brest, service, site, "down");
  }
  for (const name of [WIKI, DOCS]) await town.shows(name, [1, 2, 3]);
  await town.policy(lorient, "wiki", "none");
  await town.policy(lorient, "docs", "none");
  for (const name of [WIKI, DOCS]) await town.shows(name, []);
  await town.sees(WIKI, "HTTPS", () => "NODATA");
  await town.sees(`_https._tcp.${WIKI}`, "SRV", () => "NODATA");
  await town.sees(DOCS, "TXT", () => 'TXT "by hand"');
  await town.sees(`wiki.brest.${ZONE}`, "A", (site, view) =>
    expected(view, town.sites.indexOf(site) + 1, [2]),
  );

  await quimper.pleach("service", "policy", "wiki", "fallback", "Sorry.BZH.example.");
  await town.policy(quimper, "docs", "fallback", SORRY);
  await town.sees(WIKI, "A", () => `A 192.0.2.99, CNAME ${SORRY}.`);
  await town.sees(`_https._tcp.${WIKI}`, "SRV", () => `SRV 0 0 8443 ${SORRY}.`);
  await town.sees(DOCS, "A", () => "A 192.0.2.99");
  await town.sees(DOCS, "TXT", () => 'TXT "by hand"');
  await town.policy(quimper, "wiki", "fallback", "status.elsewhere.example");
  await town.policy(quimper, "docs", "fallback", "status.elsewhere.example");
  await town.sees(WIKI, "A", () => "CNAME status.elsewhere.example.");
  await town.shows(DOCS, [1, 2, 3]);
  const back = await quimper.refused("service", "policy", "docs", "fallback", DOCS);
  equal(back.error["code"], "E-SERVICE-FALLBACK");

  const { areas } = await brest.client.get("/v1/status", statusShape);
  const services = areas.find(({ name }) => name === "Services");
  match(services?.text ?? "", /6 declared at 3 sites, 6 marked down/);
  for (const service of ["wiki", "docs"]) {
    for (const site of town.sites) await town.mark(lorient, service, site, "auto");
    await town.policy(lorient, service, "all");
  }
  for (const name of [WIKI, DOCS]) await town.shows(name, [1, 2, 3]);
}

async function asked(town: Town, site: TestSite, view: ZoneView, name: string, type = "A") {
  return (await town.asker.ask(site, view, name, type)).answers;
}

/** Reports, flapping ones, too, over a restart. */
async function byReports(town: Town, t: TestContext): Promise<void> {
  const [quimper, brest, lorient] = town.sites;
  ok(quimper && brest && lorient);
  const before = await entries(brest, "note");
  equal((await town.report(brest, "wiki", "--")).state, "up");
  equal((await town.report(brest, "wiki", "-")).state, "down");
  for (const view of ZONE_VIEWS) {
    const now = await town.asker.data(brest, view, WIKI);
    equal(now, expected(view, 2, [1, 3]), "served when the report is acknowledged");
  }
  await town.shows(WIKI, [1, 3]);
  await brest.kill();
  await brest.start();
  await town.shows(WIKI, [1, 3]);
  await town.report(brest, "wiki", "++");
  await town.shows(WIKI, [1, 2, 3]);
  await town.mark(quimper, "wiki", brest, "up");
  await town.report(brest, "wiki", "---");
  await town.shows(WIKI, [1, 2, 3]);
  await town.mark(quimper, "wiki", brest, "auto");
  await town.shows(WIKI, [1, 3]);

  const flapping = await town.report(brest, "wiki", "++---".repeat(60));
  deepEqual([flapping.state, flapping.damped], ["down", true]);
  const written = (await entries(brest, "note")) - before;
  t.diagnostic(`306 reports, ${written} entries`);
  ok(written <= 6, `${written} entries`);
  const foreign = await quimper.refused("service", "report", "nothing", "down");
  equal(foreign.error["code"], "E-SERVICE-UNKNOWN");

  await town.policy(quimper, "wiki", "none");
  await town.report(quimper, "wiki", "---");
  await town.report(lorient, "wiki", "---");
  await town.shows(WIKI, []);
  const { verdict, todo } = await lorient.client.get("/v1/status", statusShape);
  equal(verdict, "CRITICAL");
  ok(
    todo.some(({ text }) => text.includes("wiki is down at quimper, by its checks (by the test)")),
  );
  await town.report(quimper, "wiki", "++");
  await town.report(lorient, "wiki", "++");
  await town.policy(quimper, "wiki", "all");
  await town.shows(WIKI, [1, 3]);
  await town.mark(quimper, "wiki", brest, "up");
  await town.shows(WIKI, [1, 2, 3]);
}

/** Two sides say different things of one service; healed, all nodes answer alike. */
async function apart(town: Town, gated: GatedMesh): Promise<void> {
  const [quimper, brest, lorient] = town.sites;
  ok(quimper && brest && lorient);
  gated.cut([quimper], [brest, lorient]);
  await waitFor("the cut", WAIT_MS, async () => (await upAt(quimper)).length === 0);
  await town.mark(quimper, "wiki", brest, "down");
  await town.mark(quimper, "docs", quimper, "down");
  await town.policy(quimper, "docs", "none");
  await town.mark(brest, "wiki", quimper, "down");
  await town.mark(lorient, "wiki", brest, "up");
  await town.policy(lorient, "docs", "fallback", SORRY);
  await town.report(lorient, "docs", "---");
  await town.shows(WIKI, [1, 3], [quimper]);
  await town.shows(WIKI, [2, 3], [brest, lorient]);
  await town.shows(DOCS, [2, 3], [quimper]);
  await town.shows(DOCS, [1, 2], [brest, lorient]);

  gated.heal();
  await waitFor("one view after healing", WAIT_MS, async () => {
    return new Set(await Promise.all(town.sites.map(viewHash))).size === 1;
  });
  await town.shows(DOCS, [2]);
  const said = (site: TestSite) => asked(town, site, "public", WIKI);
  await waitFor("equal answers", WAIT_MS, async () => {
    return new Set((await Promise.all(town.sites.map(said))).map((each) => each.join())).size === 1;
  });
  for (const site of town.sites) ok(!(await said(site)).join().includes(address("public", 1)));
  await town.mark(brest, "wiki", quimper, "auto");
  await town.mark(brest, "wiki", brest, "up");
  await town.mark(brest, "docs", quimper, "auto");
  await town.report(lorient, "docs", "++");
  await town.policy(brest, "docs", "all");
  for (const name of [WIKI, DOCS]) await town.shows(name, [1, 2, 3]);
}

/** Whose marks count: of a site without the right, of one that leaves, of one that is revoked. */
async function byWhom(town: Town, watch: Watch): Promise<void> {
  const [quimper, brest, lorient] = town.sites;
  ok(quimper && brest && lorient);
  await town.mark(lorient, "docs", brest, "down");
  await town.shows(DOCS, [1, 3]);
  await quimper.pleach("ungrant", "lorient", "policy", "--all", ...town.signed());
  const refused = await waitFor("the right to be gone", WAIT_MS, async () => {
    const result = await lorient.refused("service", "mark", "docs", "--site", "brest", "up");
    return result.error["code"] === "E-SERVICE-RIGHT" && result.error;
  }).catch(() => undefined);
  match(String(refused?.["hint"]), /pleach grant lorient policy mark --operator-key FILE/);
  await town.shows(DOCS, [1, 3]);
  await quimper.pleach("grant", "lorient", "policy", "mark", ...town.signed());
  await waitFor("the right", WAIT_MS, async () => {
    return (await town.mark(lorient, "docs", quimper, "down").catch(() => undefined)) !== undefined;
  });
  await town.shows(DOCS, [3]);

  watch.leave(lorient);
  await lorient.pleach("leave", "--yes");
  const left = [quimper, brest];
  await town.shows(WIKI, [1, 2], left);
  await town.shows(DOCS, [1, 2], left);
  const gone = await quimper.refused("service", "mark", "docs", "--site", "lorient", "down");
  equal(gone.error["code"], "E-SERVICE-SITE");
  await town.mark(quimper, "docs", quimper, "auto");
  await town.shows(DOCS, [1], left);
  await town.mark(quimper, "docs", brest, "auto");
  await town.shows(DOCS, [1, 2], left);

  const honestUntil = new Date().toISOString();
  await town.mark(brest, "docs", quimper, "down");
  await town.policy(brest, "docs", "none");
  await town.shows(DOCS, [2], [quimper]);
  watch.leave(brest);
  const revoke = ["revoke", "brest", "--site", "--since", honestUntil, ...town.signed()];
  await quimper.pleach(...revoke);
  await town.shows(WIKI, [1], [quimper]);
  await town.shows(DOCS, [1], [quimper]);
  const { services } = (await quimper.pleach("service", "list")) as { services: readonly Json[] };
  deepEqual(
    services.map(({ name, site, mark, whenDown }) => [name, site, mark, whenDown]),
    [
      ["docs", "quimper", null, "all"],
      ["wiki", "quimper", null, "all"],
    ],
  );
}
