/** `scripts/crash-backups`: kills and power cuts during backup, transfer, deletion and restore. */
import { readOptions } from "./read-options.ts";
import { crashRounds } from "../test-mesh/crash/crash-rounds.ts";

const { values } = readOptions({
  options: {
    kills: { type: "string", default: "300" },
    cuts: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const numbers = {
  kills: Number(values.kills),
  cuts: Number(values.cuts),
  seed: Number(values.seed),
  first: Number(values.first),
};
const isRight = Object.values(numbers).every((each) => Number.isSafeInteger(each) && each >= 0);
if (!isRight || numbers.first < 1 || numbers.kills + numbers.cuts < numbers.first) {
  console.error("error E-USAGE: a number is wrong. Nothing was run. See scripts/crash-backups -h");
  process.exit(2);
}
const outcome = await crashRounds({ ...numbers, looks: 2, onRound: (text) => console.error(text) });
const { rounds, interrupted, snapshots, restores, violations, seconds } = outcome;
for (const each of violations) console.error(`VIOLATION ${each}`);
console.log(
  values.json
    ? JSON.stringify({ schemaVersion: 1, seed: numbers.seed, ...outcome })
    : `${rounds} rounds (${outcome.kills} kills, ${outcome.cuts} power cuts, ${interrupted} interrupted work), ` +
        `${snapshots} snapshots, ${restores} restores, ${violations.length} violations; ` +
        `seed ${numbers.seed}, ${seconds} s`,
);
process.exitCode = violations.length === 0 ? 0 : 1;
