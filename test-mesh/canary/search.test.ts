import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { needlesOf, searchTree } from "./search.ts";

describe("searchTree", () => {
  const secret = Buffer.from("the canary sings at dawn");
  const needles = needlesOf([{ name: "song", bytes: secret }]);
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "pleach-canary-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const forms: readonly (readonly [string, Buffer])[] = [
    ["raw", secret],
    ["hex", Buffer.from(secret.toString("hex"))],
    ["HEX", Buffer.from(secret.toString("hex").toUpperCase())],
    ...[0, 1, 2].map((shift): [string, Buffer] => [
      `base64+${shift}`,
      Buffer.from(
        Buffer.concat([Buffer.alloc(shift, "x"), secret, Buffer.from("tail")]).toString("base64"),
      ),
    ]),
  ];
  for (const [form, bytes] of forms) {
    it(`finds it as ${form}, also across the border of two reads`, () => {
      for (const offset of [0, 1000, 8 * 1024 * 1024 - 5]) {
        const file = join(folder, "file");
        writeFileSync(file, Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(100)]));
        const seen = searchTree(folder, needles).map((sighting) => sighting.form);
        assert.ok(seen.includes(form), `${form} at ${offset}: ${seen.join()}`);
      }
    });
  }

  it("finds it in a file name", () => {
    writeFileSync(join(folder, secret.toString()), "");
    assert.equal(searchTree(folder, needles)[0]?.form, "raw");
  });

  it("finds nothing where there is nothing", () => {
    writeFileSync(join(folder, "file"), Buffer.alloc(9 * 1024 * 1024, "the canary sings at dusk"));
    assert.deepEqual(searchTree(folder, needles), []);
  });
});
