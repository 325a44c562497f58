/** Connects the network side of backups with the state and with the control socket. */
import { addObjection } from "../backup/store/add-objection.ts";
import type { BackupStore } from "../backup/store/backup-store.ts";
import type { BackupState } from "../backup/store/ports.ts";
import type { BackupPort } from "../control/backup-routes.ts";
import { pendingLocks } from "../core/backup/pending-locks.ts";
import type { OwnerId, StatementId } from "../../protocol/ids.ts";
import type { State } from "../state/state.ts";

/** @param write - Records of this site; refused on a full disk. */
export function backupState(state: State, write: State["write"]): BackupState {
  return {
    get meshId() {
      return state.meshId;
    },
    authority: () => state.authority(),
    view: () => state.view(),
    statements: () => state.statements(),
    write,
    subscribe: (listener) => state.subscribe(() => listener()),
    confirmedBy: (entry) => state.confirmedBy(entry),
  };
}

/** The store looks after the room for shards itself: it leaves more than the guard asks for. */
export function backupPort(backups: BackupStore): BackupPort {
  return {
    sets: () => backups.sets(),
    set: (set) => backups.set(set),
    putShard: (set, shard, bytes, onWritten) => backups.putShard(set, shard, bytes, onWritten),
    getShard: (set, shard) => backups.getShard(set, shard),
    getShardFrom: (site, set, shard, keep) => backups.getShardFrom(site, { set, shard, keep }),
    commit: (set, request) => backups.commit(set, request),
    heads: (set) => backups.heads(set),
    copies: (set, detail) => backups.copies(set, detail),
    receipts: (set, shard) => backups.receipts(set, shard),
    accounts: () => backups.accounts(),
    pendingLocks: () => {
      const { state } = backups.holder;
      const all = pendingLocks(state.view(), state.authority());
      return all.map((one) => ({ ...one, objections: [...one.objections] }));
    },
    addObjection: ({ owner, statement, ...signed }) => {
      const to = { owner: owner as OwnerId, statement: statement as StatementId };
      return addObjection(backups.holder, { ...to, ...signed });
    },
    setRules: (set, rules) => backups.setRules(set, rules),
    kept: () => ({
      lentBytes: backups.holder.lending().spaceBytes,
      sets: [...backups.keeper.report()],
      owners: backups.lentToOwners(),
    }),
    decide: (owner, set, decision) => {
      const of = { owner, set };
      if (decision === "object") return backups.keeper.object(of);
      return backups.keeper.agree(of, decision === "agree-always");
    },
  };
}
