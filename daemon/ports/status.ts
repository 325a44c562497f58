/** Gathers what `pleach status` judges. */
import type { SiteId } from "../../protocol/ids.ts";
import type { KeptSet } from "../backup/keep/keeper.ts";
import type { Config } from "../config/config.ts";
import type { RunReport } from "../control/shapes-run.ts";
import type { Status } from "../control/shapes-status.ts";
import type { ForwardFacts } from "../core/status/status-forward.ts";
import type { ForwardStatus } from "../dns/forward/forwarder.ts";
import type { LineFacts } from "../core/status/status-lines.ts";
import {
  statusReport,
  type PeerStatus,
  type SetStatus,
  type StatusFacts,
} from "../core/status/status.ts";
import type { KeptFacts } from "../core/status/status-kept.ts";
import { serviceFacts } from "../core/status/status-services.ts";
import { lockFacts } from "../core/status/status-locks.ts";
import { proofFacts } from "./status-proofs.ts";
import { memberFacts, stateFacts } from "./status-members.ts";
import type { Seen } from "../state/presence.ts";
import type { State } from "../state/state.ts";

/** What is stored of one data set of this site. */
export interface StoredSet {
  readonly setId: string;
  readonly head: { readonly atMs: number } | null;
  readonly tips: readonly unknown[];
  readonly shards: number;
  readonly copies: {
    readonly wanted: number;
    readonly min: number;
    readonly concerns: readonly string[];
    readonly asks: readonly string[];
  };
  readonly mine: boolean;
}

export interface StatusSources {
  readonly config: () => Config;
  readonly state: State;
  readonly seen: () => readonly Seen[];
  readonly linked: () => readonly SiteId[];
  readonly sameState: (peer: SiteId) => boolean | undefined;
  readonly zones: () => readonly { readonly name: string; readonly serial: number }[];
  /** Undefined where names of others are not asked for. */
  readonly forward: () => ForwardStatus | undefined;
  readonly sets: () => Promise<readonly StoredSet[]>;
  readonly kept: () => readonly KeptSet[];
  readonly runs: () => ReadonlyMap<string, RunReport>;
  readonly lines: () => readonly LineFacts[];
  readonly disk: () => { readonly full: boolean; readonly freeBytes: number };
  readonly waitingRequests: () => number;
  readonly nowMs: () => number;
  readonly upMs: () => number;
  readonly version: string;
}

export async function gatherStatus(sources: StatusSources): Promise<Status> {
  const { state, config, zones, upMs, version } = sources;
  const authority = state.authority();
  const meshId = state.meshId ?? null;
  const site = authority.sites.get(state.siteId)?.name ?? config().site ?? null;
  const mesh = meshId === null ? null : authority.meshName;
  const facts = await statusFacts(sources, mesh ?? undefined, site ?? undefined);
  const { verdict, areas, todo, conditions, alone } = statusReport(facts);
  return {
    version,
    upMs: upMs(),
    mesh,
    meshId,
    site,
    siteId: state.siteId,
    sites: { up: facts.peers.filter(({ up }) => up).length + 1, all: facts.peers.length + 1 },
    viewHash: meshId === null ? null : state.view().hash,
    zones: zones().map(({ name, serial }) => ({ name, serial })),
    verdict,
    areas: [...areas],
    todo: [...todo],
    conditions,
    alone,
  };
}

async function statusFacts(
  sources: StatusSources,
  mesh: string | undefined,
  site: string | undefined,
): Promise<StatusFacts> {
  const { state, config, zones, disk, waitingRequests } = sources;
  const authority = state.authority();
  const own = state.view().entries("site");
  const locks = lockFacts(state.view(), authority);
  const told = new Set<string>(locks.flatMap(({ sets }) => sets));
  return {
    site,
    mesh,
    peers: peers(sources),
    dns: {
      listening: config().dns.listen.length > 0,
      serials: new Map(zones().map(({ name, serial }) => [name, serial])),
    },
    services: serviceFacts(state.view(), [...authority.sites.values()]),
    sets: mesh === undefined ? [] : setStatus(sources, await sources.sets()),
    proofs: proofFacts(state.view(), authority, state.siteId, sources.nowMs()),
    forward: forwardFacts(sources),
    lines: sources.lines(),
    locks,
    disk: disk(),
    waitingRequests: waitingRequests(),
    kept: sources.kept().map((set) => keptFacts(set, told)),
    provisional: own.filter(
      (entry) => entry.author === state.siteId && state.confirmedBy(entry).length === 0,
    ).length,
    members: mesh === undefined ? undefined : memberFacts(state),
    state: stateFacts(state),
  };
}

