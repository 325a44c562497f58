/**
 * What may stand in one configuration file.
 *
 * Everything is optional here, because a file of `conf.d` holds only a part; defaults and what
 * concerns all files together is in `config.ts`. Every option does something. Descriptions are
 * printed by `pleach config check` beside a wrong value.
 */
import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import { z } from "zod";
import { ZONE_VIEWS } from "../../protocol/dns/zone-view.ts";
import { formatIpPrefix, parseIpPrefix, type IpPrefix } from "../../protocol/ip-prefix.ts";
import { COUNTRY_COUNT, isCountry } from "../../protocol/country.ts";
import { MAX_COPIES } from "../../protocol/backup/list.ts";
import { MAX_NAMED_HOLDERS, MAX_NAMED_OWNERS } from "../../protocol/logs/record.ts";
import { parseUpstream, type UpstreamConfig } from "./upstream.ts";
import {
  parseDuration,
  parseHours,
  parseRate,
  parseSize,
  parseSocketAddress,
} from "./quantities.ts";

/** A DNS label: names of sites, services and data sets are parts of host names or files. */
const label = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "must be 1 to 63 of a-z, 0-9 and -");
const path = z.string().refine(isAbsolute, "must be an absolute path");
const size = parsed(parseSize, 'must be a size such as "500 GiB"');
const duration = parsed(parseDuration, 'must be a time such as "24h" or "7 days"');
/** Below a second, a site would do nothing else. */
const pace = duration.refine((ms) => ms >= 1000, "must be 1 s or more");
/** Below this, the signs of life of a few channels would be late. */
const MIN_RATE = 4000;
const rate = parsed(parseRate, 'must be a rate such as "1 Mbit/s"').refine(
  (bytesPerSecond) => bytesPerSecond >= MIN_RATE,
  "must be 32 kbit/s or more; for nothing at all, give hours or metered",
);
const hours = parsed(parseHours, 'must be hours such as "22:00-07:00"');
const hostPort = parsed(parseSocketAddress, 'must be such as "0.0.0.0:7411" or "[::]:7411"');
const ipPort = hostPort.refine(({ address }) => isIP(address) > 0, "must begin with an IP address");
const zoneView = z.enum(ZONE_VIEWS, `must be one of ${ZONE_VIEWS.join(", ")}`);
/** An address that answers DNS, with what everybody sees who asks there if it is given. */
const dnsListen = z.union(
  [ipPort, z.strictObject({ address: ipPort, view: zoneView })],
  'must be such as "192.0.2.14:53" or { address = "192.168.1.2:53", view = "lan" }',
);
const network = z.string().transform((text, context): IpPrefix => {
  const parsed = parseIpPrefix(text);
  if ("bits" in parsed) return parsed;
  const message = `must be a network such as "192.168.0.0/16"; in "${text}", ${parsed.reason}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
const networks = z.array(network).max(32).optional();
const dnsViews = z
  .strictObject({ public: networks, mesh: networks, lan: networks })
  .superRefine((views, context) => {
    const seen = new Set<string>();
    for (const view of ZONE_VIEWS) {
      for (const [index, prefix] of (views[view] ?? []).entries()) {
        const text = formatIpPrefix(prefix);
        const message = `has ${text}, which stands there twice; a network has one view`;
        if (seen.has(text)) context.addIssue({ code: "custom", path: [view, index], message });
        seen.add(text);
      }
    }
  });
/** A server that questions are passed on to. */
const upstream = z.string().transform((text, context): UpstreamConfig => {
  const parsed = parseUpstream(text);
  if (!("reason" in parsed)) return parsed;
  const message = `must be such as "tls://9.9.9.9#dns.quad9.net" or "192.168.1.1"; in "${text}", ${parsed.reason}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
const upstreams = z.array(upstream).min(1, "must name one server or more").max(8);
/** Each has connections and a state of its own. */
const MAX_FORWARD_ZONES = 64;
/** RFC 8767 section 4: for stale answers "between one and three days". */
const MAX_STALE_MS = 3 * 86_400_000;
const [MIN_CACHE_BYTES, MAX_CACHE_BYTES] = [1024 * 1024, 1024 ** 3];
/** A name of an interface has at most 15 bytes on Linux. */
const mdnsLinks = z.union(
  [
    z.boolean(),
    z
      .array(z.string().regex(/^[^/\s]{1,15}$/))
      .min(1)
      .max(16),
  ],
  'must be true, false or interfaces such as ["eth0"]',
);
const ip = z.string().refine((text) => isIP(text) > 0, "must be an IPv4 or IPv6 address");
const domain = z
  .string()
  .max(253)
  .regex(/^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9-]+$/, "must be a lower-case name");

/** Shorter ones would only make more keys: a run seldom comes more often than each hour. */
const MIN_EPOCH_MS = 3_600_000;
const epochLength = z
  .union([z.literal("run"), duration])
  .refine(
    (value) => value === "run" || value >= MIN_EPOCH_MS,
    'must be "run" or a time of 1h or more',
  );
const country = z.string().refine(isCountry, 'must be a country of ISO 3166-1, such as "FR"');
/** As members show it, or an identifier. */
const ownerName = z.string().min(1).max(80);
const siteName = z.string().regex(/^(?:[a-z0-9-]{1,63}|[0-9a-f]{64})$/, "must name a site");

/** A file directly below the root of a snapshot. */
const fileName = z.string().regex(/^(?!\.{1,2}$)[^/\0]{1,200}$/, "must be the name of a file");
const backup = z
  .strictObject({
    name: label,
    paths: z.array(path).min(1, "must name one path or more").optional(),
    command: z.tuple([path], z.string()).optional(),
    stdin: z.boolean().optional(),
    file: fileName.optional(),
    exclude: z.array(z.string().min(1)).optional(),
    one_file_system: z.boolean().optional(),
    cut: z.enum(["content", "fixed"]).optional(),
    before: path.optional(),
    limit: pace.optional(),
    every: duration.optional(),
    history: z.enum(["box", "sealed"], 'must be "box" or "sealed"').optional(),
    epoch: epochLength.optional(),
    copies: z.int().min(1).max(MAX_COPIES).optional(),
    countries: z.array(country).min(1).max(COUNTRY_COUNT).optional(),
    not_countries: z.array(country).min(1).max(COUNTRY_COUNT).optional(),
    holders: z.array(siteName).min(1).max(MAX_NAMED_HOLDERS).optional(),
    local: z.enum(["keep", "drop"]).optional(),
  })
  .refine(
    ({ paths, command, stdin }) =>
      Number(paths !== undefined) + Number(command !== undefined) + Number(stdin === true) === 1,
    { message: "must have just one of paths, command and stdin = true" },
  )
  .refine(({ paths, file }) => paths === undefined || file === undefined, {
    message: "has file, which goes with command or stdin",
  })
  .refine(
    ({ paths, exclude, one_file_system: one }) =>
      paths !== undefined || (exclude === undefined && one === undefined),
    { message: "has exclude or one_file_system, which go with paths" },
  );

const ownerTerms = z.strictObject({
  name: ownerName,
  cap: size.optional(),
  daily: size.optional(),
});

const port = z.strictObject({
  name: label,
  port: z.int().min(1).max(65_535),
  transport: z.enum(["tcp", "udp"]).optional(),
});

const service = z
  .strictObject({
    name: label,
    address: ip.optional(),
    addresses: z.array(ip).max(16).optional(),
    mesh: z.array(ip).max(16).optional(),
    lan: z.array(ip).max(16).optional(),
    ports: z.array(port).max(32).optional(),
    maintainers: z.array(z.string().min(1).max(254)).max(16).optional(),
    zones: z.array(domain).max(16).optional(),
  })
  .refine(({ address, addresses }) => address === undefined || addresses === undefined, {
    message: "has both address and addresses; keep one",
  });

const uplink = z
  .strictObject({
    name: label,
    interface: z.string().min(1).max(15).optional(),
    upload: rate.optional(),
    download: rate.optional(),
    hours: hours.optional(),
    outside: rate.optional(),
    metered: z.boolean().optional(),
  })
  .refine(({ hours: given, outside }) => outside === undefined || given !== undefined, {
    message: "has outside, the rate at other hours, and no hours",
  });

const forwardZone = z.strictObject({
  name: domain.refine(
    (name) => name !== "local" && !name.endsWith(".local"),
    "must not be local, whose names are asked for by multicast only (RFC 6762)",
  ),
  upstreams,
});
const forward = z.strictObject({
  upstreams,
  zone: z.array(forwardZone).max(MAX_FORWARD_ZONES).optional(),
  allow_private: z.array(domain).max(256).optional(),
  cache: size
    .refine(
      (bytes) => bytes >= MIN_CACHE_BYTES && bytes <= MAX_CACHE_BYTES,
      "must be 1 MiB to 1 GiB",
    )
    .optional(),
  stale: duration.refine((ms) => ms <= MAX_STALE_MS, "must be 3 days or less").optional(),
  authorities: path.optional(),
});

/** Each is told of every change of every zone. */
const MAX_SECONDARIES = 32;
const secondary = z.strictObject({
  address: ipPort,
  key: domain.optional(),
  view: zoneView.optional(),
  zones: z.array(domain).min(1).max(256).optional(),
});

export const fileShape = z.strictObject({
  site: label.optional(),
  data: path.optional(),
  socket: path.optional(),
  keys: path.optional(),
  mesh: z
    .strictObject({
      listen: z.array(ipPort).max(8).optional(),
      announce: z.array(hostPort).max(8).optional(),
      dht: z.boolean().optional(),
    })
    .optional(),
  dns: z
    .strictObject({
      listen: z.array(dnsListen).max(16).optional(),
      views: dnsViews.optional(),
      forward: forward.optional(),
      threads: z.int().min(0).max(16).optional(),
      mdns: mdnsLinks.optional(),
      catalog: domain.optional(),
      secondary: z.array(secondary).max(MAX_SECONDARIES).optional(),
    })
    .optional(),
  uplink: z.array(uplink).max(8).optional(),
  give: z
    .strictObject({
      space: size.optional(),
      to: z.array(ownerName).max(MAX_NAMED_OWNERS).optional(),
      cap: size.optional(),
      daily: size.optional(),
      owner: z.array(ownerTerms).max(MAX_NAMED_OWNERS).optional(),
    })
    .optional(),
  audit: z
    .strictObject({
      every: pace.optional(),
      whole: pace.optional(),
      scrub: pace.optional(),
      patience: pace.optional(),
      takeover: pace.optional(),
    })
    .optional(),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).optional() }).optional(),
  backup: z.array(backup).max(64).optional(),
  service: z.array(service).max(256).optional(),
});
export type FileContent = z.infer<typeof fileShape>;

/** The names that may stand at a place, for the nearest one to a name that may not. */
export function namesAt(at: readonly PropertyKey[]): readonly string[] {
  let here: z.ZodType | undefined = fileShape;
  for (const step of at) {
    here = plain(here);
    if (here instanceof z.ZodArray) here = here.element as z.ZodType;
    else if (here instanceof z.ZodObject) here = here.shape[String(step)] as z.ZodType | undefined;
    else return [];
  }
  here = plain(here);
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function plain(shape: z.ZodType | undefined): z.ZodType | undefined {
  if (shape instanceof z.ZodOptional) return plain(shape.unwrap() as z.ZodType);
  // Of several forms the one that has names.
  if (shape instanceof z.ZodUnion) {
    return (shape.options as z.ZodType[]).find((form) => form instanceof z.ZodObject);
  }
  return shape;
}

function parsed<T>(parse: (text: string) => T | undefined, message: string) {
  return z.string(message).transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
}
