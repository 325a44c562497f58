/** The part of a round that takes over statements, until the peer names none that are new. */
import type { StatementId } from "../../../protocol/ids.ts";
import type { SyncMessageOf } from "../../../protocol/messages/sync-message.ts";
import type { Asking } from "./asking.ts";
import type { HandOver } from "./hand-over.ts";
import { SyncError } from "./sync-error.ts";

/** Passes before the next round has to go on. */
const MAX_PASSES = 8;
/** More is no mesh that the limits of the state allow. */
const MAX_STATEMENTS = 200_000;
/** Ids kept in one pass: the rest is asked for in the next. */
const MAX_MISSING = 16_384;
/** Asked for at once. */
const STATEMENTS_AT_ONCE = 512;

export async function takeStatements(asking: Asking, handOver: HandOver): Promise<void> {
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const missing = await missingIds(asking, handOver);
    const before = asking.statements;
    for (let at = 0; at < missing.length; at += STATEMENTS_AT_ONCE) {
      const ids = missing.slice(at, at + STATEMENTS_AT_ONCE);
      await asking.talk.say({ v: 1, kind: "statements-wanted", ids });
      await asking.items("statements", async (bytes) => {
        const { replica, talk } = asking;
        if (asking.note(await replica.receiveStatement(bytes, talk.peer))) asking.statements++;
      });
    }
    if (asking.statements === before) return;
  }
}

async function missingIds(asking: Asking, handOver: HandOver): Promise<StatementId[]> {
  await asking.talk.say({ v: 1, kind: "statement-ids-wanted" });
  const ours = new Set(asking.replica.statementIds());
  const missing: StatementId[] = [];
  let last = "";
  const page = (m: SyncMessageOf<"statement-ids">) => ({ length: m.ids.length, more: m.more });
  for await (const { ids } of asking.frames("statement-ids", page, MAX_STATEMENTS)) {
    for (const id of ids) {
      if (id <= last) throw new SyncError("E-SYNC-ORDER", "Ids of statements came in no order.");
      last = id;
      if (!ours.delete(id) && missing.length < MAX_MISSING) missing.push(id);
    }
  }
  for (const id of ours) handOver.addStatement(id);
  return missing;
}
