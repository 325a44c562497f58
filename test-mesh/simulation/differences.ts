/** Says in which statements, logs and records the states of several nodes differ. */
import type { State } from "../../daemon/state/state.ts";

/** The most lines of an answer: the first differences tell, the others follow from them. */
const MAX_LINES = 6;

export function differences(nodes: readonly { name: string; state: State }[]): string {
  const rows = new Map<string, Map<string, string>>();
  for (const { name, state } of nodes) {
    const note = (what: string, value: string): void => {
      const row = rows.get(what) ?? new Map<string, string>();
      row.set(name, value);
      rows.set(what, row);
    };
    for (const { id, body } of state.statements())
      note(`statement ${body.kind} ${id.slice(0, 16)}`, "held");
    for (const { class: recordClass, log, author, seq, head } of state.logHeads()) {
      note(`log ${recordClass} of ${author.slice(0, 8)} ${log}`, `${seq} ${head.slice(0, 8)}`);
    }
    for (const recordClass of ["site", "zone", "note"] as const) {
      for (const { key, author, versionId, conflicts } of state.view().entries(recordClass)) {
        const others = conflicts.map((each) => each.versionId.slice(0, 8)).join(" ");
        note(
          `record ${recordClass} of ${author.slice(0, 8)} ${key}`,
          `${versionId.slice(0, 8)} ${others}`,
        );
      }
    }
  }
  const differing = [...rows].filter(([, row]) => {
    return row.size < nodes.length || new Set(row.values()).size > 1;
  });
  const lines = differing.slice(0, MAX_LINES).map(([what, row]) => {
    return `  ${what}: ${nodes.map(({ name }) => `${name} ${row.get(name) ?? "-"}`).join(", ")}`;
  });
  return [`${differing.length} differences`, ...lines].join("\n");
}
