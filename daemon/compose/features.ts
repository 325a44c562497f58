/** What the node does with the state: the inventory, DNS and the network side of backups. */
import { join } from "node:path";
import type { ServiceRecord } from "../../protocol/logs/record.ts";
import { RECOVER_PROTOCOL } from "../../protocol/messages/recover-message.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import { toHex } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { siteBox } from "../../protocol/keys/site-box.ts";
import { BackupStore } from "../backup/store/backup-store.ts";
import { Recoveries } from "../backup/store/recover/recoveries.ts";
import type { Config, ServiceConfig } from "../config/config.ts";
import { PLEACH_VERSION } from "../config/version.ts";
import { runShape } from "../control/shapes-run.ts";
import { ChangeJournal } from "../dns/change-journal.ts";
import { DnsControl } from "../dns/dns-control.ts";
import { DnsServer } from "../dns/dns-server.ts";
import type { Forwarder } from "../dns/forward/forwarder.ts";
import type { KeyRing } from "../dns/keys/key-ring.ts";
import { passedFiles } from "../dns/inherited-sockets.ts";
import { Mdns } from "../dns/mdns/mdns.ts";
import { readFactsFile } from "../inventory/facts.ts";
import { hostFacts } from "../inventory/host-facts.ts";
import { Inventory } from "../inventory/inventory.ts";
import { Runs } from "../inventory/runs.ts";
import { ServiceMarks } from "../inventory/service-marks.ts";
import { Verdicts } from "../inventory/verdicts.ts";
import { Mesh } from "../mesh/mesh.ts";
import { backupState } from "../ports/backup.ts";
import { cookieSecretsOf } from "../ports/cookie-secrets.ts";
import { lendingOf } from "../ports/lending.ts";
import { writtenAtMs } from "../ports/written-at.ts";
import { ownRecords } from "../ports/inventory.ts";
import { lanServices } from "../ports/lan-services.ts";
import { serviceRecords } from "../ports/service-records.ts";
import { zonesOf } from "../ports/zones-of.ts";
import { dnsRequests } from "./dns-requests.ts";
import { forwarderOf } from "./forwarder.ts";
import type { Foundation } from "./foundation.ts";
import type { Network } from "./network.ts";
import { serveProofs } from "./proofs.ts";

export interface Features {
  readonly inventory: Inventory;
  readonly marks: ServiceMarks;
  readonly verdicts: Verdicts;
  readonly runs: Runs;
  readonly dns: DnsServer;
  readonly dnsControl: DnsControl;
  readonly dnsKeys: KeyRing;
  /** Undefined: names of others are not asked for. */
  readonly forwarder: Forwarder | undefined;
  readonly backups: Backups;
}

export interface Backups {
  readonly store: BackupStore;
  readonly recoveries: Recoveries;
}

/** @throws DnsError when an address cannot be listened on. */
export async function startFeatures(
  foundation: Foundation,
  network: Network,
  backups: Backups,
): Promise<Features> {
  const { store, log } = foundation;
  const runs = await Runs.open(store, log, (value) => runShape.safeParse(value).data);
  const inventory = startInventory(foundation, network);
  const { dns, dnsControl, keys, forwarder } = await startDns(foundation, network);
  await startMdns(foundation);
  const words = startWords(foundation, dns);
  return { inventory, ...words, runs, dns, dnsControl, dnsKeys: keys, forwarder, backups };
}

function startWords({ state, write, clock, log, stops }: Foundation, dns: DnsServer) {
  const records = serviceRecords(state, write, () => dns.reload());
  const verdicts = new Verdicts(records, clock, log.part("inventory"));
  const onState = state.subscribe((event) => {
    if (event.kind === "view" && event.classes.has("site")) void verdicts.tidy();
  });
  stops.push(() => verdicts.stop(), onState);
  return { marks: new ServiceMarks(records), verdicts };
}

function startInventory(foundation: Foundation, { mesh }: Network): Inventory {
  const { config, state, siteKey, host, clock, log, stops, write } = foundation;
  const box = toHex(siteBox(siteKey).publicKey);
  const inventory = new Inventory({
    records: ownRecords(state, write),
    node: () => ({
      addresses: mesh.addresses().slice(0, 16),
      version: PLEACH_VERSION,
      dns: config().dns.listen.slice(0, 8),
      box,
    }),
    facts: async () => {
      const { data } = config();
      const collected = await readFactsFile(join(data, "facts.json"));
      return collected ?? hostFacts(host, data, clock.wallMs());
    },
    clock,
    log: log.part("inventory"),
  });
  const onState = state.subscribe(({ kind }) => {
    if (kind === "statements") void inventory.refresh();
  });
  stops.push(() => inventory.stop(), onState);
  inventory.start(servicesOf(config()));
  return inventory;
}

