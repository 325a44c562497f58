/** `GET /v1/status`. */
import { Hono } from "hono";
import type { Status } from "./shapes-status.ts";

/** Filled in `main.ts`. */
export interface StatusPort {
  status(): Promise<Status>;
}

export function statusRoutes(port: StatusPort): Hono {
  return new Hono().get("/status", async (context) => context.json(await port.status()));
}
