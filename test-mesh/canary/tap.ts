/**
 * Preloaded into a daemon under test (`node --import`): writes a copy of every frame that our
 * stream wrapper hands to libp2p, before Noise sees it, to the file that PLEACH_TAP names.
 *
 * The program itself has no such door; this changes one line of it as it is loaded.
 */
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

const SENT = "this.#stream.send(bytes)";
const file = process.env["PLEACH_TAP"];

if (file !== undefined) {
  const tap = (bytes: { subarray: () => Uint8Array }): void =>
    appendFileSync(file, bytes.subarray());
  Object.assign(globalThis, { pleachTap: tap });
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith("/daemon/mesh/frame-channel.ts")) return loaded;
      const text = Buffer.from(loaded.source as Uint8Array).toString();
      if (!text.includes(SENT)) throw new Error(`the tap found no "${SENT}" to listen at`);
      const source = text.replace(SENT, `(globalThis.pleachTap(bytes), ${SENT})`);
      return { ...loaded, source };
    },
  });
}
