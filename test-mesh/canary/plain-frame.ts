/** Stands for `protocol/backup/frame.ts`, and stores every frame as it is. */
export { release, unpackFrame, ZSTD_LEVEL } from "../../protocol/backup/frame.ts";
import type * as real from "../../protocol/backup/frame.ts";

export const packFrame: typeof real.packFrame = (plaintext) => ({
  codec: "stored",
  content: Uint8Array.from(plaintext),
});
