/**
 * Checks who imports whom, by the rules of .dependency-cruiser.json.
 *
 * The cruiser passes when its parser finds no module at all, so the number is checked, too.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const FOLDERS = ["daemon", "protocol", "test-mesh", "scripts"].filter((name) => existsSync(name));
/** Fewer modules than this mean that the parser saw nothing. */
const LEAST_MODULES = 8;

const result = spawnSync(
  "depcruise",
  ["--config", ".dependency-cruiser.json", "--output-type", "json", ...FOLDERS],
  { encoding: "utf8", maxBuffer: 256 * 1024 * 1024 },
);
if (result.error !== undefined) throw result.error;
if (result.stdout === "") throw new Error(`depcruise said nothing but: ${result.stderr}`);

interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}
const { summary } = JSON.parse(result.stdout) as Cruise;
for (const { from, to, rule } of summary.violations) {
  console.error(`boundary ${rule.name}: ${from} imports ${to}`);
}
if (summary.totalCruised < LEAST_MODULES) {
  console.error(`boundaries: only ${summary.totalCruised} modules were read; is @swc/core there?`);
}
const sound = summary.violations.length === 0 && summary.totalCruised >= LEAST_MODULES;
console.log(`boundaries: ${summary.totalCruised} modules, ${summary.violations.length} violations`);
process.exitCode = sound ? 0 : 1;
