import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planPaths, type PathPlan } from "./path-plan.ts";

const shown = ({ name, below }: PathPlan): unknown =>
  below === undefined ? name.toString() : { [name.toString()]: below.map(shown) };
const plan = (...paths: string[]): unknown =>
  shown(planPaths(paths.map((path) => Buffer.from(path))));

describe("the plan of paths", () => {
  it("leads to each path, by name", () => {
    assert.deepEqual(plan("/srv/b", "/srv/a/", "/etc"), { "": ["etc", { srv: ["a", "b"] }] });
  });

  it("leaves out what lies within another path", () => {
    assert.deepEqual(plan("/srv/a/deep", "/srv", "//srv/./a"), { "": ["srv"] });
    assert.deepEqual(plan("/", "/srv"), "");
  });

  it("refuses relative paths and steps upwards", () => {
    assert.throws(() => plan("srv"), { code: "E-BACKUP-PATH" });
    assert.throws(() => plan("/srv/../etc"), { code: "E-BACKUP-PATH" });
  });
});
