/**
 * The verdict on who belongs to the mesh and who decides, and on what members have signed.
 *
 * A member that misbehaves can damage nothing but what is its own; people have to hear of it all the
 * same, and of what waits for them.
 */
import { plural, type AreaState, type Finding, type Todo } from "./status-finding.ts";

export interface MemberFacts {
  /** What this site is itself. */
  readonly self: "member" | "revoked" | "replaced" | "left";
  readonly sites: number;
  readonly operators: number;
  readonly threshold: number;
  readonly epoch: number;
  /** Beginnings of the ids of epochs that contest one number; empty when none do. */
  readonly contested: readonly string[];
  readonly proposals: readonly {
    /** 8 digits. */
    readonly id: string;
    readonly epoch: number;
    readonly votes: number;
    readonly needed: number;
    /** Operators who have not signed. */
    readonly missing: readonly string[];
  }[];
  readonly suspended: readonly {
    readonly name: string;
    readonly kind: "site" | "operator";
    readonly by: string;
    /** Entries or statements that are held up. */
    readonly parked: number;
  }[];
  /** Operators and owners with two statements at one place of their chain. */
  readonly forkedSigners: readonly string[];
  /** The version of the rules, when this node does not know it. */
  readonly unknownRules: number | undefined;
  readonly unknownFeatures: readonly string[];
}

export interface StateFacts {
  /** Sites of which two boxes, or a box and an older image of it, have written side by side. */
  readonly doubled: readonly string[];
  /** Sites that have signed two entries for one place of a log. */
  readonly forked: readonly string[];
  /** Sites that have used up the room that one author has here. */
  readonly overQuota: readonly string[];
  /** Entries that could not be applied. */
  readonly quarantined: number;
  /** Records of which several versions stand. */
  readonly conflicts: number;
}

export function membersArea(facts: MemberFacts): Finding {
  const name = "Members";
  const { self, operators, threshold, sites, epoch } = facts;
  const todo = [...ownEnd(self), ...unknownRules(facts), ...decisions(facts)];
  const critical = (self !== "member" && self !== "left") || facts.unknownRules !== undefined;
  const state: AreaState = critical ? "CRITICAL" : todo.length > 0 ? "WARNING" : "OK";
  const busFactor = operators - threshold < 1 ? ", bus factor 1" : "";
  const text =
    `${plural(sites, "site")}; epoch ${epoch}, ${threshold} of ${plural(operators, "operator")} ` +
    `decide${threshold === 1 ? "s" : ""}${busFactor}`;
  return { area: { name, state, text }, todo };
}

function ownEnd(self: MemberFacts["self"]): Todo[] {
  const command = "pleach operators";
  switch (self) {
    case "member":
      return [];
    case "revoked":
      return [
        {
          text:
            "This site was revoked: no other takes what it writes. Ask the operators; to come back " +
            "takes a new key, in a data directory of its own.",
          command,
        },
      ];
    case "replaced":
      return [{ text: "Another box took the place of this site. Stop this one.", command }];
    case "left":
      return [
        {
          text: "This site has left the mesh. Its daemon can be stopped.",
          command: "pleach peers",
        },
      ];
  }
}

function unknownRules({ unknownRules: rules, unknownFeatures }: MemberFacts): Todo[] {
  const command = "scripts/install";
  const todo: Todo[] = [];
  if (rules !== undefined) {
    const text =
      `The mesh follows version ${rules} of the rules, which this version does not know: it keeps ` +
      "and passes on, and signs nothing. Upgrade it.";
    todo.push({ text, command });
  }
  if (unknownFeatures.length > 0) {
    const text = `The mesh uses what this version does not know: ${unknownFeatures.join(", ")}.`;
    todo.push({ text, command });
  }
  return todo;
}

function decisions({ contested, proposals, suspended, forkedSigners }: MemberFacts): Todo[] {
  const todo: Todo[] = [];
  if (contested.length > 0) {
    todo.push({
      text:
        `Epochs ${contested.join(" and ")} contest each other: only what both allow counts until ` +
        "operators settle it.",
      command: "pleach operators settle --operator-key FILE",
    });
  }
  for (const { id, epoch, votes, needed, missing } of proposals) {
    todo.push({
      text:
        `A proposal for epoch ${epoch} has ${votes} of ${needed} signatures; not yet ` +
        `${missing.join(", ") || "anybody"}.`,
      command: `pleach sign ${id} --operator-key FILE`,
    });
  }
  for (const { name, kind, by, parked } of suspended) {
    const held = parked === 0 ? "nothing is held up so far" : `${parked} held up`;
    todo.push({
      text: `The ${kind} ${name} is suspended by ${by}: ${held}. Unsuspend or revoke it.`,
      command: `pleach unsuspend ${name} --${kind} --operator-key FILE`,
    });
  }
  for (const name of forkedSigners) {
    const text =
      `${name} has signed two statements for one place: a key in two places, or one put back from ` +
      "an old copy. Both count. Look at them, and make a new key.";
    todo.push({ text, command: "pleach operators" });
  }
  return todo;
}

export function stateArea(facts: StateFacts): Finding {
  const name = "State";
  const { doubled, forked, overQuota, quarantined, conflicts } = facts;
  const todo: Todo[] = [];
  for (const site of doubled) {
    todo.push({
      text:
        `Two boxes run with the identity of ${site}, or it was put back to an older image. If there ` +
        "are two, stop the copy; if it was stolen, revoke the site.",
      command: `pleach revoke ${site} --site --dry-run`,
    });
  }
  for (const site of forked) {
    const text = `${site} has signed two entries for one place: what comes after counts nowhere.`;
    todo.push({ text, command: `pleach suspend ${site} --site --operator-key FILE` });
  }
  for (const site of overQuota) {
    const text = `${site} has used up the room of one author: nothing more of it is taken in here.`;
    todo.push({ text, command: `pleach suspend ${site} --site --operator-key FILE` });
  }
  if (quarantined > 0) {
    const text = `${quarantined === 1 ? "1 entry" : `${quarantined} entries`} could not be applied.`;
    todo.push({ text, command: "journalctl -u pleach -p warning" });
  }
  if (conflicts > 0) {
    const were = conflicts === 1 ? "was" : "were";
    const text = `${plural(conflicts, "record")} ${were} changed at two sites at once.`;
    todo.push({ text, command: "pleach conflicts" });
  }
  const troubles = doubled.length + forked.length + overQuota.length;
  const parts = [
    ...(troubles > 0 ? [`${plural(troubles, "site")} in trouble`] : []),
    ...(quarantined > 0 ? [`${quarantined} in quarantine`] : []),
    ...(conflicts > 0 ? [plural(conflicts, "conflict")] : []),
  ];
  const text = parts.length === 0 ? "no forks, no conflicts" : parts.join(", ");
  return { area: { name, state: todo.length > 0 ? "WARNING" : "OK", text }, todo };
}
