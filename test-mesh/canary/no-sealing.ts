/**
 * Preloaded into commands under test (`node --import`), and so into their worker threads, too:
 * puts files that hide nothing in the place of cipher and compression.
 *
 * It shows that the search for canaries would find them; the program itself has no such door.
 */
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const PROTOCOL = new URL("../../protocol/", import.meta.url).href;
const CLIENT = new URL("../../daemon/backup/client/", import.meta.url).href;
const STAND_INS = new Map([
  [`${PROTOCOL}keys/xchacha.ts`, new URL("./plain-xchacha.ts", import.meta.url).href],
  [`${PROTOCOL}backup/frame.ts`, new URL("./plain-frame.ts", import.meta.url).href],
  [`${CLIENT}own-functions.ts`, new URL("./no-own-functions.ts", import.meta.url).href],
]);

for (const url of STAND_INS.keys()) {
  if (!existsSync(fileURLToPath(url))) throw new Error(`nothing to stand in for: ${url}`);
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    const url = STAND_INS.get(found.url);
    // A stand-in may use the rest of what it stands for.
    return url === undefined || context.parentURL === url ? found : { ...found, url };
  },
});
