/** `GET /v1/about`: the example of a route file, and what `pleach wait` asks first. */
import { Hono } from "hono";
import type { About } from "./shapes.ts";

/** Filled in `main.ts`. */
export interface AboutPort {
  about(): About;
}

export function aboutRoutes(port: AboutPort): Hono {
  return new Hono().get("/about", (context) => context.json(port.about()));
}
