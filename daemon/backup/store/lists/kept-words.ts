/** What the keeper reads in the view about groups that are kept here, and writes for their owners. */
import { objectionsTo, type Objected } from "../../../core/backup/objectors.ts";
import { pendingLocks } from "../../../core/backup/pending-locks.ts";
import { mayLetGoOf } from "../../../core/backup/succession.ts";
import { askKey, LOCK_KEYS, lockKey } from "../../../../protocol/logs/hold-record.ts";
import { parseHoldKey } from "../../../../protocol/logs/record.ts";
import { sameJson, type JsonValue } from "../../../../protocol/encoding/json-value.ts";
import type { KeptWords } from "../../keep/ports.ts";
import type { Transport } from "../../../core/transport.ts";
import type { BackupState } from "../ports.ts";

/** @param letGo - Says that a group is held no longer. */
export function keptWords(
  state: BackupState,
  { self }: Pick<Transport, "self">,
  letGo: KeptWords["letGo"],
): KeptWords {
  /** Writes a record of this site where the view shows another; undefined: there is to be none. */
  async function show(key: string, value: JsonValue | undefined): Promise<void> {
    if (state.meshId === undefined || !state.authority().sites.has(self)) return;
    const shown = state.view().get("hold", key, self)?.value;
    if (shown === undefined ? value === undefined : value !== undefined && sameJson(shown, value)) {
      return;
    }
    await state.write([{ class: "hold", key, value }]);
  }

  const isObjected = (to: Objected): boolean =>
    objectionsTo(state.view(), state.authority(), to).length > 0;

  return {
    mayLetGo: (header) => mayLetGoOf(state.view(), state.authority(), self, header),
    letGo,
    tellAsked: ({ owner, set }, asked) => {
      const { fromBytes = 0, toBytes = 0 } = asked ?? {};
      return show(askKey(owner, set), asked === null ? undefined : { fromBytes, toBytes });
    },
    isObjected,
    isOpen: (to) => {
      const pending = pendingLocks(state.view(), state.authority());
      return pending.some(({ statement }) => statement === to.statement) || isObjected(to);
    },
    tellLock: ({ owner, set }, lock) => {
      const pending = lock?.pending ?? null;
      const value = lock && { days: lock.days, pending: pending && { ...pending } };
      return show(lockKey(owner, set), value ?? undefined);
    },
    toldLocks: () =>
      state
        .view()
        .entries("hold", LOCK_KEYS)
        .filter(({ author }) => author === self)
        .flatMap(({ key }) => parseHoldKey(key.slice(LOCK_KEYS.length)) ?? []),
  };
}
