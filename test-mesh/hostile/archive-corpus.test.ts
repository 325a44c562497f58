import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { FrameCodec } from "../../daemon/backup/client/seal/frame-codec.ts";
import { FRAME_BYTES } from "../../daemon/backup/client/seal/shard-packer.ts";
import { restoreAgainstSwapper, restoreCorpus } from "./archive-corpus.ts";

const NOBODY = 65534;
let folder = "";

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleach-corpus-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the corpus of hostile snapshots", () => {
  it("stays in the target", async () => {
    assert.ok((await restoreCorpus(folder)) > 30);
  });

  it("stays in the target for somebody who is not root", (context) => {
    if (process.geteuid?.() !== 0) return context.skip("is not root anyway");
    const program = new URL("./archive-corpus.ts", import.meta.url).pathname;
    const seen = spawnSync("/usr/bin/test", ["-r", program], { uid: NOBODY, gid: NOBODY });
    if (seen.status !== 0) return context.skip("nobody else may read this repository");
    const own = join(folder, "own");
    mkdirSync(own);
    chownSync(folder, NOBODY, NOBODY);
    chownSync(own, NOBODY, NOBODY);
    const flags = ["--disable-warning=ExperimentalWarning"];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, program, own], {
      uid: NOBODY,
      gid: NOBODY,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 0, stderr);
    assert.ok(Number(stdout) > 30);
  });

  it("fills no more memory than a frame declares", () => {
    const bomb = zstdCompressSync(new Uint8Array(256 * 1024 * 1024));
    assert.ok(bomb.length < 64 * 1024);
    const codec = new FrameCodec(FRAME_BYTES);
    const before = process.memoryUsage().rss;
    assert.equal(codec.unpack("zstd", bomb, FRAME_BYTES), undefined);
    assert.ok(process.memoryUsage().rss - before < 16 * 1024 * 1024);
  });

  it("stays in the target while somebody turns directories into links", async () => {
    await restoreAgainstSwapper(folder);
  });
});
