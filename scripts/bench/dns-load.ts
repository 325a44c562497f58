/** Questions by dnsperf, and what it says about the answers. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { runProcess } from "../../test-mesh/run-process.ts";
import type { Place } from "./dns-rivals.ts";
import { processorSeconds } from "./processor-time.ts";

/** Clients of dnsperf; with one the kernel spreads nothing over sockets. */
const CLIENTS = "4";

export interface Rate {
  /** Questions answered a second, asked as fast as they are. */
  readonly perSecond: number;
  /** Processor time of the server for each, in microseconds: what other work of the machine changes least. */
  readonly microseconds: number;
}

/** @param pid - Of the server; its children count. */
export async function measureRate(
  { address, port }: Place,
  pid: number,
  questions: string,
  seconds: number,
): Promise<Rate> {
  const args = ["-s", address, "-p", String(port), "-d", questions, "-l", String(seconds)];
  const before = await processorSeconds(pid);
  const { exit, stdout, stderr } = await runProcess("dnsperf", [...args, "-c", CLIENTS]);
  const used = (await processorSeconds(pid)) - before;
  const figure = (label: string): number =>
    Number(new RegExp(`${label}:\\s+([0-9.]+)`).exec(stdout)?.[1]);
  const [perSecond, sent, lost] = [
    figure("Queries per second"),
    figure("Queries sent"),
    figure("Queries lost"),
  ];
  if (exit !== 0 || !(perSecond > 0)) throw new Error(`dnsperf: ${stderr}${stdout}`);
  if (lost > sent / 100) throw new Error(`dnsperf lost ${lost} of ${sent} questions`);
  return { perSecond, microseconds: (used / (sent - lost)) * 1e6 };
}

export interface Latency {
  readonly questions: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lost: number;
}

/** How long answers take at a steady rate of questions. */
export async function measureLatency(
  { address, port }: Place,
  questions: string,
  seconds: number,
  perSecond: number,
): Promise<Latency> {
  const args = [
    ...["-s", address, "-p", String(port), "-d", questions, "-l", String(seconds), "-c", CLIENTS],
    ...["-Q", String(perSecond), "-v"],
  ];
  const child = spawn("dnsperf", args, { stdio: ["ignore", "pipe", "inherit"] });
  const milliseconds: number[] = [];
  let lost = 0;
  // Lines like: > NOERROR h1.example A 0.000123
  for await (const line of createInterface({ input: child.stdout })) {
    const seconds = /^> [A-Z]+ \S+ \S+ ([0-9.]+)$/.exec(line)?.[1];
    if (seconds !== undefined) milliseconds.push(Number(seconds) * 1000);
    lost = Number(/Queries lost:\s+(\d+)/.exec(line)?.[1] ?? lost);
  }
  const sorted = Float64Array.from(milliseconds).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { questions: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), lost };
}
