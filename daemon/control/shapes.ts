/**
 * Shapes that go over the control socket and belong to no single feature.
 *
 * A feature keeps its own shapes in `control/shapes-FEATURE.ts`, imported by its routes and its
 * commands. Shapes of answers are loose (unknown fields are kept out of the way, not refused), so
 * that fields can be added; shapes of requests are strict.
 */
import { z } from "zod";

/** Every error on the socket, whatever the status. */
export const errorShape = z.object({
  schemaVersion: z.literal(1),
  error: z.object({
    code: z.string(),
    message: z.string(),
    changed: z.string(),
    hint: z.string().nullable(),
    exit: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
  }),
});

/** `GET /v1/about`: who answers. Works before the site is in a mesh, too. */
export const aboutShape = z.object({
  version: z.string(),
  pid: z.number().int(),
  upMs: z.number(),
  siteId: z.string(),
  meshId: z.string().nullable(),
  meshName: z.string().nullable(),
  siteName: z.string().nullable(),
});
export type About = z.infer<typeof aboutShape>;