async function startDns(foundation: Foundation, { mesh, presence }: Network) {
  const { config, state, siteId, store, clock, log, stops, write } = foundation;
  const source = zonesOf(state);
  const requests = dnsRequests({
    dns: config().dns,
    siteId: state.siteId,
    siteKey: foundation.siteKey,
    source,
    writer: { write },
    linked: () => mesh.links(),
    awake: () => presence.seen().flatMap((site) => (site.state === "up" ? site.siteId : [])),
    clock,
    log: log.part("dns"),
  });
  const { forward } = config().dns;
  const forwarder = forward && forwarderOf(forward, clock, log.part("dns"));
  const dns = await DnsServer.start({
    transactions: requests.transactions,
    forwarder,
    listen: config().dns.listen,
    views: config().dns.views,
    threads: config().dns.threads,
    passed: passedFiles(process.env, process.pid),
    source,
    clock,
    log: log.part("dns"),
    siteName: () => state.authority().sites.get(state.siteId)?.name ?? siteId.slice(0, 8),
    cookieSecrets: cookieSecretsOf(state, clock),
  });
  const publish = (): void => {
    const serials = dns.served().map(({ apex, serial }) => [zoneText(apex), serial] as const);
    presence.publish({ zoneSerials: Object.fromEntries(serials) });
  };
  publish();
  stops.push(() => dns.stop(), dns.onServed(publish));
  const dnsControl = new DnsControl({
    server: dns,
    source,
    journal: await ChangeJournal.open({
      ...{ store, writer: { write }, view: () => state.view(), clock, siteId: state.siteId },
      sites: () => [...state.authority().sites.values()],
    }),
    siteId: state.siteId,
    confirmedBy: (entry) => state.confirmedBy(entry),
    writtenAtMs: (entry) => writtenAtMs(state, entry),
  });
  requests.start(dns, dnsControl);
  stops.push(() => requests.stop());
  return { dns, dnsControl, keys: requests.keys, forwarder };
}

/** Services of this site as `NAME.local`, if the configuration wants it. */
async function startMdns({ config, state, siteId, clock, log, stops }: Foundation): Promise<void> {
  const { mdns: interfaces } = config().dns;
  if (interfaces === false) return;
  const mdns = new Mdns({
    interfaces,
    site: () => state.authority().sites.get(state.siteId)?.name ?? siteId.slice(0, 8),
    services: () => lanServices(state.view(), state.siteId),
    clock,
    log,
  });
  const onState = state.subscribe((event) => {
    if (event.kind === "statements" || event.classes.has("site")) mdns.changed();
  });
  stops.push(() => mdns.stop(), onState);
  await mdns.start();
}

/** Sets its handlers in the turn in which it is called. */
export async function startBackups(foundation: Foundation, mesh: Mesh): Promise<Backups> {
  const { config, state, siteKey, store, clock, log, stops, write } = foundation;
  const proofs = serveProofs(mesh, store, () => config().audit);
  const backups = await BackupStore.open({
    directory: join(config().data, "shards"),
    store,
    state: backupState(state, write),
    transport: mesh,
    providers: mesh,
    onRecovery: (handler) => mesh.handleOutsider(RECOVER_PROTOCOL, handler),
    siteKey,
    lending: () => lendingOf(config().give, state.authority()),
    clock,
    log,
  });
  await proofs.start(backups);
  const recoveries = new Recoveries((key) => recoveryLink(foundation, key), clock);
  stops.push(async () => {
    await recoveries.stop();
    await proofs.stop();
    await backups.stop();
  });
  return { store: backups, recoveries };
}

/** A link under a recovery key: it listens nowhere, and nobody is its fellow. */
function recoveryLink({ clock, log }: Foundation, siteKey: SigningKey): Promise<Mesh> {
  const membership = {
    isMember: () => false,
    isRecoveryKey: () => false,
    isFormer: () => false,
    joinOpen: () => false,
    meshId: () => undefined,
  };
  const nowhere = { listen: [], announce: [], dht: false };
  return Mesh.start({ ...nowhere, siteKey, membership, clock, log: log.part("recovery") });
}

/** The services that the configuration declares, as records. */
export function servicesOf({ services }: Config): readonly ServiceRecord[] {
  return services.map(
    ({ name, addresses, mesh, lan, ports, maintainers, zones }: ServiceConfig) => ({
      name,
      addresses: [...addresses],
      ...(mesh.length === 0 ? {} : { mesh: [...mesh] }),
      ...(lan.length === 0 ? {} : { lan: [...lan] }),
      ports: [...ports],
      maintainers: [...maintainers],
      ...(zones === undefined ? {} : { zones: [...zones] }),
    }),
  );
}
