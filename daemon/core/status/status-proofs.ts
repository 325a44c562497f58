/** The verdict on what holders of this site's and of others' data have proven, and on repairs. */
import type { AuditFinding } from "../../../protocol/logs/hold-record.ts";
import { plural, type Finding } from "./status-finding.ts";

export interface ProofFacts {
  /** What this site found about each holder of each set that it writes or holds. */
  readonly findings: readonly {
    readonly site: string;
    readonly finding: Pick<AuditFinding, "outcome" | "lostShards" | "silent">;
  }[];
  /** Copies that are being made anew anywhere in the mesh. */
  readonly repairs: readonly {
    /** Who takes it in. */
    readonly site: string;
    readonly bytes: number;
    readonly doneBytes: number;
    /** Null while it is not known. */
    readonly endsInMs: number | null;
    readonly refused: boolean;
  }[];
  /** Shards that this site's own reading found damaged or missing in its last pass. */
  readonly ownLosses: number;
}

export function proofArea({ findings, repairs, ownLosses }: ProofFacts): Finding {
  const name = "Proofs";
  const parts: string[] = [];
  const of = (outcome: AuditFinding["outcome"]): string[] => [
    ...new Set(
      findings.filter(({ finding }) => finding.outcome === outcome).map(({ site }) => site),
    ),
  ];
  const proven = findings.filter(({ finding }) => finding.outcome === "proven").length;
  if (findings.length > 0) parts.push(`${proven} of ${findings.length} copies proven`);
  const [failed, refused, offline] = [of("failed"), of("refused"), of("offline")];
  if (failed.length > 0) parts.push(`failed: ${failed.join(", ")}`);
  if (refused.length > 0) parts.push(`no answer: ${refused.join(", ")}`);
  if (offline.length > 0) parts.push(`away: ${offline.join(", ")}`);
  if (ownLosses > 0) parts.push(`${plural(ownLosses, "own shard")} found damaged or missing`);
  for (const repair of repairs) parts.push(repairText(repair));
  if (parts.length === 0) {
    return { area: { name, state: "NONE", text: "nothing asked yet" }, todo: [] };
  }
  const isBad = failed.length > 0 || ownLosses > 0;
  return {
    area: { name, state: isBad ? "WARNING" : "OK", text: parts.join("; ") },
    todo: isBad
      ? [{ text: "Look after the disk of the sites that failed.", command: "pleach peers" }]
      : [],
  };
}

function repairText({ site, bytes, doneBytes, endsInMs, refused }: ProofFacts["repairs"][number]) {
  if (refused) return `no room at ${site} for a copy that is missing`;
  const percent = Math.floor((100 * doneBytes) / Math.max(1, bytes));
  const ends = endsInMs === null ? "" : `, ends in about ${waitText(endsInMs)}`;
  return `a copy is made at ${site}: ${percent} %${ends}`;
}

function waitText(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.ceil(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.ceil(hours / 24)} days`;
}
