/** What the keeper reads in the view about groups that are kept here, and writes for their owners. */
import { groupFacts } from "../../../core/backup/group-facts.ts";
import { mayLetGo } from "../../../core/backup/release.ts";
import { askKey } from "../../../../protocol/logs/hold-record.ts";
import { sameJson } from "../../../../protocol/encoding/json-value.ts";
import type { KeptWords } from "../../keep/ports.ts";
import type { Transport } from "../../../core/transport.ts";
import type { BackupState } from "../ports.ts";

/** @param letGo - Says that a group is held no longer. */
export function keptWords(
  state: BackupState,
  { self }: Pick<Transport, "self">,
  letGo: KeptWords["letGo"],
): KeptWords {
  return {
    mayLetGo: ({ owner, set, group, by, generation }) => {
      const { sites } = state.authority();
      const members = new Set(sites.keys());
      const facts = groupFacts(state.view(), members, { owner, set, group, by });
      if (facts === undefined) return false;
      return mayLetGo(facts, self, generation, (site) => sites.get(site)?.operator);
    },
    letGo,
    tellAsked: async ({ owner, set }, asked) => {
      if (state.meshId === undefined || !state.authority().sites.has(self)) return;
      const key = askKey(owner, set);
      const shown = state.view().get("hold", key, self)?.value;
      if (
        asked === null ? shown === undefined : shown !== undefined && sameJson(shown, words(asked))
      )
        return;
      await state.write([{ class: "hold", key, value: asked === null ? undefined : words(asked) }]);
    },
  };
}

function words({ fromBytes, toBytes }: { readonly fromBytes: number; readonly toBytes: number }) {
  return { fromBytes, toBytes };
}
