/**
 * The heads that a box which recovers may still choose: of lists that newer ones have replaced.
 *
 * The newest list may be the work of whoever took the owner's box over. What lists before it named
 * is kept under the lock, so their heads are told, too, each with the signed header that proves it.
 */
import { openListHeader } from "../../../../protocol/backup/list.ts";
import type { OwnerId } from "../../../../protocol/ids.ts";
import type { ListStore } from "./list-store.ts";

/** So many are told. Whoever floods a set with heads cannot make a box drown in them. */
const MAX_HEADS = 20_000;

interface EarlierHead {
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  /** For how long its list was the newest, in milliseconds of running time. */
  readonly stoodMs: number;
}

/** One list for each head. Those come first that stood longest: a flood stands for no time. */
export async function earlierHeads(
  lists: ListStore,
  owner: OwnerId,
): Promise<readonly Pick<EarlierHead, "header" | "signature">[]> {
  const found = new Map<string, EarlierHead>();
  for (const { header } of lists.all(owner)) {
    const past = await lists.past(owner, header.set, header.group).catch((): never[] => []);
    let sinceMs = 0;
    for (const { atMs, signed } of past) {
      const stoodMs = atMs - sinceMs;
      sinceMs = atMs;
      const { head, set } = openListHeader(signed.header, signed.signature);
      if (head === null || head.root === header.head?.root) continue;
      const key = `${set}/${head.chain}/${head.number}/${head.root}`;
      const known = found.get(key);
      if (known === undefined || known.stoodMs < stoodMs) found.set(key, { ...signed, stoodMs });
    }
  }
  return [...found.values()]
    .toSorted((a, b) => b.stoodMs - a.stoodMs)
    .slice(0, MAX_HEADS)
    .map(({ header, signature }) => ({ header, signature }));
}
