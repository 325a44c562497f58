/** Audits and repair, put together over the store of shards. Simulations start them by this, too. */
import { Auditor } from "../backup/audit/auditor.ts";
import { AuditServer } from "../backup/audit/audit-server.ts";
import { Scrub } from "../backup/audit/scrub.ts";
import { Mender } from "../backup/repair/mender.ts";
import { Newcomer } from "../backup/repair/newcomer.ts";
import { Repairer } from "../backup/repair/repairer.ts";
import type { BackupStore } from "../backup/store/backup-store.ts";
import { retryMs, type AuditPace } from "../core/backup/audit-pace.ts";
import type { Store } from "../core/store.ts";
import type { Channel, Transport } from "../core/transport.ts";
import { AUDIT_PROTOCOL } from "../../protocol/messages/audit-message.ts";

export interface Proofs {
  /** Once the store is open. */
  start(backups: BackupStore): Promise<void>;
  stop(): Promise<void>;
}

/** Serves askers from now on; they wait until the store is open. */
export function serveProofs(
  transport: Pick<Transport, "handle">,
  store: Store,
  pace: () => AuditPace,
): Proofs {
  const { promise: server, resolve, reject } = Promise.withResolvers<AuditServer>();
  server.catch(() => {});
  transport.handle(AUDIT_PROTOCOL, async (channel: Channel) => (await server).serve(channel));
  const stops: (() => Promise<void>)[] = [];
  return {
    start: async (backups) => {
      const { holder } = backups;
      const completed = (list: Parameters<BackupStore["completed"]>[0]): void => {
        backups.completed(list);
      };
      const mender = new Mender({ holder, retryMs: () => retryMs(pace()), completed });
      stops.push(() => mender.stop());
      const onLacking = (name: Parameters<Mender["lacks"]>[0]): void => mender.lacks(name);
      resolve(new AuditServer(holder, onLacking));
      const auditor = await Auditor.start({ holder, store, pace, onDamaged: onLacking });
      stops.push(() => auditor.stop());
      const scrub = await Scrub.start({
        holder,
        store,
        pace,
        onLacking: (list) => mender.look(list),
      });
      stops.push(() => scrub.stop());
      const silentSites = (): ReturnType<Auditor["silentSites"]> => auditor.silentSites();
      const repairer = new Repairer({ holder, pace, silentSites });
      stops.push(() => repairer.stop());
      const newcomer = new Newcomer({ holder, pace, completed });
      stops.push(() => newcomer.stop());
    },
    stop: async () => {
      reject(new Error("the node stops"));
      await Promise.all(stops.splice(0).map((stop) => stop()));
    },
  };
}
