/**
 * Starts the program with its compiled code at hand: see `code-cache.js`. Without it `pleach.ts` does
 * the same, later.
 *
 * In JavaScript, with what it imports: the first module in TypeScript that is not kept already has
 * Node load its stripper of types, which takes 65 ms of CPU, a third of what a command needs.
 */
import { registerHooks } from "node:module";
import { setFlagsFromString } from "node:v8";
import { keepCode } from "./code-cache.js";

if (!process.argv.includes("daemon")) {
  // Before the heap has grown: the youngest objects stay in 1 MiB, and not in up to 16.
  setFlagsFromString("--semi-space-growth-factor=1");
  keepCode();
}
// A shard waits for its disk in one of these threads, and all other files wait with it. With the four
// that libuv has by itself, they wait longer for one another than for the disk.
else process.env["UV_THREADPOOL_SIZE"] ??= "12";

// Zod has its messages in fifty languages at hand. Loading them takes 25 ms; one of them is used.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === "../locales/index.js" ? "../locales/en.js" : specifier, context),
});
await import("./pleach.ts");
