/** Makes what is neither a file nor a directory: links, fifos, sockets, devices. */
import { chmodSync, constants, lchownSync, symlinkSync } from "node:fs";
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import { attempt, setXattrs, type FileMeta, type Problem } from "../restore/file-writer.ts";
import { makeNode, setModified } from "../system-calls.ts";

const UNFINISHED_MODE = 0o600;
const TYPE_OF_KIND = {
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
  char: constants.S_IFCHR,
  block: constants.S_IFBLK,
} as const;

/**
 * @param path - In a directory that we made and that is closed to others: what is made here is
 *   what is changed here.
 * @param devices - Whether device nodes are made.
 * @throws the error of `node:fs` or SystemError when it cannot be made at all.
 */
export function makeSpecial(
  path: Buffer,
  entry: Exclude<TreeEntry, { kind: "file" | "directory" }>,
  { owner, xattrs, mtime }: FileMeta,
  devices: boolean,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (entry.kind === "symlink") {
    symlinkSync(Buffer.from(entry.target), path);
  } else {
    const isDevice = entry.kind === "char" || entry.kind === "block";
    if (isDevice && !devices) return ["device node left out (--privileged as root makes it)"];
    const { major, minor } = isDevice ? entry : { major: 0, minor: 0 };
    makeNode(path, TYPE_OF_KIND[entry.kind] | UNFINISHED_MODE, major, minor);
  }
  if (owner !== undefined) attempt(problems, "owner", () => lchownSync(path, owner.uid, owner.gid));
  setXattrs(problems, path, xattrs);
  if (entry.kind !== "symlink") attempt(problems, "mode", () => chmodSync(path, entry.mode));
  attempt(problems, "time", () => setModified(path, mtime));
  return problems;
}
