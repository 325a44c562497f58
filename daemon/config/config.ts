/**
 * The configuration with its defaults: what all files say together.
 */
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { IpPrefix } from "../../protocol/ip-prefix.ts";
import { ConfigError } from "./error.ts";
import type { SocketAddress } from "./quantities.ts";
import type { FileContent } from "./schema.ts";
import type { UpstreamConfig } from "./upstream.ts";

export interface BackupConfig {
  /** A DNS label; also the name of its key file. */
  readonly name: string;
  /** Absolute, one or more; none with a stream. */
  readonly paths: readonly string[];
  /** What is backed up instead of paths; undefined with paths. */
  readonly stream: StreamConfig | undefined;
  /** Patterns of what is left out. */
  readonly exclude: readonly string[];
  /** Whether file systems that are mounted below the paths are left out. Default: no. */
  readonly oneFileSystem: boolean;
  /** Where files are cut: by content, or at each 4 MiB, for images of disks. Default: content. */
  readonly cut: "content" | "fixed";
  /** Absolute path of a program that runs before each backup; its failure fails the run. */
  readonly before: string | undefined;
  /** How long `before`, and a stream, may take. Default: 6 h. */
  readonly limitMs: number;
  /** Copies at other sites, 1 to 16. Default: 3. */
  readonly copies: number;
  /** Where these may lie. Default: anywhere. */
  readonly rules: BackupRules;
  /** How often it should run, and the age above which `status` warns of it. Default: 24 h. */
  readonly everyMs: number;
  /** Whether this box keeps the keys of its past, or erases them. Default: it keeps them. */
  readonly history: "box" | "sealed";
  /** How long one key seals what is new: one run, or so many milliseconds. Default: 30 days. */
  readonly epoch: "run" | number;
}

export interface StreamConfig {
  /** Program, absolute, and its arguments: what it prints is backed up. Undefined: standard input. */
  readonly command: readonly [string, ...string[]] | undefined;
  /** Name of the file that it becomes. Default: the name of the set. */
  readonly file: string;
}

export interface UplinkConfig {
  /** A DNS label. */
  readonly name: string;
  /** The network interface that it is; undefined: whatever no other uplink names. */
  readonly interface: string | undefined;
  /** Bytes per second; undefined for no limit. */
  readonly upload: number | undefined;
  readonly download: number | undefined;
  /** In which copies are made, in minutes after midnight; undefined for always. */
  readonly hours: { readonly from: number; readonly to: number } | undefined;
  /** Bytes per second at other hours; undefined: no copies are made then. */
  readonly outside: number | undefined;
  /** Paid by volume: no copies are made over it. Default: no. */
  readonly metered: boolean;
}

/** Where the copies of a set may lie, and what becomes of the one here. */
export interface BackupRules {
  /** ISO 3166-1 alpha-2; empty: any. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Names or identifiers of sites; null: any. */
  readonly holders: readonly string[] | null;
  /** Whether shards stay here, too, when the other sites have signed for them. Default: keep. */
  readonly local: "keep" | "drop";
}

/** What is lent, and to whom. Owners by their names in the mesh or by identifier. */
export interface GiveConfig {
  readonly spaceBytes: number;
  /** Default: all owners of the mesh. */
  readonly to: "all" | readonly string[];
  /** The most that one owner may use; undefined for all of the space. */
  readonly capBytes: number | undefined;
  /** What one owner may send in a day; undefined for a share of its cap. */
  readonly dailyBytes: number | undefined;
  /** Other terms for some owners. */
  readonly owners: readonly {
    readonly name: string;
    readonly capBytes: number | undefined;
    readonly dailyBytes: number | undefined;
  }[];
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly transport: "tcp" | "udp";
}

export interface ServiceConfig {
  /** A DNS label. */
  readonly name: string;
  readonly addresses: readonly string[];
  /** For clients of the view `mesh`, and of this site's LAN; empty: as the less specific view. */
  readonly mesh: readonly string[];
  readonly lan: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly maintainers: readonly string[];
  /** Zones that carry its names; undefined = every zone of the mesh. */
  readonly zones: readonly string[] | undefined;
}

