/**
 * The verdict on this node and its mesh: a pure function of what is known.
 *
 * An area without evidence has the state NONE, never OK. What needs a person becomes an entry of
 * the to-do list with the command to start with. Offline is not an error; too few copies are.
 */
import { membersArea, stateArea, type MemberFacts, type StateFacts } from "./status-members.ts";
import { keptArea, type KeptFacts } from "./status-kept.ts";
import { forwardArea, type ForwardFacts } from "./status-forward.ts";
import { lineArea, type LineFacts } from "./status-lines.ts";
import { lockArea, type LockFacts } from "./status-locks.ts";
import { proofArea, type ProofFacts } from "./status-proofs.ts";
import { serviceArea, type ServiceFacts } from "./status-services.ts";
import { plural, type Area, type AreaState, type Finding, type Todo } from "./status-finding.ts";

export type Verdict = Exclude<AreaState, "NONE">;

export interface PeerStatus {
  readonly name: string;
  readonly up: boolean;
  /** Undefined: not heard since our start. */
  readonly lastSeenMs: number | undefined;
  /** Undefined: it has not said. */
  readonly sameState: boolean | undefined;
  /** Serial of each zone, by name, as it says. */
  readonly serials: ReadonlyMap<string, number>;
}

export interface SetStatus {
  /** The name in the configuration; undefined when this node does not know it. */
  readonly name: string | undefined;
  /** Since the last snapshot; undefined when there is none. */
  readonly ageMs: number | undefined;
  readonly limitMs: number;
  /** Undefined while nothing was stored. */
  readonly copies:
    | {
        readonly wanted: number;
        /** The fewest distinct other sites that signed for a shard. */
        readonly least: number;
        readonly shards: number;
        /** What weakens them without putting them at risk, as sentences. */
        readonly concerns: readonly string[];
        /** Holders that wait for a person's word, as sentences. */
        readonly asks: readonly string[];
      }
    | undefined;
  /** How the last run ended, if it did not end well. */
  readonly trouble: string | undefined;
  /** Newest snapshots that stand beside the head until a person settles them. */
  readonly tips: number;
}

export interface StatusFacts {
  readonly site: string | undefined;
  readonly mesh: string | undefined;
  readonly peers: readonly PeerStatus[];
  readonly dns: {
    readonly listening: boolean;
    readonly serials: ReadonlyMap<string, number>;
  };
  /** Undefined where names of others are not asked for. */
  readonly forward?: ForwardFacts | undefined;
  readonly services: ServiceFacts;
  readonly sets: readonly SetStatus[];
  readonly kept: readonly KeptFacts[];
  readonly proofs: ProofFacts;
  readonly lines: readonly LineFacts[];
  /** Shorter retention locks that are pending at any holder. */
  readonly locks: readonly LockFacts[];
  readonly disk: { readonly full: boolean; readonly freeBytes: number };
  /** Requests to join that wait for an operator. */
  readonly waitingRequests: number;
  /** Own records that no other site has confirmed. */
  readonly provisional: number;
  /** Undefined before there is a mesh. */
  readonly members: MemberFacts | undefined;
  readonly state: StateFacts;
}

/** What `pleach wait` can wait for. */
export interface Conditions {
  /** This site is in a mesh. */
  readonly joined: boolean;
  /** Every other site is up and has the same state. */
  readonly mesh: boolean;
  /** Every site that is up has the same serials, and there is a zone. */
  readonly dns: boolean;
  /** Every data set has a snapshot with as many copies as wanted. */
  readonly copies: boolean;
}

export interface StatusReport {
  readonly verdict: Verdict;
  readonly areas: readonly Area[];
  readonly todo: readonly Todo[];
  readonly conditions: Conditions;
  /** What this node could still do if every other site vanished now. */
  readonly alone: string;
}

/** A set this many times older than its limit is no longer merely late. */
const CRITICAL_AGE_FACTOR = 3;

