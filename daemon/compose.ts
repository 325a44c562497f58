/**
 * Builds every part of the node and connects their ports.
 *
 * With `main.ts` and `ports/` the composition root: the only place that knows all. What belongs
 * to a part stays in it; here is who gets what, and in which order they start and stop.
 */
import { join } from "node:path";
import type { Hono } from "hono";
import { toHex, type SiteId } from "../protocol/ids.ts";
import { JOIN_PROTOCOL } from "../protocol/join-message.ts";
import type { ServiceRecord } from "../protocol/record.ts";
import type { Config, ServiceConfig } from "./config/config.ts";
import { PLEACH_VERSION } from "./config/version.ts";
import { aboutRoutes } from "./control/about-routes.ts";
import { eventRoutes } from "./control/event-routes.ts";
import { inventoryRoutes } from "./control/inventory-routes.ts";
import { membershipRoutes } from "./control/membership-routes.ts";
import { runRoutes } from "./control/run-routes.ts";
import { ControlServer, makeWay } from "./control/server.ts";
import { runShape } from "./control/shapes-run.ts";
import { statusRoutes } from "./control/status-routes.ts";
import { openDataDirectory, openSiteKey } from "./data-directory.ts";
import { DiskGuard } from "./inventory/disk-guard.ts";
import { readFactsFile } from "./inventory/facts.ts";
import { hostFacts } from "./inventory/host-facts.ts";
import { Inventory } from "./inventory/inventory.ts";
import { LinuxHost } from "./inventory/linux-host.ts";
import { Runs } from "./inventory/runs.ts";
import { Membership } from "./membership/membership.ts";
import { Mesh } from "./mesh/mesh.ts";
import type { Events } from "./observe/events.ts";
import type { Logger } from "./observe/log.ts";
import { systemClock } from "./observe/system-clock.ts";
import { guardedReplica, guardedWrite } from "./ports/guarded-state.ts";
import { guardedStore } from "./ports/guarded-store.ts";
import { inventoryPort, ownRecords } from "./ports/inventory.ts";
import { addressPort, issuerPort, statementPort } from "./ports/membership.ts";
import { nodeOf, rosterOf } from "./ports/roster.ts";
import { socketMultiaddr } from "./ports/socket-multiaddr.ts";
import { gatherStatus } from "./ports/status.ts";
import { openLevelStore } from "./state/level-store.ts";
import { Presence } from "./state/presence.ts";
import { State } from "./state/state.ts";
import { Sync } from "./state/sync/sync.ts";

export interface Composition {
  /** Takes over what can change while the node runs. */
  reload(config: Config): Promise<void>;
}

/** What stops a part; run in the opposite order of starting. */
export type Stops = (() => Promise<void> | void)[];

export interface Surroundings {
  readonly log: Logger;
  readonly events: Events;
  /** Filled as the parts start, also when one of them then fails to. */
  readonly stops: Stops;
  /** The node cannot go on: it has to end, and to be started again. */
  readonly onFailure: (error: unknown) => void;
}

