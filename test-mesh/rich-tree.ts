/** A directory with one of everything that a backup has to bring back. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setModified, writeXattr } from "../daemon/backup/client/system-calls.ts";

const MIB = 1024 * 1024;
const SPARSE_BYTES = 24 * MIB;

/** Words that stand in the tree and must stand nowhere else. */
export const CANARIES = {
  content: "the canary sings only for those who hold the key",
  fileName: "canary-name-of-a-secret-file",
  linkTarget: "canary-target-of-a-link",
  xattr: "canary-value-of-an-attribute",
} as const;

export interface RichTree {
  /** Regular files, hard links counted for each name. */
  readonly files: number;
}

/** Makes it below `root`, which does not exist yet. */
export function makeRichTree(root: string): RichTree {
  const at = (...steps: string[]): string => join(root, ...steps);
  let files = 0;
  const file = (path: string | Buffer, content: string | Uint8Array, mode = 0o644): void => {
    writeFileSync(path, content, { mode });
    chmodSync(path, mode);
    files += 1;
  };
  for (const folder of [
    "",
    "empty",
    "deep",
    "deep/er",
    "deep/er/still",
    "closed",
    "bits",
    "many",
  ]) {
    mkdirSync(at(folder));
  }
  file(at("nothing"), "");
  file(at("words"), CANARIES.content);
  file(at(CANARIES.fileName), "a name can be a secret, too");
  file(at("unreadable"), "nobody may read this", 0o000);
  file(at("program"), "#!/bin/sh\n", 0o755);
  file(at("small-noise"), randomBytes(255 * 1024));
  file(at("border"), randomBytes(256 * 1024));
  file(at("large"), Buffer.concat([randomBytes(9 * MIB), Buffer.alloc(3 * MIB, "x")]));
  file(at("deep/er/still/here"), "at the end of the way");
  for (let number = 0; number < 300; number++) file(at("many", `f${number}`), `${number}\n`);
  file(
    Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x6e, 0xff, 0xfe, 0x80])]),
    "not UTF-8",
  );
  file(at("a\nnew line and \u001b[31m colour"), "awkward");
  file(at("n".repeat(255)), "a long name");
  makeSparse(at("sparse"), [
    [5 * MIB, 300_000],
    [20 * MIB, 10],
  ]);
  makeSparse(at("hole"), []);
  files += 2;
  file(at("linked"), "three names");
  linkSync(at("linked"), at("deep", "linked-too"));
  linkSync(at("linked"), at("many", "linked-as-well"));
  files += 2;
  symlinkSync(CANARIES.linkTarget, at("dangling"));
  symlinkSync("../deep", at("empty-link"));
  spawnSync("mkfifo", [at("pipe")]);
  writeXattr(Buffer.from(at("words")), [Buffer.from("user.note"), Buffer.from(CANARIES.xattr)]);
  writeXattr(Buffer.from(at("deep")), [Buffer.from("user.bytes"), Uint8Array.of(0, 255, 1)]);
  // An ACL as the kernel keeps it: user 1000 may read and write. See acl(5) and xattr(7).
  const acl = Buffer.from(
    "0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000400ffffffff",
    "hex",
  );
  writeXattr(Buffer.from(at("program")), [Buffer.from("system.posix_acl_access"), acl]);
  if (process.getuid?.() === 0) {
    lchownSync(at("words"), 12_345, 54_321);
    lchownSync(at("deep"), 1001, 1002);
    lchownSync(at("dangling"), 1003, 1004);
  }
  setModified(Buffer.from(at("words")), { seconds: 1_234_567_890, nanos: 123_456_789 });
  setModified(Buffer.from(at("border")), { seconds: -1_000_000, nanos: 7 });
  setModified(Buffer.from(at("dangling")), { seconds: 1_000_000_000, nanos: 999_999_999 });
  utimesSync(at("empty"), 1, 1);
  chmodSync(at("bits"), 0o3775);
  chmodSync(at("closed"), 0o500);
  setModified(Buffer.from(at("deep")), { seconds: 1_111_111_111, nanos: 111_111_111 });
  return { files };
}

function makeSparse(path: string, ranges: readonly (readonly [offset: number, size: number])[]) {
  const fd = openSync(path, "w");
  for (const [offset, size] of ranges) writeSync(fd, randomBytes(size), 0, size, offset);
  ftruncateSync(fd, SPARSE_BYTES);
  closeSync(fd);
}