export function statusReport(facts: StatusFacts): StatusReport {
  const { members, state } = facts;
  const findings = [
    meshArea(facts),
    ...(members === undefined ? [] : [membersArea(members), stateArea(state)]),
    serviceArea(facts.services),
    ...[dnsArea, backupArea, copyArea].map((assess) => assess(facts)),
    ...forwardArea(facts.forward),
    keptArea(facts.kept),
    proofArea(facts.proofs),
    ...lockArea(facts.locks),
    ...lineArea(facts.lines),
    diskArea(facts),
  ];
  const states = findings.map(({ area }) => area.state);
  const worst = states.includes("CRITICAL") ? "CRITICAL" : "WARNING";
  const todo = findings.flatMap((finding) => finding.todo);
  if (facts.waitingRequests > 0) {
    const text = `${plural(facts.waitingRequests, "request")} to join waits for an operator.`;
    todo.push({ text, command: 'pleach approve "SIX WORDS" --operator-key FILE' });
  }
  return {
    verdict: states.includes("CRITICAL") || states.includes("WARNING") ? worst : "OK",
    areas: findings.map(({ area }) => area),
    todo,
    conditions: conditionsOf(facts),
    alone: aloneText(facts),
  };
}

function conditionsOf({ mesh, peers, dns, sets }: StatusFacts): Conditions {
  const joined = mesh !== undefined;
  return {
    joined,
    mesh: joined && peers.every(({ up, sameState }) => up && sameState === true),
    dns: joined && dns.serials.size > 0 && differingZones(peers, dns.serials).length === 0,
    copies: joined && sets.length > 0 && sets.every(isSafe),
  };
}

function isSafe({ ageMs, copies }: SetStatus): boolean {
  return ageMs !== undefined && copies !== undefined && copies.least >= copies.wanted;
}

function meshArea({ mesh, peers, provisional }: StatusFacts): Finding {
  const name = "Mesh";
  if (mesh === undefined) {
    return {
      area: { name, state: "WARNING", text: "this site is in no mesh" },
      todo: [
        {
          text: "Found a mesh (pleach init), or join one with a code from a member.",
          command: "pleach join CODE --site NAME",
        },
      ],
    };
  }
  const up = peers.filter((peer) => peer.up);
  const apart = up.filter(({ sameState }) => sameState === false).length;
  const parts = [`${up.length} of ${peers.length} other sites linked`];
  if (apart > 0) parts.push(`${apart} still differ`);
  if (provisional > 0) parts.push(`${provisional} own records provisional`);
  const away = peers.filter((peer) => !peer.up).map((peer) => peer.name);
  const isolated = peers.length > 0 && up.length === 0;
  if (peers.length === 0) parts.splice(0, 1, "the only site so far");
  return {
    area: { name, state: isolated ? "WARNING" : "OK", text: parts.join(", ") },
    todo: isolated
      ? [{ text: `This node hears nobody (${away.join(", ")}).`, command: "pleach peers" }]
      : [],
  };
}

function dnsArea({ dns, peers }: StatusFacts): Finding {
  const name = "DNS";
  const zones = plural(dns.serials.size, "zone");
  if (dns.serials.size === 0) return { area: { name, state: "NONE", text: "no zones" }, todo: [] };
  const told = peers.filter(({ up, serials }) => up && serials.size > 0);
  const differing = differingZones(peers, dns.serials);
  const here = dns.listening ? "" : "; not answered here: [dns] listen is empty";
  if (differing.length > 0) {
    const text = `${zones}, serials differ in ${differing.join(", ")}${here}`;
    return { area: { name, state: "OK", text: `${text} (spreading)` }, todo: [] };
  }
  const same = `same serial on ${told.length + 1} of ${peers.filter(({ up }) => up).length + 1} awake nodes`;
  return { area: { name, state: "OK", text: `${zones}, ${same}${here}` }, todo: [] };
}

/** Zones that an awake node has with another serial, or not at all. */
function differingZones(
  peers: readonly PeerStatus[],
  own: ReadonlyMap<string, number>,
): readonly string[] {
  const awake = peers.filter(({ up }) => up);
  return [...own]
    .filter(([zone, serial]) => awake.some(({ serials }) => serials.get(zone) !== serial))
    .map(([zone]) => zone);
}

