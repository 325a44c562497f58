/** What is kept for other sites, and where a person of this site has to decide something. */
import type { Finding, Todo } from "./status-finding.ts";
import { plural } from "./status-finding.ts";

export interface KeptFacts {
  /** Of the data set. */
  readonly set: string;
  /** It has shrunk by so much of its size: nothing of it goes until somebody agrees. */
  readonly shrunkRatio: number | undefined;
  /** The owner's key wants a lock of so many days instead of so many. */
  readonly shorterLock: { readonly fromDays: number; readonly toDays: number } | undefined;
  /** It could not be looked at. */
  readonly trouble: string | undefined;
}

export function keptArea(kept: readonly KeptFacts[]): Finding {
  const name = "Kept for others";
  if (kept.length === 0) return { area: { name, state: "NONE", text: "nothing" }, todo: [] };
  const todo = kept.flatMap(todoOf);
  const text = `${plural(kept.length, "data set")}${todo.length > 0 ? ", see below" : ""}`;
  return { area: { name, state: todo.length > 0 ? "WARNING" : "OK", text }, todo };
}

function todoOf({ set, shrunkRatio, shorterLock, trouble }: KeptFacts): Todo[] {
  const short = set.slice(0, 8);
  const todo: Todo[] = [];
  if (shrunkRatio !== undefined) {
    const percent = Math.round(shrunkRatio * 100);
    todo.push({
      text: `The data set ${short} of another site has shrunk by ${percent} %: nothing of it goes until somebody here agrees. Ask its owner first.`,
      command: `pleach backup agree ${short}`,
    });
  }
  if (shorterLock !== undefined) {
    const { fromDays, toDays } = shorterLock;
    todo.push({
      text: `The owner of the data set ${short} wants it kept for ${toDays} days instead of ${fromDays}. If that is not so, object.`,
      command: `pleach backup object ${short}`,
    });
  }
  if (trouble !== undefined) {
    const text = `The data set ${short}, kept for another site, cannot be looked at: ${trouble}.`;
    todo.push({ text, command: "journalctl -u pleach" });
  }
  return todo;
}
