/** What of an entry's metadata is restored, and what is left out because it gives rights. */
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import type { FileMeta, Problem } from "./file-writer.ts";

const SET_ID_BITS = 0o6000;
/** What a program may do, like the set-id bits: see capabilities(7). */
const CAPABILITIES = Buffer.from("security.capability");

export interface Rights {
  /** Set-id bits and capabilities of files are wanted: the backup is trusted. */
  readonly privileged: boolean;
  /** Owners can be set. */
  readonly asRoot: boolean;
}

/** @returns with what was left out, in words. */
export function metaFor(
  { kind, mode, uid, gid, mtime, xattrs }: TreeEntry,
  { privileged, asRoot }: Rights,
): { readonly meta: FileMeta; readonly problems: readonly Problem[] } {
  const owner = asRoot ? { uid, gid } : undefined;
  if (kind !== "file" || privileged) return { meta: { owner, mode, mtime, xattrs }, problems: [] };
  const problems: Problem[] = [];
  if ((mode & SET_ID_BITS) !== 0) {
    problems.push("set-id bit left out (--privileged as root keeps it)");
  }
  const harmless = xattrs.filter(([key]) => !CAPABILITIES.equals(key));
  if (harmless.length < xattrs.length) {
    problems.push("capabilities left out (--privileged as root keeps them)");
  }
  return { meta: { owner, mode: mode & ~SET_ID_BITS, mtime, xattrs: harmless }, problems };
}
