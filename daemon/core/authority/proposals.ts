/**
 * EPOCHs that do not count, or not alone, in words for people.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { Proposal } from "./authority.ts";
import type { Choice } from "./epoch-choice.ts";
import type { Epochs } from "./epochs.ts";

/** By number and id. */
export function proposalsOf({ sound, unsound }: Epochs, choice: Choice): readonly Proposal[] {
  const { tips, outvoted, support } = choice;
  const current = tips
    .map(({ id }) => id)
    .toSorted()
    .join();
  const acksOf = (id: Proposal["id"]): readonly SiteId[] => [...(support.get(id) ?? [])].toSorted();
  const all: Proposal[] = [];
  for (const { id, body, votes, needed, status, reason } of unsound.values()) {
    const late = status === "open" && body.parents.join() !== current;
    all.push({
      ...{ id, body, votes, needed, acks: [] },
      status: late ? "outvoted" : status,
      reason: late ? "it does not go on from the epoch that counts" : reason,
    });
  }
  const contested = new Set(tips.length > 1 ? tips.map(({ id }) => id) : []);
  for (const { id: epochId, body, votes, parents } of sound.values()) {
    if (body === undefined) continue;
    const id = epochId as Proposal["id"];
    const needed = Math.max(...parents.map(({ threshold }) => threshold));
    const facts = { id, body, votes, needed, acks: acksOf(id) };
    if (outvoted.has(id)) {
      all.push({ ...facts, status: "outvoted", reason: "another epoch counts in its place" });
    } else if (contested.has(id)) {
      const reason = "another epoch of equal right stands beside it";
      all.push({ ...facts, status: "contested", reason });
    }
  }
  return all.toSorted((a, b) => a.body.n - b.body.n || (a.id < b.id ? -1 : 1));
}
