/** What the routes of services, peers and facts take and give. */
import { z } from "zod";
import { serviceWordsShape } from "./shapes-services.ts";

const addresses = z.array(z.union([z.ipv4(), z.ipv6()], "must be an IPv4 or IPv6 address")).max(16);

const port = z.strictObject({
  name: z.string().min(1).max(32),
  port: z.int().min(1).max(65_535),
  transport: z.enum(["tcp", "udp"]),
});

/** Body of `PUT /v1/services`. */
export const serviceRequest = z.strictObject({
  replace: z.boolean(),
  service: z.strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "must be 1 to 63 of a-z, 0-9 and -"),
    addresses,
    mesh: addresses.optional(),
    lan: addresses.optional(),
    ports: z.array(port).max(32),
    maintainers: z.array(z.string().min(1).max(128)).max(16),
    zones: z.array(z.string().min(1).max(253)).max(16).optional(),
  }),
});
export type ServiceRequest = z.infer<typeof serviceRequest>;

/** Answer of `PUT /v1/services`. */
export const serviceResult = z.object({ result: z.enum(["added", "changed", "unchanged"]) });
export const doneShape = z.object({ done: z.literal(true) });

export const serviceShape = z.object({
  ...serviceWordsShape.shape,
  site: z.string(),
  siteId: z.string(),
  name: z.string(),
  addresses: z.array(z.string()),
  mesh: z.array(z.string()),
  lan: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), port: z.number(), transport: z.string() })),
  maintainers: z.array(z.string()),
  zones: z.array(z.string()).nullable(),
  declared: z.enum(["configuration", "command"]),
  /** Names of the other sites known to have it; null for what another site wrote. */
  confirmedBy: z.array(z.string()).nullable(),
});
export type ServiceInfo = z.infer<typeof serviceShape>;
export const servicesShape = z.object({ services: z.array(serviceShape) });

export const peerShape = z.object({
  siteId: z.string(),
  name: z.string(),
  org: z.string(),
  place: z.string(),
  /** The last three: it is no member any more. */
  state: z.enum(["this", "up", "unreachable", "revoked", "replaced", "left"]),
  /** Whether an operator holds up what it writes. */
  suspended: z.boolean(),
  /** Multiaddr of the link; null without one. */
  address: z.string().nullable(),
  rttMs: z.number().nullable(),
  /** Since the last word of it; null when there was none since the daemon started. */
  lastSeenMs: z.number().nullable(),
  version: z.string().nullable(),
  /** Whether its state is the same as ours; null when it is not known. */
  sameState: z.boolean().nullable(),
});
export type PeerInfo = z.infer<typeof peerShape>;
export const peersShape = z.object({ peers: z.array(peerShape) });

export const siteFactsShape = z.object({
  sites: z.array(
    z.object({ name: z.string(), facts: z.record(z.string(), z.unknown()).nullable() }),
  ),
});
export type SiteFacts = z.infer<typeof siteFactsShape>;
