/** Records that were changed at two places at once, and settling them, on the control socket. */
import { Hono } from "hono";
import type { z } from "zod";
import { readJson } from "./body.ts";
import { keepRequest, type ConflictInfo, type keptShape } from "./shapes-conflicts.ts";

/** Filled in `compose/`. */
export interface ConflictPort {
  /** Of all classes. */
  conflicts(): Promise<ConflictInfo[]>;
  /** Writes each of these versions anew, in place of all that stand at its key. */
  keep(versions: readonly string[]): Promise<z.infer<typeof keptShape>["kept"]>;
}

export function conflictRoutes(port: ConflictPort): Hono {
  return new Hono()
    .get("/conflicts", async (context) => context.json({ conflicts: await port.conflicts() }))
    .post("/conflicts/keep", async (context) => {
      const { versions } = await readJson(context, keepRequest);
      return context.json({ kept: await port.keep(versions) });
    });
}
