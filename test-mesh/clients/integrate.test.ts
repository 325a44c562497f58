/** What `dns integrate` prints, taken in by the programs that it is for. */
import { equal, match } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { recipeFor } from "../../daemon/cli/dns/integrate/recipes.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import {
  freePort,
  startDnsmasq,
  startUnbound,
  type DebianServer,
  type ServerPlan,
} from "../dns/debian-servers.ts";
import { StaticSource } from "../dns/static-source.ts";

const run = promisify(execFile);
/** Names that unbound answers by itself, a reverse zone with them, and one like any other. */
const ZONES = ["mesh.example", "ferme.home.arpa", "1.168.192.in-addr.arpa"];

describe("what integrate prints", () => {
  let directory = "";
  let server: DnsServer;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "pleach-integrate-"));
    const source = new StaticSource(["quimper"]);
    server = await DnsServer.start({
      ...{ listen: [{ address: "127.0.0.1", port: 0 }], source, clock: systemClock },
      ...{ log: silentLogger, siteName: () => "quimper", cookieSecrets: () => [] },
    });
    const editor = new ZoneEditor({
      view: () => source.view(),
      served: () => server.served(),
      reload: () => server.reload(),
      writer: source,
    });
    for (const zone of ZONES) {
      await editor.addZone(zone, undefined, 0);
      // A resolver that guards against rebinding would take a private address out.
      await editor.edit({ action: "add", name: `www.${zone}`, type: "A", data: ["192.168.1.14"] });
    }
  });
  after(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  const recipe = (target: "dnsmasq" | "unbound") =>
    recipeFor(target, {
      zones: ZONES,
      place: server.listening[0] ?? { address: "", port: 0 },
      command: "pleach dns integrate",
    });

  const resolves = async (
    name: "dnsmasq" | "unbound",
    start: (plan: ServerPlan) => Promise<DebianServer>,
  ): Promise<void> => {
    const config = recipe(name).text;
    const plan = { port: await freePort(), directory: join(directory, name), zone: "mesh.example" };
    const resolver = await start({ ...plan, config });
    try {
      for (const zone of ZONES) {
        const answer = await resolver.dig(`www.${zone}`, "A", "+recurse", "+short");
        equal(answer, "192.168.1.14\n", `${name} ${zone}`);
      }
    } finally {
      await resolver.stop();
    }
  };

  it("makes dnsmasq ask this node", async () => {
    const file = join(directory, "dnsmasq.conf");
    await writeFile(file, recipe("dnsmasq").text);
    match((await run("dnsmasq", ["--test", "-C", file])).stderr, /syntax check OK/);
    await resolves("dnsmasq", startDnsmasq);
  });

  it("makes unbound ask this node", async () => {
    const file = join(directory, "unbound.conf");
    await writeFile(file, recipe("unbound").text);
    match((await run("unbound-checkconf", [file])).stdout, /no errors/);
    await resolves("unbound", startUnbound);
  });
});
