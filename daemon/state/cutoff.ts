/**
 * Ends the logs of replaced sites at the heads that their releases name.
 *
 * A log that is not named counts as far as a log that counts has taken it up: nothing of it shows
 * any more, and that it was there stays known.
 */
import type { Retirement } from "../../protocol/envelope.ts";
import type { Authority } from "../core/authority.ts";
import type { Logger } from "../observe/log.ts";
import type { HeldLog } from "./held-log.ts";
import type { Shelf } from "./shelf.ts";

/** The last entry of a replaced site's log that counts; undefined: none does. */
export function cutoffOf(
  held: Pick<HeldLog, "log" | "author" | "lineage">,
  authority: Authority,
  shelf: Shelf,
): Pick<Retirement, "seq" | "head"> | undefined {
  return authority.endedSites.get(held.author)?.heads.get(held.log) ?? shelf.retirement(held);
}

/**
 * Sets how far the logs of replaced sites count, and recounts what they take up.
 *
 * @returns The logs whose last counting entry is another one now.
 */
export function cutOff(shelf: Shelf, authority: Authority, log: Logger): ReadonlySet<HeldLog> {
  const ended = [...shelf.all()].filter(({ author }) => authority.endedSites.has(author));
  const before = new Map(ended.map((held) => [held, held.seq]));
  for (const held of ended) {
    const named = authority.endedSites.get(held.author)?.heads.get(held.log);
    held.seq = named === undefined ? 0 : countingSeq(held, named, log);
  }
  shelf.recountRetirements();
  const unnamed = new Set(ended.filter(({ seq }) => seq === 0));
  for (let found = true; found;) {
    found = false;
    for (const held of unnamed) {
      const taken = shelf.retirement(held);
      if (taken === undefined) continue;
      unnamed.delete(held);
      held.seq = countingSeq(held, taken, log);
      shelf.noteRetirements(held);
      found = true;
    }
  }
  return new Set(ended.filter((held) => held.seq !== before.get(held)));
}

function countingSeq(
  held: HeldLog,
  { seq, head }: Pick<Retirement, "seq" | "head">,
  log: Logger,
): number {
  if (held.storedSeq < seq) return held.storedSeq;
  if (held.idAt(seq) === head) return seq;
  log.error("a replaced site's log is not the named one", { log: held.log, seq });
  return 0;
}
