/** What a name costs that many sites have records of: the work of a few looks at each record. */
import { equal, ok } from "node:assert/strict";
import { it } from "node:test";
import { siteIdOf } from "../../../test-mesh/dns/static-source.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { ZONE_VIEWS } from "../../../protocol/dns/zone-view.ts";
import { unsteered } from "./steering.ts";
import { buildName } from "./zone-name.ts";
import type { ZoneLine } from "./zone.ts";

const OWNER = parseDnsName("chat.mesh.example");
/** Looks at one line; far more than are needed, far fewer than one for each other line. */
const MOST_LOOKS = 100;

it("of a service that a hundred sites run, no line is looked at once for each other line", () => {
  let looks = 0;
  const ownSite = siteIdOf("site-0");
  const lines = Array.from({ length: 100 }, (_, at) => siteIdOf(`site-${at}`)).flatMap((site, at) =>
    ZONE_VIEWS.flatMap((view, level) =>
      Array.from({ length: 16 }, (__, host): ZoneLine => {
        const line: ZoneLine = {
          ...{ owner: OWNER, type: TYPE.A, ttl: 60, view },
          ...(view === "lan" ? { site: ownSite } : {}),
          rdata: Uint8Array.of(10, level, at, host),
          origin: { kind: "service", service: "chat", site },
        };
        return Object.defineProperty(line, "view", { get: () => ((looks += 1), view) });
      }),
    ),
  );
  const steering = unsteered(ownSite);
  const name = buildName(OWNER, [], lines, { ownSite, isApex: false, steering });
  equal(name.lines.length, lines.length);
  for (const view of ZONE_VIEWS) equal(name.served[view][0]?.rdata.length, 1600);
  ok(looks <= lines.length * MOST_LOOKS, `${looks} looks at ${lines.length} lines`);
});
