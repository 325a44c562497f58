/** When an entry was written, by its author. */
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import type { LogId } from "../../protocol/ids.ts";
import type { State } from "../state/state.ts";

/**
 * What the header of the entry says, by the author's own clock; a snapshot carries the time of the
 * snapshot. Null when the entry is not kept here any more.
 */
export async function writtenAtMs(
  { replica }: Pick<State, "replica">,
  { log, seq }: { readonly log: LogId; readonly seq: number },
): Promise<number | null> {
  for await (const bytes of replica.envelopesFrom(log, seq - 1)) {
    const { header } = readEnvelope(bytes);
    return header.seq === seq ? header.wallMs : null;
  }
  return null;
}
