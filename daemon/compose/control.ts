/** The control socket: every route with the part that answers it. */
import { PLEACH_VERSION } from "../config/version.ts";
import { aboutRoutes } from "../control/about-routes.ts";
import { backupRoutes } from "../control/backup-routes.ts";
import { conflictRoutes } from "../control/conflict-routes.ts";
import { decisionRoutes } from "../control/decision-routes.ts";
import { dnsForwardRoutes } from "../control/dns-forward-routes.ts";
import { dnsKeyRoutes } from "../control/dns-key-routes.ts";
import { dnsRoutes } from "../control/dns-routes.ts";
import { eventRoutes } from "../control/event-routes.ts";
import { inventoryRoutes } from "../control/inventory-routes.ts";
import { membershipRoutes } from "../control/membership-routes.ts";
import { runRoutes } from "../control/run-routes.ts";
import { ControlServer } from "../control/server.ts";
import { serviceRoutes } from "../control/service-routes.ts";
import { statusRoutes } from "../control/status-routes.ts";
import { backupPort } from "../ports/backup.ts";
import { conflictPort } from "../ports/conflicts.ts";
import { decisionPort } from "../ports/decisions.ts";
import { inventoryPort } from "../ports/inventory.ts";
import { gatherStatus } from "../ports/status.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import type { Features } from "./features.ts";
import type { Foundation } from "./foundation.ts";
import type { Network } from "./network.ts";

/** @throws SocketError when the socket cannot be opened. */
export async function startControl(
  foundation: Foundation,
  network: Network,
  features: Features,
): Promise<void> {
  const { config, state, siteId, disk, clock, log, events, stops, upMs } = foundation;
  const { mesh, membership, presence, sameState } = network;
  const { inventory, marks, verdicts, runs, dns, dnsControl, dnsKeys, forwarder, backups } =
    features;
  const version = PLEACH_VERSION;
  const seen = () => presence.seen();
  const about = aboutRoutes({
    about: () => ({
      version,
      pid: process.pid,
      upMs: upMs(),
      siteId,
      meshId: state.meshId ?? null,
      meshName: state.meshId === undefined ? null : state.authority().meshName,
      siteName: state.authority().sites.get(state.siteId)?.name ?? null,
    }),
  });
  const status = statusRoutes({
    status: () =>
      gatherStatus({
        config,
        state,
        seen,
        linked: () => mesh.links(),
        sameState,
        zones: () => dns.served().map(({ apex, serial }) => ({ name: zoneText(apex), serial })),
        forward: () => forwarder?.status(),
        sets: () => backups.store.sets(),
        kept: () => backups.store.keeper.report(),
        runs: () => runs.runs(),
        lines: () => mesh.uplinks.report(),
        disk: () => disk.status(),
        waitingRequests: () => membership.applications().length,
        nowMs: () => clock.wallMs(),
        upMs,
        version,
      }),
  });
  const links = () => mesh.linkDetails();
  const control = await ControlServer.start({
    socketPath: config().socket,
    routes: [
      about,
      status,
      eventRoutes(events),
      membershipRoutes(membership),
      decisionRoutes(
        decisionPort({
          state,
          siteKey: foundation.siteKey,
          askAll: (timeoutMs) => network.sync.askAll(timeoutMs),
          linked: () => mesh.links(),
        }),
      ),
      inventoryRoutes(inventoryPort({ state, inventory, links, seen, sameState, version })),
      serviceRoutes({
        mark: (service, request) => marks.mark({ service, ...request }),
        setPolicy: (service, policy) => marks.setPolicy(service, policy),
        report: (service, { state: seen, text }) => verdicts.report(service, seen, text),
      }),
      dnsRoutes(dnsControl),
      dnsKeyRoutes(dnsKeys),
      dnsForwardRoutes(() => forwarder?.status()),
      conflictRoutes(conflictPort(state, foundation.write)),
      backupRoutes(backupPort(backups.store), backups.recoveries),
      runRoutes({ runs: () => runs.runs(), note: (name, run) => runs.note(name, run) }),
    ],
    log: log.part("control"),
  });
  stops.push(() => control.stop());
}
