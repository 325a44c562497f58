/** What DNS does beside answering questions: keys, transfers, notifications and updates. */
import { parseDnsName, sameName } from "../../protocol/dns/dns-name.ts";
import { placeOfKey } from "../../protocol/dns/zone-key.ts";
import type { SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Zone } from "../core/zones/zone.ts";
import { nodeRecord } from "../../protocol/logs/record.ts";
import { siteBox } from "../../protocol/keys/site-box.ts";
import type { DnsControl } from "../dns/dns-control.ts";
import type { DnsServer } from "../dns/dns-server.ts";
import { KeyRing } from "../dns/keys/key-ring.ts";
import { Requests } from "../dns/requests.ts";
import { catalogZone } from "../dns/transfer/catalog.ts";
import { Notifier } from "../dns/transfer/notifier.ts";
import { Updater } from "../dns/update/updater.ts";
import { OtherServers } from "../dns/update/other-servers.ts";
import { serialAt } from "../dns/update/when-served.ts";
import { serialsOf, type ZoneSource } from "../dns/zone-source.ts";
import type { ZoneWriter } from "../dns/change-journal.ts";
import type { Logger } from "../observe/log.ts";
import { answeringAt } from "../ports/answering-at.ts";

export interface RequestSetup {
  readonly dns: Config["dns"];
  readonly siteId: SiteId;
  readonly siteKey: SigningKey;
  readonly source: ZoneSource;
  readonly writer: ZoneWriter;
  /** The other members that are there now. */
  readonly awake: () => readonly SiteId[];
  /** Those to which there is a link: a change gets there within a second. */
  readonly linked: () => readonly SiteId[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DnsRequests {
  readonly keys: KeyRing;
  readonly transactions: Requests;
  /** Once the server answers: until then nothing is asked of the rest. */
  start(server: DnsServer, control: Pick<DnsControl, "update">): void;
  stop(): Promise<void>;
}

/** The tests of programs that speak to the server start it by this, too. */
export function dnsRequests(setup: RequestSetup): DnsRequests {
  const { siteId, siteKey, source, writer, awake, linked, clock, log } = setup;
  // The server and what it serves need one another; nothing asks before both are there.
  const parts: { server?: DnsServer; control?: Pick<DnsControl, "update">; ending?: () => void } =
    {};
  const served = (): readonly Zone[] => parts.server?.served() ?? [];
  const keys = new KeyRing({
    source,
    zones: () => served().map(({ apex }) => apex),
    siteId,
    box: siteBox(siteKey),
    writer,
    awake,
    clock,
    log,
  });
  const { catalog: catalogName, secondaries } = setup.dns;
  const apex = catalogName === undefined ? undefined : parseDnsName(catalogName);
  const catalog = apex && {
    apex,
    zone: (mayFetch: (zone: Zone) => boolean) =>
      catalogZone(apex, served().filter(mayFetch), serialsOf(source).serialOffset),
  };
  const others = new OtherServers(clock, log, (server, zone, timeoutMs) =>
    serialAt(server, zone, timeoutMs, clock),
  );
  const updater = new Updater({
    view: () => source.view(),
    tree: () => {
      const server = started(parts.server);
      server.catchUp();
      return server.tree();
    },
    apply: (change) => started(parts.control).update(change),
    whenServed: (zone, serial, timeoutMs) => {
      const servers = linked().flatMap((site) => {
        const node = nodeRecord.safeParse(source.view().get("site", "node", site)?.value).data;
        return (node && answeringAt(node)) ?? [];
      });
      return others.whenServed(servers, zone, serial, timeoutMs);
    },
    clock,
    log,
  });
  const transactions = new Requests({
    zones: served,
    catalog,
    keys,
    secondaries,
    update: (message, packet, rights) => updater.update(message, packet, rights),
    clock,
    log,
  });
  const notifier = new Notifier({
    secondaries,
    zones: () => (catalog === undefined ? served() : [...served(), catalog.zone(() => true)]),
    keyView: (name, zone) =>
      keys
        .find(name)
        .flatMap(({ rights }) => rights)
        .filter((right) => sameName(right.zone, zone))
        .map((right) => placeOfKey(right).view)[0],
    keyOf: (name) =>
      keys.find(name).find(({ rights }) => rights.some(({ transfer }) => transfer))?.tsig,
    clock,
    log,
  });
  return {
    keys,
    transactions,
    start: (server, control) => {
      Object.assign(parts, { server, control });
      const tend = (): void => {
        keys.tend();
        notifier.changed();
      };
      parts.ending = server.onServed(tend);
      tend();
    },
    stop: async () => {
      parts.ending?.();
      notifier.stop();
      await keys.stop();
    },
  };
}

function started<Part>(part: Part | undefined): Part {
  if (part !== undefined) return part;
  throw new RangeError("DNS was used before it was started");
}
