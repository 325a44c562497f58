/** Links, membership, replication and presence, and how they follow the state. */
import { JOIN_PROTOCOL } from "../../protocol/messages/join-message.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { PLEACH_VERSION } from "../config/version.ts";
import { Farewell } from "../membership/farewell.ts";
import { Membership } from "../membership/membership.ts";
import type { OutsiderProtocol } from "../mesh/membership.ts";
import { Mesh } from "../mesh/mesh.ts";
import { addressPort, farewellPort, issuerPort, statementPort } from "../ports/membership.ts";
import { nodeOf, rosterOf } from "../ports/roster.ts";
import { socketMultiaddr } from "../ports/socket-multiaddr.ts";
import type { Presence } from "../state/presence.ts";
import type { Sync } from "../state/sync/sync.ts";
import type { Foundation } from "./foundation.ts";
import { startReplication } from "./replication.ts";

const FAREWELL_PROTOCOL: OutsiderProtocol = "/pleach/farewell/1";
/** To reach somebody who was linked a moment ago. */
const FAREWELL_MS = 10_000;

export interface Network {
  readonly mesh: Mesh;
  readonly membership: Membership;
  readonly presence: Presence;
  readonly sync: Sync;
  /** Whether the state of a peer equals ours; undefined when it is not known. */
  readonly sameState: (peer: SiteId) => boolean | undefined;
}

/**
 * Listens and serves members.
 *
 * @param serve - Called once, before any link can come up: sets further handlers in the same turn.
 * @throws MeshError when it cannot listen.
 */
export async function startNetwork<Served>(
  foundation: Foundation,
  serve: (mesh: Mesh) => Promise<Served>,
): Promise<readonly [Network, Served]> {
  const { config, state, siteKey, store, clock, log, stops } = foundation;
  // Membership and the mesh need one another; nothing asks before both are there.
  const links: { mesh?: Mesh } = {};
  const started = (): Mesh => {
    if (links.mesh !== undefined) return links.mesh;
    throw new RangeError("the mesh was used before it was started");
  };
  const membership = await Membership.open({
    siteKey,
    store,
    state: statementPort(state),
    net: issuerPort(started),
    addresses: addressPort(started, (site) => nodeOf(state.view(), site)?.addresses ?? []),
    clock,
    log: log.part("membership"),
  });
  const farewell = new Farewell(farewellPort(foundation), clock, log.part("membership"));
  const { listen, announce, dht } = config().mesh;
  const mesh = await Mesh.start({
    siteKey,
    listen: listen.map(socketMultiaddr),
    announce: announce.map(socketMultiaddr),
    dht,
    uplinks: () => config().uplinks,
    membership: {
      isMember: (key) => state.mayLink(key),
      isRecoveryKey: (key) => state.authority().ownerOfRecovery(key) !== undefined,
      isFormer: (key) => state.authority().endedSites.has(key as SiteId),
      joinOpen: () => membership.joinOpen(),
      meshId: () => state.meshId,
    },
    clock,
    log,
    version: PLEACH_VERSION,
    hearFarewell: (channel) => farewell.meet(channel),
  });
  links.mesh = mesh;
  const replication = startReplication({ ...foundation, transport: mesh, siteKey });
  const { sync, presence } = replication;
  mesh.handleOutsider(JOIN_PROTOCOL, (channel) => membership.serveJoin(channel));
  mesh.handleOutsider(FAREWELL_PROTOCOL, (channel) => farewell.meet(channel));
  const serving = serve(mesh);
  stops.push(async () => {
    membership.stop();
    replication.stop();
    await mesh.stop();
  });
  const network = { mesh, membership, presence, sync };
  followState(foundation, network, (address) => {
    const told = mesh.openOutsider(address, FAREWELL_PROTOCOL, FAREWELL_MS);
    told
      .then((channel) => farewell.meet(channel))
      .catch((error: unknown) => log.debug("a former member was not told", { why: String(error) }));
  });
  membership.start();
  const sameState = (peer: SiteId): boolean | undefined => {
    // What it last said is newer than most rounds; a round also sees what it has not said yet.
    const said = presence.seen().find(({ siteId }) => siteId === peer)?.stateDigest;
    if (said !== undefined && said === state.replica.stateDigest()) return true;
    const compared = sync.status().find((each) => each.peer === peer);
    if (compared?.lastRoundAgeMs !== undefined) return compared.digestEqual;
    return said === undefined ? undefined : false;
  };
  return [{ ...network, sameState }, await serving];
}

/** Statements change who is linked, `node` records where members are dialled; all is told on. */
function followState(
  { state, events, stops }: Foundation,
  { mesh, membership }: Pick<Network, "mesh" | "membership">,
  tellFormer: (address: string) => void,
): void {
  const setRoster = (): void => {
    const first = membership.firstMember();
    mesh.setRoster(rosterOf(state.authority(), state.view(), state.siteId, first));
  };
  const onLink = mesh.onLink((site, up) => events.publish({ type: "link", site, up }));
  const onState = state.subscribe((change) => {
    if (change.kind === "statements") {
      for (const address of mesh.membershipChanged()) tellFormer(address);
      setRoster();
      events.publish({ type: "statements" });
    } else {
      const partners = ["site", "place", "hold"] as const;
      if (partners.some((name) => change.classes.has(name))) setRoster();
      events.publish({ type: "view", classes: [...change.classes] });
    }
  });
  stops.push(onLink, onState);
  setRoster();
}
