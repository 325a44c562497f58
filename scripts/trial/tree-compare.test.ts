import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  openSync,
  writeSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  lutimesSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dataRanges } from "../../daemon/backup/client/system-calls.ts";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { compareTrees, type FileProbe } from "./tree-compare.ts";

const MIB = 1024 * 1024;
const none: FileProbe = { xattrs: () => new Map(), dataRanges: () => "" };

describe("compareTrees", () => {
  let folder = "";
  let a = "";
  let b = "";
  const at = new Date(1_700_000_000_000);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "pleach-compare-"));
    a = join(folder, "a");
    b = join(folder, "b");
    for (const side of [a, b]) {
      mkdirSync(join(side, "sub"), { recursive: true });
      writeFileSync(join(side, "one"), "one");
      linkSync(join(side, "one"), join(side, "sub/same"));
      writeFileSync(join(side, "two"), "two");
      symlinkSync("one", join(side, "link"));
      for (const path of ["one", "two", "link", "sub", "."]) lutimesSync(join(side, path), at, at);
    }
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const differences = async (): Promise<string> => {
    const verdict = await compareTrees(a, b, none);
    assert.deepEqual([verdict.files, verdict.bytes], [3, 9]);
    return verdict.differences.join("\n");
  };

  const cases: readonly (readonly [string, RegExp, () => void])[] = [
    ["a missing file", /two: is missing/, () => rmSync(join(b, "two"))],
    ["a new file", /three: is new/, () => writeFileSync(join(b, "three"), "")],
    ["other bytes", /two: other bytes/, () => writeFileSync(join(b, "two"), "tow")],
    ["another size", /two: 3 bytes, now 2/, () => truncateSync(join(b, "two"), 2)],
    ["another mode", /two: mode 100644, now 100600/, () => chmodSync(join(b, "two"), 0o600)],
    ["another time", /two: mtime/, () => utimesSync(join(b, "two"), at, new Date(1))],
    [
      "a link that leads elsewhere",
      /link: the link leads elsewhere/,
      () => {
        rmSync(join(b, "link"));
        symlinkSync("two", join(b, "link"));
      },
    ],
    [
      "a hard link that was cut",
      /sub\/same: linked with one, now with sub\/same/,
      () => {
        rmSync(join(b, "sub/same"));
        cpSync(join(b, "one"), join(b, "sub/same"));
      },
    ],
  ];
  for (const [name, expected, change] of cases) {
    it(`sees ${name}`, async () => {
      change();
      assert.match(await differences(), expected);
    });
  }

  it("sees an xattr that is gone", async () => {
    const verdict = await compareTrees(a, b, {
      ...none,
      xattrs: (path) =>
        path.toString() === join(a, "two") ? new Map([["user.x", Uint8Array.of(1)]]) : new Map(),
    });
    assert.deepEqual(verdict.differences, ["two: xattr user.x is missing"]);
  });

  it("sees a hole that was filled, and one that lies elsewhere", async () => {
    for (const [side, holeFirst] of [
      [a, true],
      [b, false],
    ] as const) {
      const file = openSync(join(side, "two"), "w");
      ftruncateSync(file, 2 * MIB);
      writeSync(file, Buffer.alloc(MIB), 0, MIB, holeFirst ? MIB : 0);
      closeSync(file);
      utimesSync(join(side, "two"), at, at);
    }
    const probe = {
      ...none,
      dataRanges: (fd: number, size: number) => JSON.stringify(dataRanges(fd, size)),
    };
    assert.deepEqual((await compareTrees(a, b, probe)).differences, ["two: other holes"]);
    writeFileSync(join(b, "two"), Buffer.alloc(2 * MIB));
    utimesSync(join(b, "two"), at, at);
    assert.match((await compareTrees(a, b, probe)).differences.join(), /2048 blocks, now 4096/);
  });

  it("finds a true copy identical", async () => {
    assert.equal(await differences(), "");
  });
});
