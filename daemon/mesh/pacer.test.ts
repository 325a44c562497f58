import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import type { BulkFlow } from "../core/transport.ts";
import type { Urgency } from "../core/backup/uplink-rule.ts";
import { MeshError } from "./error.ts";
import { Pacer } from "./pacer.ts";

const PIECE_BYTES = 16 * 1024;

function stage(rate: number | undefined) {
  const time = new FakeTime();
  const line = { rate, open: new Set<Urgency>(["restore", "proof", "repair", "spread"]) };
  const pacer = new Pacer({
    clock: time.clock(),
    rate: () => line.rate,
    isOpen: ({ urgency }) => line.open.has(urgency),
  });
  const passed = new Map<string, number>();
  const failed = new Map<string, unknown>();
  let running = true;
  /** Something that always has more to send. */
  const flow = (name: string, urgency: Urgency = "spread", pieceBytes = PIECE_BYTES): void => {
    const [owner = "", set = ""] = name.split("/");
    const of: BulkFlow = { urgency, owner, set };
    void (async () => {
      while (running) {
        await pacer.pass(of, pieceBytes);
        passed.set(name, (passed.get(name) ?? 0) + pieceBytes);
        if (line.rate === undefined) await new Promise((resolve) => setImmediate(resolve));
      }
    })().catch((error: unknown) => failed.set(name, error));
  };
  const total = (): number => [...passed.values()].reduce((sum, bytes) => sum + bytes, 0);
  const end = async (): Promise<void> => {
    running = false;
    await time.advance(5000);
  };
  return { time, line, pacer, passed, failed, flow, total, end };
}

test("the rate is kept, whatever the sizes, with what lower layers add", async () => {
  const { time, flow, total, end } = stage(125_000);
  flow("a/1");
  flow("b/1", "spread", 320 * 1024);
  flow("c/1", "spread", 1000);
  await time.advance(60_000);
  const rate = (total() * 1.05) / 60;
  assert.ok(rate > 125_000 * 0.97 && rate < 125_000 * 1.03, `${rate} B/s`);
  await end();
});

test("three data sets of one owner get together what another owner gets", async () => {
  const { time, flow, passed, end } = stage(1_000_000);
  for (const name of ["a/1", "a/2", "a/3", "b/1"]) flow(name);
  await time.advance(30_000);
  const bytes = (name: string): number => passed.get(name) ?? 0;
  const a = bytes("a/1") + bytes("a/2") + bytes("a/3");
  assert.ok(Math.abs(a - bytes("b/1")) <= 2 * PIECE_BYTES * 3, `${a} ${bytes("b/1")}`);
  await end();
});

test("a restore goes before copies, which do not stand still", async () => {
  const { time, flow, passed, total, end } = stage(1_000_000);
  flow("a/1");
  flow("b/1", "restore");
  await time.advance(30_000);
  const part = (passed.get("a/1") ?? 0) / total();
  assert.ok(part > 0.05 && part < 0.07, `${part}`);
  await end();
});

test("copies are stopped when their hours end, a restore goes on", async () => {
  const { time, line, pacer, flow, passed, failed, end } = stage(125_000);
  flow("a/1");
  flow("b/1", "restore");
  await time.advance(5000);
  line.open.delete("spread");
  pacer.look();
  await time.advance(100);
  const error = failed.get("a/1");
  assert.ok(error instanceof MeshError && error.code === "E-MESH-HOURS");
  const before = passed.get("b/1") ?? 0;
  await time.advance(5000);
  assert.ok((passed.get("b/1") ?? 0) > before + 400_000);
  await end();
});

test("another rate counts at once, for who waits as well", async () => {
  const { time, line, pacer, flow, total, end } = stage(1000);
  flow("a/1");
  flow("b/1");
  await time.advance(2000);
  assert.ok(total() <= 2 * PIECE_BYTES);
  line.rate = undefined;
  pacer.look();
  await time.advance(10);
  assert.ok(total() > 2 * PIECE_BYTES);
  await end();
});

test("a line that was idle saves up next to nothing", async () => {
  const { time, flow, total, end } = stage(1_000_000);
  await time.advance(60_000);
  flow("a/1");
  flow("b/1");
  await time.advance(100);
  assert.ok(total() < 100_000 + 50_000 + 2 * PIECE_BYTES, `${total()}`);
  await end();
});
