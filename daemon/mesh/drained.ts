/** Back-pressure of a libp2p stream: waits until what was sent is on its way. */
import type { Stream } from "@libp2p/interface";
import type { Clock } from "../core/clock.ts";
import { MeshError } from "./error.ts";

/** A peer that takes nothing for so long is gone for this channel. */
const TAKES_NOTHING_MS = 60_000;

/**
 * Resolves when libp2p has no more than it can pass on at once.
 *
 * @param stuck - Called when nothing moved for 60 s; it is to cut the stream.
 * @throws MeshError (E-MESH-GONE) when the stream is cut.
 */
export function drained(
  stream: Stream,
  clock: Clock,
  stuck: () => void,
  failure: () => MeshError | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let leftBytes = stream.writeBufferLength;
    let settled = false;
    let cancel = clock.after(TAKES_NOTHING_MS, stuck);
    const settle = (): void => {
      settled = true;
      cancel();
      stream.removeEventListener("drain", onDrain);
      stream.removeEventListener("close", onClose);
    };
    const onClose = (): void => {
      settle();
      reject(failure() ?? new MeshError("E-MESH-GONE", "The channel was cut."));
    };
    const look = (): void => {
      if (settled) return;
      if (!stream.writableNeedsDrain && stream.writeBufferLength === 0) {
        settle();
        resolve();
      } else if (stream.writeBufferLength < leftBytes) {
        leftBytes = stream.writeBufferLength;
        cancel();
        cancel = clock.after(TAKES_NOTHING_MS, stuck);
      }
    };
    // libp2p passes the rest of its buffer on in a microtask after this event, so look later.
    const onDrain = (): void => void setImmediate(look);
    stream.addEventListener("drain", onDrain);
    stream.addEventListener("close", onClose);
    if (stream.status !== "open") onClose();
  });
}
