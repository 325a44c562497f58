/**
 * Preloaded into commands under test (`node --import`), and so into their worker threads, too:
 * puts files that hide nothing in the place of cipher and compression.
 *
 * It shows that the search for canaries would find them; the program itself has no such door.
 */
import { registerHooks } from "node:module";

const PROTOCOL = new URL("../../protocol/", import.meta.url).href;
const CLIENT = new URL("../../daemon/backup/client/", import.meta.url).href;
const STAND_INS = new Map([
  [`${PROTOCOL}xchacha.ts`, new URL("./plain-xchacha.ts", import.meta.url).href],
  [`${PROTOCOL}frame.ts`, new URL("./plain-frame.ts", import.meta.url).href],
  [`${CLIENT}own-functions.ts`, new URL("./no-own-functions.ts", import.meta.url).href],
]);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    const url = STAND_INS.get(found.url);
    // A stand-in may use the rest of what it stands for.
    return url === undefined || context.parentURL === url ? found : { ...found, url };
  },
});