export interface DnsListenConfig extends SocketAddress {
  /** What everybody sees who asks there; without it the client's address decides. */
  readonly view?: ZoneView;
}

export interface ViewConfig {
  readonly prefix: IpPrefix;
  readonly view: ZoneView;
}

export interface SecondaryConfig extends SocketAddress {
  /** The TSIG key that it signs with; without one, its address lets it fetch zones. */
  readonly key: string | undefined;
  /** What it fetches without a key. Default: public. */
  readonly view: ZoneView;
  /** Default: all zones of the mesh. */
  readonly zones: readonly string[] | undefined;
}

/** Whom names of others are asked of, for clients of the LAN. */
export interface ForwardConfig {
  /** One or more. */
  readonly upstreams: readonly UpstreamConfig[];
  /** Names that other servers than these are asked for. */
  readonly zones: readonly {
    readonly name: string;
    readonly upstreams: readonly UpstreamConfig[];
  }[];
  /** At and below these, private addresses of others are believed. */
  readonly allowPrivate: readonly string[];
  /** Default: 32 MiB. */
  readonly cacheBytes: number;
  /** How long answers that have expired are told while no server answers. Default: 1 day. */
  readonly staleMs: number;
  /** File with certificates that upstreams are checked by; undefined: those of the program. */
  readonly authorities: string | undefined;
}

export interface Config {
  /** The file that was read first. */
  readonly file: string;
  /** Name of this site: what `init` and `join` take when `--site` is not given. */
  readonly site: string | undefined;
  /** Directory of the daemon: site key, state, shards. Default: /var/lib/pleach. */
  readonly data: string;
  /** Control socket. Default: /run/pleach/pleach.sock. */
  readonly socket: string;
  /** Directory of the backup keys, which the daemon cannot open. Default: /etc/pleach/keys. */
  readonly keys: string;
  readonly mesh: {
    /** Default: 0.0.0.0:7411 and [::]:7411. */
    readonly listen: readonly SocketAddress[];
    /** What other sites dial, when it is not what we listen on. Names are allowed. */
    readonly announce: readonly SocketAddress[];
    /** Whether holders are also announced through kad-dht. Default: true. */
    readonly dht: boolean;
  };
  readonly dns: {
    /** Addresses that answer DNS over UDP and TCP. Default: none. */
    readonly listen: readonly DnsListenConfig[];
    /** Whose clients see more than the public, or less than a larger network. Default: none. */
    readonly views: readonly ViewConfig[];
    /** Undefined: nobody is asked. */
    readonly forward: ForwardConfig | undefined;
    /** Threads that answer UDP; 0: the main one, which other work may keep waiting. Default: 1. */
    readonly threads: number;
    /** Interfaces on which services are found as `NAME.local`; true: all that look like a LAN. Default: none. */
    readonly mdns: boolean | readonly string[];
    /** Name of the catalog zone for secondaries (RFC 9432). Default: none. */
    readonly catalog: string | undefined;
    /** Servers of others that fetch zones here and are told of changes. */
    readonly secondaries: readonly SecondaryConfig[];
  };
  /** What is lent to others. Default: 0 bytes. */
  readonly give: GiveConfig;
  /** What is set for the lines of this site. Default: nothing, and bulk adapts by itself. */
  readonly uplinks: readonly UplinkConfig[];
  /** How often copies are proven and how long sites are waited for; running time. */
  readonly audit: {
    readonly everyMs: number;
    readonly wholeMs: number;
    readonly scrubMs: number;
    readonly patienceMs: number;
    readonly takeoverMs: number;
  };
  readonly log: { readonly level: "debug" | "info" | "warn" | "error" };
  readonly backups: readonly BackupConfig[];
  readonly services: readonly ServiceConfig[];
}

/** Default of [mesh] listen. */
const MESH_PORT = 7411;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A dump of a large database takes hours, one that hangs would take for ever. */
const LIMIT_MS = 6 * HOUR_MS;

/** One checked file. */
export interface ConfigPart {
  readonly file: string;
  readonly content: FileContent;
}

