/** What an EPOCH does, in words, read from the very bytes that are signed. */
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { OperatorId, SiteId } from "../../../protocol/ids.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import type { CutEffect } from "../../control/shapes-decisions.ts";
import type { Proposal } from "../../core/authority/authority.ts";
import { votersOf, type EpochContent } from "./epoch-change.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";
import { wrap } from "../shell/output.ts";
import { formatTime } from "../shell/quantities.ts";

const WIDTH = 78;
const LABEL = 13;
/** Records named of those that a cut hits; the rest is counted. */
const NAMED_RECORDS = 8;

/** What of a site's logs would be cut, where a daemon could tell. */
export type Effects = ReadonlyMap<SiteId, CutEffect>;

/** @returns Lines of at most 78 columns. */
export function epochWords(
  mesh: MeshKnowledge,
  body: EpochContent | EpochBody,
  effects: Effects,
): readonly string[] {
  const { authority } = mesh;
  const lines = [`Epoch ${body.n} of the mesh "${authority.meshName}"`];
  lines.push(...operatorWords(mesh, body));
  lines.push(...recoveryWords(mesh, body));
  const features = body.features.filter((each) => !authority.features.has(each));
  if (features.length > 0) lines.push(...labelled("Features", `on: ${features.join(", ")}`));
  if (body.rules !== authority.rules) {
    lines.push(...labelled("Rules", `version ${body.rules} (was ${authority.rules})`));
  }
  for (const { site, logs } of body.revokes) {
    lines.push(...revokeWords(mesh, site, logs.length, effects.get(site)));
  }
  const ended = authority.suspensions.filter(({ id }) => body.unsuspends.includes(id));
  for (const key of new Set(ended.map((each) => each.key))) {
    lines.push(...labelled("Unsuspends", mesh.nameOf(key)));
  }
  if (authority.epoch.contested) {
    lines.push(...labelled("Settles", `the ${body.parents.length} contested epochs ${body.n - 1}`));
  }
  return lines;
}

/** The name to type before it is signed: of a key that it ends for ever; null when it ends none. */
export function endedName(mesh: MeshKnowledge, body: EpochContent | EpochBody): string | null {
  const [revoked] = body.revokes;
  const [dropped] = droppedBy(mesh, body);
  const key = revoked?.site ?? dropped;
  return key === undefined ? null : mesh.nameOf(key);
}

function operatorWords(mesh: MeshKnowledge, body: EpochContent | EpochBody): string[] {
  const { operators, threshold } = mesh.authority;
  const added = body.operators.filter(({ key }) => !operators.has(key));
  const dropped = droppedBy(mesh, body);
  const decide = `${body.threshold} of ${body.operators.length}`;
  const was = `${threshold} of ${operators.size}`;
  const lines: string[] = [];
  if (added.length > 0 || dropped.length > 0) {
    lines.push(...labelled("Operators", body.operators.map(({ name }) => name).join(", ")));
  }
  for (const { key, name } of added) {
    lines.push(...labelled("New", `${name}, key ${key.slice(0, 16)}...`));
  }
  for (const key of dropped) {
    const end = body.chains.find(({ by }) => by === key);
    const stays =
      end === undefined || end.seq === 0
        ? "It has signed nothing"
        : `Statement ${end.seq} is its last`;
    lines.push(...labelled("No more", `${mesh.nameOf(key)}. ${stays}. This key never comes back.`));
  }
  if (decide !== was) lines.push(...labelled("Decide by", `${decide} signatures (was ${was})`));
  if (body.operators.length === 1) {
    lines.push(
      ...labelled("Note", "bus factor 1: one lost key, and only the recovery key decides"),
    );
  }
  return lines;
}

/** Against every epoch that counts: while several do, a key that one of them lacks is told. */
function recoveryWords({ authority }: MeshKnowledge, body: EpochContent | EpochBody): string[] {
  const before = authority.epoch.parents.map(({ recovery }) => recovery);
  const { keys, threshold } = body.recovery;
  const added = keys.filter((key) => !before.every((each) => each.keys.includes(key)));
  const removed = [...new Set(before.flatMap((each) => each.keys))].filter(
    (key) => !keys.includes(key),
  );
  const isSame = before.every((each) => each.threshold === threshold);
  if (isSame && added.length + removed.length === 0) return [];
  const lines: string[] = [];
  for (const key of added) {
    const text = `recovery key ${key.slice(0, 16)}... can decide without the operators`;
    lines.push(...labelled("New", text));
  }
  for (const key of removed) {
    lines.push(...labelled("No more", `recovery key ${key.slice(0, 16)}...`));
  }
  lines.push(...labelled("Recovery", `${threshold} of ${keys.length} recovery keys decide`));
  if (threshold === 0) {
    const text = "no recovery: when too few operators have their keys, nobody can decide";
    lines.push(...labelled("Note", text));
  }
  return lines;
}

