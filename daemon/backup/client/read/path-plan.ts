/**
 * The paths of a data set as one tree below `/`: the directories that lead to a path are in the
 * backup, what lies beside it is not.
 */
import { BackupError } from "../error.ts";

/** A directory on the way (`below` has the next steps), or a path itself (`below` undefined). */
export interface PathPlan {
  readonly name: Buffer;
  readonly below: readonly PathPlan[] | undefined;
}

const SLASH = 0x2f;

/**
 * @param paths - Absolute; one that lies within another adds nothing.
 * @returns The plan of `/` itself.
 * @throws BackupError E-BACKUP-PATH when a path is not absolute or has a `..` in it.
 */
export function planPaths(paths: readonly Uint8Array[]): PathPlan {
  return plan(Buffer.alloc(0), paths.map(steps));
}

function plan(name: Buffer, routes: readonly (readonly Buffer[])[]): PathPlan {
  if (routes.some((route) => route.length === 0)) return { name, below: undefined };
  const groups = new Map<string, (readonly Buffer[])[]>();
  for (const [first, ...rest] of routes) {
    if (first === undefined) continue;
    const key = first.toString("latin1");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [rest]);
    else group.push(rest);
  }
  const below = [...groups]
    .map(([key, group]) => plan(Buffer.from(key, "latin1"), group))
    .toSorted((a, b) => Buffer.compare(a.name, b.name));
  return { name, below };
}

function steps(path: Uint8Array): readonly Buffer[] {
  const found: Buffer[] = [];
  if (path[0] !== SLASH) throw notUsable(path, "is not absolute");
  for (let start = 0; start < path.length;) {
    let end = path.indexOf(SLASH, start);
    if (end === -1) end = path.length;
    const step = Buffer.from(path.subarray(start, end));
    if (step.equals(Buffer.from(".."))) throw notUsable(path, 'has ".." in it');
    if (step.length > 0 && !step.equals(Buffer.from("."))) found.push(step);
    start = end + 1;
  }
  return found;
}

function notUsable(path: Uint8Array, why: string): BackupError {
  const text = Buffer.from(path).toString();
  return new BackupError("E-BACKUP-PATH", `The path "${text}" ${why}.`, {
    hint: "Give paths such as /srv/data.",
    exit: 2,
  });
}