/**
 * Joins the parts. Lists of tables grow; any other key may be set in one file only.
 *
 * @throws ConfigError when two files set one key, or two sets or services have one name.
 */
export function joinParts(file: string, parts: readonly ConfigPart[]): Config {
  const from = new Map<string, string>();
  for (const part of parts) {
    for (const key of settings(part.content)) claim(from, key, part.file);
    for (const { name, interface: port } of part.content.uplink ?? []) {
      claim(from, `uplink "${name}"`, part.file);
      claim(from, port === undefined ? "uplink without interface" : `uplink of ${port}`, part.file);
    }
    for (const { name } of part.content.backup ?? []) claim(from, `backup "${name}"`, part.file);
    for (const { name } of part.content.service ?? []) claim(from, `service "${name}"`, part.file);
  }
  const all = <K extends keyof FileContent>(key: K): NonNullable<FileContent[K]>[] =>
    parts.flatMap(({ content }) => {
      const value = content[key];
      return value === undefined ? [] : [value];
    });
  const one = <K extends keyof FileContent>(key: K): FileContent[K] => all(key)[0];
  const mesh = Object.assign({}, ...all("mesh")) as NonNullable<FileContent["mesh"]>;
  return {
    file,
    site: one("site"),
    data: one("data") ?? "/var/lib/pleach",
    socket: one("socket") ?? "/run/pleach/pleach.sock",
    keys: one("keys") ?? "/etc/pleach/keys",
    mesh: {
      listen: mesh.listen ?? ["0.0.0.0", "::"].map((address) => ({ address, port: MESH_PORT })),
      announce: mesh.announce ?? [],
      dht: mesh.dht ?? true,
    },
    dns: dnsOf(all("dns")),
    give: giveOf(all("give")),
    uplinks: parts.flatMap(({ content }) => content.uplink ?? []).map(uplinkOf),
    audit: auditOf(all("audit")),
    log: { level: one("log")?.level ?? "info" },
    backups: parts.flatMap(({ content }) => content.backup ?? []).map(backupOf),
    services: parts.flatMap(({ content }) => content.service ?? []).map(serviceOf),
  };
}

function dnsOf(given: readonly NonNullable<FileContent["dns"]>[]): Config["dns"] {
  const { listen, views, forward, threads, mdns, catalog, secondary } = Object.assign(
    {},
    ...given,
  ) as NonNullable<FileContent["dns"]>;
  const places = (listen ?? []).map((each) =>
    "view" in each ? { ...each.address, view: each.view } : each,
  );
  const rules = ZONE_VIEWS.flatMap((view) =>
    (views?.[view] ?? []).map((prefix) => ({ prefix, view })),
  );
  return {
    listen: places,
    views: rules,
    forward: forward && forwardOf(forward, places, rules),
    threads: threads ?? 1,
    mdns: mdns ?? false,
    catalog,
    secondaries: (secondary ?? []).map(({ address, key, view = "public", zones }) => ({
      ...{ ...address, key, view, zones },
    })),
  };
}

const CACHE_BYTES = 32 * 1024 * 1024;

/** @throws ConfigError when nobody would be served, or a server would ask itself. */
function forwardOf(
  given: NonNullable<NonNullable<FileContent["dns"]>["forward"]>,
  listen: readonly DnsListenConfig[],
  views: readonly ViewConfig[],
): ForwardConfig {
  const { upstreams, zone = [], allow_private: allowPrivate = [] } = given;
  if (![...listen, ...views].some(({ view }) => view === "lan")) {
    const hint = 'Say who the LAN is:  [dns.views]  lan = ["192.168.1.0/24"]';
    const message =
      "dns.forward serves the view lan only, and no network or address has that view.";
    throw new ConfigError("E-CONFIG-VALUE", message, { hint, exit: 2 });
  }
  const seen = new Set<string>();
  for (const { name } of zone) {
    if (seen.has(name)) {
      const message = `dns.forward.zone "${name}" is set twice.`;
      throw new ConfigError("E-CONFIG-TWICE", message, { hint: "Remove one of them.", exit: 2 });
    }
    seen.add(name);
  }
  for (const { address, port } of [...upstreams, ...zone.flatMap((each) => each.upstreams)]) {
    if (!listen.some((own) => own.address === address && own.port === port)) continue;
    const message = `dns.forward has the upstream ${address}, where this server itself listens.`;
    const hint = "Name the server of your provider, your router, or one over TLS.";
    throw new ConfigError("E-CONFIG-VALUE", message, { hint, exit: 2 });
  }
  return {
    ...{ upstreams, zones: zone, allowPrivate },
    cacheBytes: given.cache ?? CACHE_BYTES,
    staleMs: given.stale ?? DAY_MS,
    authorities: given.authorities,
  };
}