function droppedBy(mesh: MeshKnowledge, body: EpochContent | EpochBody): OperatorId[] {
  const left = new Set(body.operators.map(({ key }) => key));
  return [...votersOf(mesh).keys()].filter((key) => !left.has(key));
}

function revokeWords(
  mesh: MeshKnowledge,
  site: SiteId,
  logs: number,
  effect: CutEffect | undefined,
): string[] {
  const lines = labelled(
    "Revokes",
    `the site ${mesh.nameOf(site)}. Its links are cut at once, what it writes from now on counts ` +
      "nowhere, and this key never comes back.",
  );
  if (effect === undefined) {
    const text = `what it wrote up to the named end of each of ${logs} logs`;
    return [...lines, ...labelled("Stays", text)];
  }
  return [...lines, ...effectWords(effect)];
}

/** What of a site's entries stays, and which records change. */
export function effectWords({ kept, cut, firstCutAtMs, records }: CutEffect): string[] {
  if (cut === 0 && records.length === 0) {
    return labelled("Stays", `all that it wrote as this node holds it (${count(kept, "entry")})`);
  }
  const since =
    firstCutAtMs === null ? "" : `, the first of ${formatTime(firstCutAtMs)} by its clock`;
  return [
    ...labelled("Stays", count(kept, "entry")),
    ...labelled("Is cut", `${count(cut, "entry")}${since}`),
    ...(records.length === 0 ? labelled("Records", "none that is shown now changes") : []),
    ...recordWords("Vanish", records, "vanishes"),
    ...recordWords("Return", records, "returns"),
  ];
}

function recordWords(
  label: string,
  records: CutEffect["records"],
  effect: CutEffect["records"][number]["effect"],
): string[] {
  const names = records
    .filter((each) => each.effect === effect)
    .map((each) => `${each.class} ${each.key}`);
  if (names.length === 0) return [];
  const more = names.length - NAMED_RECORDS;
  const shown = names.slice(0, NAMED_RECORDS).join(", ");
  const amount = names.length === 1 ? "1 record" : `${names.length} records`;
  const how = effect === "vanishes" ? "" : " to what was there before";
  return labelled(label, `${amount}${how}: ${shown}${more > 0 ? ` and ${more} more` : ""}`);
}

export interface Outcome {
  readonly state: "counts" | "open" | "contested" | "outvoted" | "invalid";
  readonly votes: readonly string[];
  readonly needed: number;
  /** Who may still sign. */
  readonly missing: readonly string[];
  readonly reason: string;
}

/** Where an epoch stands in a mesh; undefined when the mesh does not know it. */
export function outcomeOf(mesh: MeshKnowledge, id: string): Outcome | undefined {
  const { epoch, proposals } = mesh.authority;
  const proposal = proposals.find((each) => each.id === id);
  if (proposal !== undefined) return proposalOutcome(mesh, proposal);
  if (!(epoch.ids as readonly string[]).includes(id)) return undefined;
  return { state: "counts", votes: [], needed: 0, missing: [], reason: "" };
}

function proposalOutcome(mesh: MeshKnowledge, proposal: Proposal): Outcome {
  const { status, votes, needed, reason } = proposal;
  const voted = new Set<SignerId>(votes);
  const missing = [...votersOf(mesh).keys()].filter((key) => !voted.has(key));
  return {
    state: status,
    votes: votes.map((key) => mesh.nameOf(key)),
    needed,
    missing: missing.map((key) => mesh.nameOf(key)),
    reason,
  };
}

/** Who has to sign yet, and with which commands. */
export function waitingWords(id: string, { votes, needed, missing }: Outcome): string {
  const short = id.slice(0, 8);
  const left = Math.max(0, needed - votes.length);
  const who = missing.length === left ? missing.join(", ") : `${left} of ${missing.join(", ")}`;
  return [
    `It has ${votes.length} of ${needed} signatures (${votes.join(", ")}).`,
    `Still to sign: ${who}. On any site:`,
    `  pleach sign ${short} --operator-key FILE`,
    "By e-mail or on a stick, without a daemon where it is signed:",
    `  pleach sign ${short} --out proposal.txt`,
    "  pleach sign proposal.txt --operator-key FILE --out signed.txt",
    "  pleach sign --add signed.txt",
  ].join("\n");
}

export function labelled(label: string, text: string): string[] {
  return wrap(text, WIDTH - LABEL - 2).map(
    (line, index) => `  ${(index === 0 ? label : "").padEnd(LABEL)}${line}`,
  );
}

export function count(amount: number, thing: "entry" | "log"): string {
  if (amount === 1) return `1 ${thing}`;
  return `${amount} ${thing === "entry" ? "entries" : "logs"}`;
}
