/** Ten million mutated packets, and the processor time of the worst ones. See scripts/fuzz-dns. */
import { randomInt } from "node:crypto";
import { readOptions } from "./read-options.ts";
import { Responder } from "../daemon/dns/responder.ts";
import { ZoneTree } from "../daemon/dns/zone-tree.ts";
import { SeededRandom } from "../test-mesh/fakes/seeded-random.ts";
import { DnsFuzz } from "../test-mesh/fuzz/dns-packets.ts";

/** Of the design: the most that one hostile packet may take. */
const WORST_MICROSECONDS = 50;
const MAX_RATIO = 1.5;
/** Enough for the compiler to have done its work, and for a stable mean. */
const ROUNDS = 20_000;

const { values } = readOptions({
  options: {
    packets: { type: "string", default: "10000000" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const packets = Number(values.packets);
const seed = values.seed === undefined ? randomInt(1, 2 ** 31) : Number(values.seed);
if (!Number.isSafeInteger(packets) || packets < 1 || !Number.isSafeInteger(seed)) {
  console.error("error E-USAGE: a number is wrong. Nothing was run. See scripts/fuzz-dns --help");
  process.exit(2);
}
console.log(`seed ${seed}`);
const fuzz = new DnsFuzz(new SeededRandom(seed));
try {
  for (let sent = 1; sent <= packets; sent++) {
    fuzz.next();
    if (sent % 1_000_000 === 0) console.log(`${sent} packets`);
  }
} catch (error) {
  console.error(`FOUND after ${fuzz.seen.packets} packets of seed ${seed}`);
  throw error;
}
const { answers, sentBytes, receivedBytes, longestUdpBytes } = fuzz.seen;
const ratio = Number((sentBytes / receivedBytes).toFixed(3));
const worst = worstPackets().map(({ what, packet }) => ({ what, microseconds: costOf(packet) }));
const ok =
  ratio <= MAX_RATIO && worst.every(({ microseconds }) => microseconds < WORST_MICROSECONDS);
console.log(`${packets} packets, ${answers} answers, at most ${longestUdpBytes} bytes over UDP`);
console.log(`${ratio} bytes out for one in, under a flood`);
for (const { what, microseconds } of worst) console.log(`${what}: ${microseconds} microseconds`);
if (values.json) {
  const figures = { packets, seed, answers, longestUdpBytes, ratio, worst };
  console.log(JSON.stringify({ schemaVersion: 1, ok, ...figures }));
}
process.exitCode = ok ? 0 : 1;

function worstPackets(): readonly { readonly what: string; readonly packet: Uint8Array }[] {
  const bomb = Uint8Array.of(0, 1, 0, 0, ...new Uint8Array(8).fill(255));
  const questions = new Uint8Array(65_535);
  questions.set([0, 1, 0, 0, 0x2a, 0xa8]);
  for (let at = 12; at + 6 <= questions.length; at += 6) questions.set([0xc0, 12, 0, 1, 0, 1], at);
  const records = new Uint8Array(65_535);
  records.set([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0x17, 0x44, 0, 0, 1, 0, 1]);
  for (let at = 17; at + 11 <= records.length; at += 11) records.set([0, 0, 1, 0, 1], at);
  const labels = new Uint8Array(12 + 255 + 4);
  labels.set([0, 1, 0, 0, 0, 1]);
  for (let at = 12; at < 12 + 254; at += 2) labels.set([1, 97], at);
  labels.set([0, 0, 1, 0, 1], 12 + 254);
  return [
    { what: "twelve bytes with the greatest counts", packet: bomb },
    { what: "64 KiB of compressed questions", packet: questions },
    { what: "64 KiB of empty records", packet: records },
    { what: "a name of 127 labels", packet: labels },
  ];
}

/** Mean processor time of an answer, in microseconds. */
function costOf(packet: Uint8Array): number {
  const responder = new Responder({
    zones: new ZoneTree([]),
    ...{ siteName: "", cookieSecrets: [], guarded: [], forwards: false },
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
  });
  const client = {
    carrier: "udp",
    address: Uint8Array.of(192, 0, 2, 1),
    port: 1,
    view: "public",
  } as const;
  const round = (): number => {
    const start = process.cpuUsage();
    for (let left = ROUNDS; left > 0; left--) responder.respond(packet, client);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / ROUNDS;
  };
  round();
  return Number(round().toFixed(2));
}
