/** Who decides, how, and what waits for a decision: the words of `pleach operators`. */
import { outcomeOf, type Outcome } from "./epoch-text.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";
import { table } from "../shell/output.ts";

/** A proposal that people can still do something about. */
interface OpenProposal extends Outcome {
  readonly id: string;
  readonly epoch: number;
}

export function openProposals(mesh: MeshKnowledge): readonly OpenProposal[] {
  return mesh.authority.proposals.flatMap(({ id, body }) => {
    const outcome = outcomeOf(mesh, id);
    if (outcome?.state !== "open" && outcome?.state !== "contested") return [];
    return { id, epoch: body.n, ...outcome };
  });
}

export function operatorsFields(mesh: MeshKnowledge): Readonly<Record<string, unknown>> {
  const { epoch, operators, threshold, recovery, suspensions, rules, features } = mesh.authority;
  return {
    epoch: { n: epoch.n, ids: epoch.ids, contested: epoch.contested },
    threshold,
    recovery: { keys: recovery.keys, threshold: recovery.threshold },
    rules,
    features: [...features],
    operators: [...operators].map(([key, { name }]) => ({
      key,
      name,
      suspended: mesh.authority.isSuspended(key),
    })),
    suspended: suspensions.map(({ id, key, by }) => ({
      id,
      key,
      name: mesh.nameOf(key),
      by: mesh.nameOf(by),
    })),
    proposals: openProposals(mesh),
    busFactor: Math.max(0, operators.size - threshold + 1),
  };
}

export function operatorsText(mesh: MeshKnowledge): string {
  const { epoch, operators, threshold, recovery, suspensions } = mesh.authority;
  const rows = [...operators].map(([key, { name }]) => [
    name,
    `${key.slice(0, 16)}...`,
    mesh.authority.isSuspended(key) ? "suspended" : "",
  ]);
  const lines = [table([["NAME", "KEY", ""], ...rows]), ""];
  lines.push(`Epoch ${epoch.n}: ${threshold} of ${operators.size} have to sign what changes it.`);
  if (recovery.threshold > 0) {
    const keys = recovery.keys.length === 1 ? "key" : "keys";
    lines.push(
      `When they cannot: ${recovery.threshold} of ${recovery.keys.length} recovery ${keys}.`,
    );
  }
  if (epoch.contested) {
    const ids = epoch.ids.map((id) => id.slice(0, 8)).join(", ");
    lines.push("", `CONTESTED: ${ids}. Only what all of them allow counts.`);
    lines.push("  Settle it:  pleach operators settle --operator-key FILE");
  }
  for (const { key, by } of suspensions) {
    lines.push(`Suspended: ${mesh.nameOf(key)}, by ${mesh.nameOf(by)}.`);
  }
  for (const { id, epoch: n, votes, needed, missing, state } of openProposals(mesh)) {
    if (state !== "open") continue;
    const short = id.slice(0, 8);
    lines.push(
      "",
      `Waits: proposal ${short} for epoch ${n}, ${votes.length} of ${needed} signatures.`,
    );
    lines.push(`  Signed ${votes.join(", ") || "by nobody"}; not yet ${missing.join(", ")}.`);
    lines.push(`  Look and sign:  pleach sign ${short} --operator-key FILE`);
  }
  if (operators.size - threshold < 1) lines.push("", busFactor(operators.size, threshold));
  return lines.join("\n");
}

function busFactor(operators: number, threshold: number): string {
  const who = operators === 1 ? "one operator" : `${operators} operators who all have to sign`;
  return (
    `Bus factor 1: with ${who}, one lost key and nobody but the\n` +
    `recovery key can decide (threshold ${threshold}). One more:  pleach operators new`
  );
}