function backupArea({ sets }: StatusFacts): Finding {
  const name = "Backups";
  if (sets.length === 0) {
    return { area: { name, state: "NONE", text: "no data sets configured" }, todo: [] };
  }
  const todo: Todo[] = [];
  let state: AreaState = "OK";
  let fresh = 0;
  for (const set of sets) {
    const { ageMs, limitMs, trouble } = set;
    const late = ageMs === undefined || ageMs > limitMs;
    if (!late) fresh += 1;
    if (ageMs !== undefined && ageMs > limitMs * CRITICAL_AGE_FACTOR) state = "CRITICAL";
    else if ((late || trouble !== undefined) && state === "OK") state = "WARNING";
    const label = set.name ?? "(name not known here)";
    const command = `pleach backup run ${set.name ?? "NAME"}`;
    if (ageMs === undefined) todo.push({ text: `Data set ${label} never ran.`, command });
    else if (late) {
      const text = `Data set ${label} is ${hours(ageMs)} old (limit ${hours(limitMs)}).`;
      todo.push({ text, command });
    }
    if (trouble !== undefined) todo.push({ text: `Data set ${label}: ${trouble}.`, command });
    if (set.tips > 0) {
      if (state === "OK") state = "WARNING";
      todo.push({
        text: `Data set ${label} has ${set.tips + 1} newest snapshots: the box was set back. Say which one counts.`,
        command: `pleach backup show ${set.name ?? "NAME"}`,
      });
    }
  }
  const ages = sets.flatMap(({ ageMs }) => ageMs ?? []);
  const oldest = ages.length === 0 ? "" : `; oldest ${hours(Math.max(...ages))}`;
  return { area: { name, state, text: `${fresh} of ${sets.length} sets fresh${oldest}` }, todo };
}

function copyArea({ sets }: StatusFacts): Finding {
  const name = "Copies";
  const stored = sets.flatMap((set) => (set.copies === undefined ? [] : { ...set, ...set.copies }));
  if (stored.length === 0) {
    return { area: { name, state: "NONE", text: "nothing stored yet" }, todo: [] };
  }
  const asks = stored.flatMap(({ name: of, asks: some }): Todo[] =>
    some.map((text) => ({
      text: `Data set ${of ?? "(name not known here)"}: ${text}`,
      command: `pleach backup show ${of ?? "NAME"}`,
    })),
  );
  const concerns = [...new Set(stored.flatMap((set) => set.concerns))];
  const noted = concerns.length === 0 ? "" : `; note: ${concerns.join(" ")}`;
  const short = stored.filter(({ least, wanted }) => least < wanted);
  const shards = stored.reduce((sum, set) => sum + set.shards, 0);
  if (short.length === 0) {
    const least = Math.min(...stored.map((set) => set.least));
    const text = `${plural(shards, "shard")}, each on ${plural(least, "other site")} or more`;
    const state = asks.length === 0 ? "OK" : "WARNING";
    return { area: { name, state, text: text + noted }, todo: asks };
  }
  const none = short.some(({ least }) => least === 0);
  const text = `${plural(short.length, "set")} at risk: ${short
    .map(({ name: of, least, wanted }) => `${of ?? "one"} ${least} of ${wanted}`)
    .join(", ")}`;
  return {
    area: { name, state: none ? "CRITICAL" : "WARNING", text: text + noted },
    todo: [
      ...asks,
      {
        text: "Copies are made by themselves when sites with room are up.",
        command: "pleach peers",
      },
    ],
  };
}

function diskArea({ disk }: StatusFacts): Finding {
  const free = `${(disk.freeBytes / 2 ** 30).toFixed(1)} GiB free`;
  if (!disk.full) return { area: { name: "Disk", state: "OK", text: free }, todo: [] };
  return {
    area: { name: "Disk", state: "CRITICAL", text: `full (${free}): writes are refused` },
    todo: [{ text: "Make room where the data directory lies.", command: "df -h" }],
  };
}

function aloneText({ mesh, dns, sets }: StatusFacts): string {
  if (mesh === undefined) return "";
  const parts = ["edit everything"];
  if (dns.serials.size > 0) {
    const zones = plural(dns.serials.size, "zone");
    parts.unshift(dns.listening ? `answer DNS (${zones})` : `show ${zones}`);
  }
  const stored = sets.filter(({ ageMs }) => ageMs !== undefined).length;
  if (sets.length > 0) parts.push(`restore ${stored} of its ${plural(sets.length, "set")}`);
  return parts.join(", ");
}

function hours(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / (24 * 60))} d`;
}
