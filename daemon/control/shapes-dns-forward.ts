/** What `GET /v1/dns/upstreams` gives. */
import { z } from "zod";

export const forwardShape = z.object({
  /** Of clients of the LAN, since the start; names are counted nowhere. */
  questions: z.number(),
  /** Questions beyond what a client may have waiting. */
  crowded: z.number(),
  cached: z.number(),
  stale: z.number(),
  forwarded: z.number(),
  failed: z.number(),
  blocked: z.number(),
  entries: z.number(),
  cacheBytes: z.number(),
  upstreams: z.array(
    z.object({
      upstream: z.string(),
      reached: z.boolean(),
      reason: z.string().nullable(),
      sinceMs: z.number().nullable(),
      roundTripMs: z.number().nullable(),
      asked: z.number(),
      failed: z.number(),
    }),
  ),
});
export type ForwardInfo = z.infer<typeof forwardShape>;

/** `forward` is null where nothing is forwarded. */
export const upstreamsShape = z.object({ forward: forwardShape.nullable() });
