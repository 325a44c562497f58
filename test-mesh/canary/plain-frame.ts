/** Stands for `protocol/frame.ts`, and stores every frame as it is. */
export { release, unpackFrame, ZSTD_LEVEL } from "../../protocol/frame.ts";
import type * as real from "../../protocol/frame.ts";

export const packFrame: typeof real.packFrame = (plaintext) => ({
  codec: "stored",
  content: Uint8Array.from(plaintext),
});