function giveOf(given: readonly NonNullable<FileContent["give"]>[]): GiveConfig {
  const { space, to, cap, daily, owner } = Object.assign({}, ...given) as NonNullable<
    FileContent["give"]
  >;
  return {
    spaceBytes: space ?? 0,
    to: to ?? "all",
    capBytes: cap,
    dailyBytes: daily,
    owners: (owner ?? []).map((one) => ({
      name: one.name,
      capBytes: one.cap,
      dailyBytes: one.daily,
    })),
  };
}

function auditOf(given: readonly NonNullable<FileContent["audit"]>[]): Config["audit"] {
  const audit = Object.assign({}, ...given) as NonNullable<FileContent["audit"]>;
  return {
    everyMs: audit.every ?? DAY_MS,
    wholeMs: audit.whole ?? 30 * DAY_MS,
    scrubMs: audit.scrub ?? 30 * DAY_MS,
    patienceMs: audit.patience ?? 72 * HOUR_MS,
    takeoverMs: audit.takeover ?? DAY_MS,
  };
}

function uplinkOf(given: NonNullable<FileContent["uplink"]>[number]): UplinkConfig {
  const { name, interface: port, upload, download, hours, outside, metered = false } = given;
  return { name, interface: port, upload, download, hours, outside, metered };
}

function backupOf(given: NonNullable<FileContent["backup"]>[number]): BackupConfig {
  const { name, paths = [], exclude = [], before, every = DAY_MS, cut = "content" } = given;
  const { command, stdin = false, file = name, limit = LIMIT_MS } = given;
  const stream = stdin || command !== undefined ? { command, file } : undefined;
  const oneFileSystem = given.one_file_system ?? false;
  const { history = "box", epoch = 30 * DAY_MS } = given;
  const { copies = 3, countries = [], not_countries = [], holders, local = "keep" } = given;
  const rules = { allow: countries, deny: not_countries, holders: holders ?? null, local };
  return {
    ...{ name, paths, stream, exclude, oneFileSystem, cut, before },
    ...{ copies, rules },
    limitMs: limit,
    everyMs: every,
    history,
    epoch,
  };
}

function serviceOf(given: NonNullable<FileContent["service"]>[number]): ServiceConfig {
  const {
    name,
    address,
    addresses,
    mesh = [],
    lan = [],
    ports = [],
    maintainers = [],
    zones,
  } = given;
  return {
    name,
    addresses: addresses ?? (address === undefined ? [] : [address]),
    mesh,
    lan,
    ports: ports.map((port) => ({ ...port, transport: port.transport ?? "tcp" })),
    maintainers,
    zones,
  };
}

/** Every key that is set, tables as `mesh.listen`; lists of tables are left out. */
function settings(content: FileContent): string[] {
  return Object.entries(content).flatMap(([key, value]) => {
    if (Array.isArray(value)) return [];
    if (typeof value === "object") return Object.keys(value).map((inner) => `${key}.${inner}`);
    return [key];
  });
}

function claim(from: Map<string, string>, what: string, file: string): void {
  const before = from.get(what);
  if (before !== undefined) {
    const where = before === file ? `twice in ${file}` : `in ${before} and in ${file}`;
    throw new ConfigError("E-CONFIG-TWICE", `${what} is set ${where}.`, {
      hint: "Remove one of them.",
      exit: 2,
    });
  }
  from.set(what, file);
}
