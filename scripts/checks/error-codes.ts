/** Checks that the page of error codes names every code of the program, and none that is gone. */
import { globSync, readFileSync } from "node:fs";

const PAGE = "crates-free-docs/errors.md";
const CODE = /E-[A-Z]+(?:-[A-Z]+)*/g;

const used = new Set<string>();
for (const file of globSync("{daemon,protocol}/**/*.ts")) {
  if (file.endsWith(".test.ts")) continue;
  // Only whole literals: a text such as "E-SHARD" in startsWith names no code.
  for (const [literal] of readFileSync(file, "utf8").matchAll(/(?<!startsWith\()"E-[A-Z-]+"/g)) {
    used.add(literal.slice(1, -1));
  }
}
const told = new Set(readFileSync(PAGE, "utf8").match(CODE) ?? []);
const problems = [
  ...[...used].filter((code) => !told.has(code)).map((code) => `${code} is not in ${PAGE}`),
  ...[...told].filter((code) => !used.has(code)).map((code) => `${PAGE} names ${code}, now unused`),
];
for (const problem of problems) console.error(`error codes: ${problem}`);
console.log(`error codes: ${used.size} codes, ${problems.length} problems`);
process.exitCode = problems.length === 0 && used.size > 0 ? 0 : 1;