/** @throws PleachError when something that was configured cannot be had. */
export async function compose(first: Config, surroundings: Surroundings): Promise<Composition> {
  const { log, events, stops, onFailure } = surroundings;
  let config = first;
  const clock = systemClock;
  const host = new LinuxHost();
  const startedAtMs = clock.monotonicMs();
  const upMs = (): number => clock.monotonicMs() - startedAtMs;

  await makeWay(config.socket);
  await openDataDirectory(config.data);
  const siteKey = await openSiteKey(config.data, (size) => clock.random(size));
  const disk = await DiskGuard.start({
    directory: config.data,
    host,
    clock,
    log: log.part("disk"),
  });
  stops.push(() => disk.stop());
  const level = await openLevelStore({
    directory: join(config.data, "state"),
    log: log.part("store"),
  });
  stops.push(() => level.close());
  const requireRoom = (sizeBytes: number): Promise<void> => disk.require(sizeBytes);
  const store = guardedStore(level, { require: requireRoom, onFailure });
  const state = await State.open({
    store: guardedStore(level, { onFailure }),
    clock,
    log: log.part("state"),
    siteKey,
  });
  stops.push(() => state.close());
  const write = guardedWrite(state, requireRoom);
  const runs = await Runs.open(store, log, (value) => runShape.safeParse(value).data);

  // Membership and the mesh need one another; nothing asks before both are there.
  let mesh: Mesh | undefined;
  const started = (): Mesh => mesh ?? missing("the mesh");
  const membership = await Membership.open({
    siteKey,
    store,
    state: statementPort(state),
    net: issuerPort(started),
    addresses: addressPort(started, (site) => nodeOf(state.view(), site)?.addresses ?? []),
    clock,
    log: log.part("membership"),
  });
  const links = await Mesh.start({
    siteKey,
    listen: config.mesh.listen.map(socketMultiaddr),
    announce: config.mesh.announce.map(socketMultiaddr),
    dht: config.mesh.dht,
    membership: {
      isMember: (key) => state.authority().isMember(key),
      isRecoveryKey: (key) => state.authority().ownerOfRecovery(key) !== undefined,
      joinOpen: () => membership.joinOpen(),
      meshId: () => state.meshId,
    },
    clock,
    log,
    version: PLEACH_VERSION,
  });
  mesh = links;
  const meshId = (): State["meshId"] => state.meshId;
  const sync = new Sync({
    replica: guardedReplica(state.replica, requireRoom),
    transport: links,
    clock,
    log: log.part("sync"),
    meshId,
  });
  const presence = new Presence({
    transport: links,
    clock,
    log: log.part("presence"),
    siteKey,
    version: PLEACH_VERSION,
    meshId,
    members: () => [...state.authority().sites.keys()],
    stateDigest: () => state.replica.stateDigest(),
  });
  sync.start();
  presence.start();
  links.handleOutsider(JOIN_PROTOCOL, (channel) => membership.serveJoin(channel));
  stops.push(async () => {
    membership.stop();
    presence.stop();
    sync.stop();
    await links.stop();
  });

  const inventory = new Inventory({
    records: ownRecords(state, write),
    node: () => ({
      addresses: [...links.addresses()].slice(0, 16),
      version: PLEACH_VERSION,
      dns: config.dns.listen.map(({ address, port }) => ({ address, port })),
    }),
    facts: async () =>
      (await readFactsFile(join(config.data, "facts.json"))) ??
      (await hostFacts(host, config.data, clock.wallMs())),
    clock,
    log: log.part("inventory"),
  });
  stops.push(() => inventory.stop());

  const followState = (): void => {
    links.setRoster(
      rosterOf(state.authority(), state.view(), state.siteId, membership.firstMember()),
    );
  };
  stops.push(
    state.subscribe((change) => {
      if (change.kind === "statements") {
        links.membershipChanged();
        void inventory.refresh();
        followState();
        events.publish({ type: "statements" });
      } else {
        if (change.classes.has("site")) followState();
        events.publish({ type: "view", classes: [...change.classes] });
      }
    }),
    links.onLink((site, up) => events.publish({ type: "link", site, up })),
  );
  followState();
  membership.start();
  inventory.start(config.services.map(serviceOf));

  /** The last comparison with a linked peer; else what it last said. */
  const sameState = (peer: SiteId): boolean | undefined => {
    const compared = sync.status().find((each) => each.peer === peer);
    if (compared?.lastRoundAgeMs !== undefined) return compared.digestEqual;
    const said = presence.seen().find(({ siteId }) => siteId === peer)?.stateDigest;
    return said === undefined ? undefined : said === state.replica.stateDigest();
  };
  const seen = () => presence.seen();
  const routes: Hono[] = [
    aboutRoutes({
      about: () => ({
        version: PLEACH_VERSION,
        pid: process.pid,
        upMs: upMs(),
        siteId: toHex(siteKey.publicKey),
        meshId: state.meshId ?? null,
        meshName: state.meshId === undefined ? null : state.authority().meshName,
        siteName: state.authority().sites.get(state.siteId)?.name ?? null,
      }),
    }),
    eventRoutes(events),
    inventoryRoutes(
      inventoryPort({
        state,
        inventory,
        links: () => links.linkDetails(),
        seen,
        sameState,
        version: PLEACH_VERSION,
      }),
    ),
    membershipRoutes(membership),
    runRoutes({ runs: () => runs.runs(), note: (name, run) => runs.note(name, run) }),
    statusRoutes({
      status: () =>
        gatherStatus({
          config: () => config,
          state,
          seen,
          linked: () => links.links(),
          sameState,
          zones: () => [],
          sets: async () => [],
          runs: () => runs.runs(),
          disk: () => disk.status(),
          waitingRequests: () => membership.applications().length,
          nowMs: () => clock.wallMs(),
          upMs,
          version: PLEACH_VERSION,
        }),
    }),
  ];
  const control = await ControlServer.start({
    socketPath: config.socket,
    routes,
    log: log.part("control"),
  });
  stops.push(() => control.stop());

  return {
    reload: async (next) => {
      config = next;
      await inventory.configure(next.services.map(serviceOf));
    },
  };
}

function missing(what: string): never {
  throw new RangeError(`${what} was used before it was started`);
}

function serviceOf({ name, addresses, ports, maintainers, zones }: ServiceConfig): ServiceRecord {
  const service = {
    name,
    addresses: [...addresses],
    ports: [...ports],
    maintainers: [...maintainers],
  };
  return zones === undefined ? service : { ...service, zones: [...zones] };
}
