/** `GET /v1/status`: the report as it is printed. */
import { z } from "zod";

const state = z.enum(["NONE", "OK", "WARNING", "CRITICAL"]);

export const statusShape = z.object({
  version: z.string(),
  upMs: z.number(),
  mesh: z.string().nullable(),
  meshId: z.string().nullable(),
  site: z.string().nullable(),
  siteId: z.string(),
  sites: z.object({ up: z.number().int(), all: z.number().int() }),
  /** Hash of the whole view: equal on nodes that hold the same. Null without a mesh. */
  viewHash: z.string().nullable(),
  zones: z.array(z.object({ name: z.string(), serial: z.number() })),
  verdict: z.enum(["OK", "WARNING", "CRITICAL"]),
  areas: z.array(z.object({ name: z.string(), state, text: z.string() })),
  todo: z.array(z.object({ text: z.string(), command: z.string() })),
  conditions: z.object({
    joined: z.boolean(),
    mesh: z.boolean(),
    dns: z.boolean(),
    copies: z.boolean(),
  }),
  alone: z.string(),
});
export type Status = z.infer<typeof statusShape>;
