/** BIND takes the list of zones from the catalog: zones come and go there without its being told. */
import { equal } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, SERVER_ADDRESS, startBind, type DebianServer } from "../dns/debian-servers.ts";
import { serveZones } from "../dns/served-zone.ts";
import { waitFor } from "../wait.ts";

const CATALOG = "catalog.example";
const WITHIN_MS = 60_000;

function statusOf(server: DebianServer, zone: string): Promise<string> {
  return server.dig(zone, "SOA").then((text) => /status: (\w+)/.exec(text)?.[1] ?? "");
}

test("a secondary by its address serves each zone of the catalog, and no other", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "pl-"));
  const port = await freePort();
  const secondary = {
    address: SERVER_ADDRESS,
    port,
    key: undefined,
    view: "public" as const,
    zones: undefined,
  };
  const ours = await serveZones({ catalog: CATALOG, secondaries: [secondary] });
  t.after(() => rm(directory, { recursive: true, force: true }));
  t.after(() => ours.stop());
  await ours.editor.addZone("first.example", undefined, 0);
  const primary = `${SERVER_ADDRESS} port ${ours.port}`;
  const bind = await startBind({
    ...{ port, directory: join(directory, "bind"), zone: CATALOG },
    options: `catalog-zones { zone "${CATALOG}" default-primaries { ${primary}; } in-memory yes; };`,
    config: `zone "${CATALOG}" { type secondary; file "catalog"; primaries { ${primary}; }; };`,
  });
  t.after(() => bind.stop());
  const becomes = (zone: string, status: string) =>
    waitFor(
      `${status} for ${zone}`,
      WITHIN_MS,
      async () => (await statusOf(bind, zone)) === status,
    );
  await becomes("first.example", "NOERROR");
  equal(await statusOf(bind, "second.example"), "REFUSED");

  await ours.editor.addZone("second.example", undefined, 0);
  await becomes("second.example", "NOERROR");

  await ours.editor.removeZone("first.example");
  await becomes("first.example", "REFUSED");
});
