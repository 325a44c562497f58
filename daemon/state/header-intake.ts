/**
 * Takes in headers without their payloads: they prove forks, and carry the chain of snapshots over
 * what is pruned everywhere.
 */
import { encodeSignedHeader, type SignedHeader } from "../../protocol/logs/signed-header.ts";
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { CommitQueue } from "./commit-queue.ts";
import { HeldLog } from "./held-log.ts";
import type { AuthorRoom } from "./keep/author-room.ts";
import { headerKey } from "./keys.ts";
import { contradicts, type ForkWatch } from "./limits/fork-watch.ts";
import type { Limits } from "./limits/limits.ts";
import { limitOf } from "./limits/log-limits.ts";
import type { Shelf } from "./shelf.ts";

interface HeaderIntakeSetup {
  readonly shelf: Shelf;
  readonly queue: CommitQueue;
  readonly room: AuthorRoom;
  readonly forks: ForkWatch;
  readonly limits: Limits;
}

export type HeaderIntakeResult =
  | "known"
  | "kept"
  | "idle"
  | { readonly forked: ForkProofBody }
  | { readonly refused: string };

export class HeaderIntake {
  readonly #setup: HeaderIntakeSetup;

  constructor(setup: HeaderIntakeSetup) {
    this.#setup = setup;
  }

  /** @param signed - Its signature was checked. */
  async take(signed: SignedHeader, authority: Authority): Promise<HeaderIntakeResult> {
    const { shelf, forks } = this.#setup;
    const { header, headerBytes, id, log, signature } = signed;
    if (header.mesh !== authority.meshId) return { refused: "E-STATE-MESH" };
    const limit = limitOf(authority, header.author, log);
    if (limit === "none" || (limit !== "open" && header.seq > limit.seq)) return "idle";
    const held = shelf.get(log);
    const bytes = encodeSignedHeader(headerBytes, signature);
    if (held !== undefined) {
      if (held.idAt(header.seq) === id) return "known";
      if (held.knownSnapshots().some((snapshot) => snapshot.id === id)) return "known";
      const proof = await forks.proof(held, signed, bytes);
      if (proof !== undefined) return { forked: proof };
      if (contradicts(held, signed)) return "idle";
    }
    return follows(held, signed) ? this.#keep(held, signed, bytes, authority) : "idle";
  }

  #keep(
    known: HeldLog | undefined,
    { header, log, id }: SignedHeader,
    bytes: Uint8Array,
    authority: Authority,
  ): HeaderIntakeResult {
    const { shelf, queue, room, limits } = this.#setup;
    if (!room.fits(header.author, bytes.length)) return "idle";
    const held = known ?? new HeldLog(log, header);
    if (known === undefined) {
      limits.begin(held, authority);
      shelf.add(held);
    }
    held.noteHeader({ ...header, id }, bytes.length);
    room.measure(held);
    queue.stage([{ kind: "put", key: headerKey(log, header.seq), value: bytes }]);
    return "kept";
  }
}

/** Whether it is the next snapshot of its log after one that is known, or the first. */
function follows(held: HeldLog | undefined, { header }: SignedHeader): boolean {
  if (header.kind !== "SNAP") return false;
  const before = held?.knownSnapshots().findLast(({ seq }) => seq < header.seq);
  if (before === undefined) return header.seq === 1;
  return before.id === header.prevSnap && before.started === header.started;
}
