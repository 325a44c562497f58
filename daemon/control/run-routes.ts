/** `GET /v1/backup/runs` and `PUT /v1/backup/runs/:name`: how the last run of each set ended. */
import { Hono } from "hono";
import { readJson, RequestError } from "./body.ts";
import { doneShape } from "./shapes-inventory.ts";
import { runShape, type RunReport } from "./shapes-run.ts";

/** Filled in `main.ts`. */
export interface RunPort {
  runs(): ReadonlyMap<string, RunReport>;
  /** Durable when it resolves. */
  note(name: string, run: RunReport): Promise<void>;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function runRoutes(port: RunPort): Hono {
  return new Hono()
    .get("/backup/runs", (context) => context.json({ runs: Object.fromEntries(port.runs()) }))
    .put("/backup/runs/:name", async (context) => {
      const name = context.req.param("name");
      if (!NAME.test(name)) {
        throw new RequestError("E-REQUEST", `"${name}" is no name of a data set.`, { exit: 2 });
      }
      await port.note(name, await readJson(context, runShape));
      return context.json(doneShape.parse({ done: true }));
    });
}