function forwardFacts({ forward, nowMs }: StatusSources): ForwardFacts | undefined {
  const status = forward();
  return (
    status && {
      ...status,
      upstreams: status.upstreams.map((each) => ({
        ...each,
        lostMs: each.sinceMs === null ? null : Math.max(0, nowMs() - each.sinceMs),
      })),
    }
  );
}

function peers({ state, seen, linked, sameState }: StatusSources): PeerStatus[] {
  const bySite = new Map(seen().map((each) => [each.siteId, each]));
  const links = new Set(linked());
  return [...state.authority().sites.values()]
    .filter(({ siteId }) => siteId !== state.siteId)
    .map(({ siteId, name }) => {
      const word = bySite.get(siteId);
      return {
        name,
        up: links.has(siteId) || word?.state === "up",
        lastSeenMs: word?.ageMs,
        sameState: sameState(siteId),
        serials: new Map(Object.entries(word?.zoneSerials ?? {})),
      };
    });
}

/** Each configured set, and each stored one that no configured name is known for. */
function setStatus(sources: StatusSources, stored: readonly StoredSet[]): SetStatus[] {
  const { config, runs, nowMs } = sources;
  const mine = new Map(stored.filter((set) => set.mine).map((set) => [set.setId, set]));
  const configured = config().backups.map(({ name, everyMs }): SetStatus => {
    const run = runs().get(name);
    const setId = run?.setId ?? "";
    const set = mine.get(setId);
    mine.delete(setId);
    return {
      name,
      limitMs: everyMs,
      ageMs: ageOf(set, nowMs()),
      copies: copiesOf(set),
      trouble: troubleOf(run),
      tips: set?.tips.length ?? 0,
    };
  });
  const unnamed = [...mine.values()]
    .filter((set) => set.head !== null)
    .map((set): SetStatus => {
      const run = [...runs()].find(([, { setId }]) => setId === set.setId);
      return {
        name: run?.[0],
        limitMs: Number.POSITIVE_INFINITY,
        ageMs: ageOf(set, nowMs()),
        copies: copiesOf(set),
        trouble: undefined,
        tips: set.tips.length,
      };
    });
  return [...configured, ...unnamed];
}

/** @param told - Sets whose shorter lock shows as that of all holders. */
function keptFacts(
  { set, lockDays, pending, asked, trouble }: KeptSet,
  told: ReadonlySet<string>,
): KeptFacts {
  const isOwnNews = pending !== null && !told.has(set);
  return {
    set,
    shrunkRatio: asked === null ? undefined : 1 - asked.toBytes / asked.fromBytes,
    shorterLock: isOwnNews ? { fromDays: lockDays ?? 0, toDays: pending.days } : undefined,
    trouble: trouble ?? undefined,
  };
}

function ageOf(set: StoredSet | undefined, nowMs: number): number | undefined {
  const atMs = set?.head?.atMs;
  return atMs === undefined ? undefined : Math.max(0, nowMs - atMs);
}

function copiesOf(set: StoredSet | undefined): SetStatus["copies"] {
  if (set === undefined || set.shards === 0) return undefined;
  const { wanted, min, concerns, asks } = set.copies;
  return { wanted, least: min, shards: set.shards, concerns, asks };
}

function troubleOf(run: RunReport | undefined): string | undefined {
  if (run?.result === "failed") return `the last run failed (${run.error ?? "no reason known"})`;
  if (run?.result === "partly") return `the last run could not read ${run.unreadable} files`;
  return undefined;
}
