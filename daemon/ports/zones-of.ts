/** What DNS reads of the state. */
import type { ZoneSource } from "../dns/zone-source.ts";
import type { State } from "../state/state.ts";

/** Zones are made of these; the records of backups change far more often. */
const CLASSES = ["zone", "site", "policy", "note"] as const;

export function zonesOf(state: State): ZoneSource {
  return {
    siteId: state.siteId,
    view: () => state.view(),
    authority: () => state.authority(),
    logHeads: () => state.logHeads(),
    statements: () => state.statements(),
    onChange: (listener) =>
      state.subscribe((event) => {
        if (event.kind === "statements" || CLASSES.some((name) => event.classes.has(name))) {
          listener();
        }
      }),
  };
}
