/** The route that tells how the upstreams are. */
import { Hono } from "hono";
import type { ForwardInfo } from "./shapes-dns-forward.ts";

/** The same as it is counted. */
type Counted = Omit<ForwardInfo, "upstreams"> & {
  readonly upstreams: readonly ForwardInfo["upstreams"][number][];
};

/** @param forward - Undefined where nothing is forwarded. */
export function dnsForwardRoutes(forward: () => Counted | undefined): Hono {
  return new Hono().get("/dns/upstreams", (context) =>
    context.json({ forward: forward() ?? null }),
  );
}
