/**
 * A zone of many records: how long it takes to load, and until a change of it is answered.
 *
 * Loading is from the state in memory to answers out of the UDP socket, as the daemon tells it in
 * its log at a start; opening the state comes before. A change is from the request on the control
 * socket, without the start of a command, until the first packet that has it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { editResult } from "../../daemon/control/shapes-dns.ts";
import { askUdp } from "../../daemon/dns/ask.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { CLASS, OPCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { TestMesh } from "../../test-mesh/harness.ts";
import type { TestSite } from "../../test-mesh/test-site.ts";
import { waitUntilAnswered, type Place } from "./dns-rivals.ts";
import { processorSeconds } from "./processor-time.ts";

const IMPORT_LIMIT_MS = 600_000;
const CHANGES = 9;
/** Changes that come closer together are gathered; each of these comes by itself. */
const APART_MS = 1000;
const CHANGE_LIMIT_MS = 30_000;

export interface LargeZone {
  readonly apex: string;
  readonly text: string;
  /** The name that comes last in it. */
  readonly last: string;
}

/** In milliseconds unless the name says otherwise; of several changes the median and the longest. */
export async function measureLargeZone(
  mesh: TestMesh,
  scratch: string,
  zone: LargeZone,
): Promise<Record<string, number>> {
  const [here, there] = await mesh.form(["bench", "writer"], { dnsThreads: 1, dht: false });
  if (here === undefined || there === undefined) throw new Error("no sites");
  const file = join(scratch, "large");
  await writeFile(file, zone.text);
  const start = performance.now();
  const args = ["dns", "import", file, "--yes"];
  const { exit, stderr } = await here.run(args, { timeoutMs: IMPORT_LIMIT_MS });
  if (exit !== 0) throw new Error(`pleach dns import: exit ${exit}\n${stderr}`);
  await waitUntilAnswered(placeOf(here), zone.last);
  const importSeconds = (performance.now() - start) / 1000;
  await waitUntilAnswered(placeOf(there), zone.last);
  const own = await changes(here, here, zone.apex);
  const others = await changes(there, here, zone.apex);
  await here.stop();
  await here.start();
  await waitUntilAnswered(placeOf(here), zone.last);
  const [loadMs = Number.NaN] = (await readFile(here.logFile, "utf8"))
    .split("\n")
    .flatMap((line) => Number(/zones are served .*tookMs=(\d+)/.exec(line)?.[1]) || [])
    .slice(-1);
  return {
    largeImportSeconds: importSeconds,
    largeLoadMs: loadMs,
    largeChangeMs: median(own.ms),
    largeChangeMostMs: Math.max(...own.ms),
    largeChangeProcessorMs: own.processorMs,
    largeOthersChangeMs: median(others.ms),
    largeOthersChangeMostMs: Math.max(...others.ms),
  };
}

/** Changes one address again and again at a site, and asks a server until it says so. */
async function changes(
  writer: TestSite,
  server: TestSite,
  apex: string,
): Promise<{ readonly ms: readonly number[]; readonly processorMs: number }> {
  const ms: number[] = [];
  const name = `h7.${apex}`;
  let processorMs = 0;
  for (let at = 0; at < CHANGES; at++) {
    await sleep(APART_MS);
    const before = await processorSeconds(server.pid);
    const data = `198.51.${writer === server ? 100 : 101}.${at}`;
    const start = performance.now();
    const edit = { action: "set", name, type: "A", data: [data] };
    const written = writer.client.post("/v1/dns/records", edit, editResult);
    while ((await addressOf(server, name)) !== data) {
      if (performance.now() - start > CHANGE_LIMIT_MS) throw new Error(`${data} is not answered`);
    }
    ms.push(performance.now() - start);
    await written;
    processorMs += ((await processorSeconds(server.pid)) - before) * 1000;
  }
  return { ms, processorMs: processorMs / CHANGES };
}

async function addressOf(site: TestSite, name: string): Promise<string | undefined> {
  const question = encodeMessage({
    ...{ id: Math.floor(performance.now()) & 0xffff, opcode: OPCODE.QUERY, rcode: 0 },
    ...{ response: false, authoritative: false, truncated: false, recursionDesired: false },
    ...{ recursionAvailable: false, reserved: false, authenticData: false },
    checkingDisabled: false,
    questions: [{ name: parseDnsName(name), type: TYPE.A, class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals: [] },
  });
  if (question === undefined) throw new Error("no question");
  const answer = await askUdp(placeOf(site), question, 1000, systemClock);
  const message = answer === undefined ? undefined : decodeMessage(answer);
  if (message === undefined || "fault" in message) return undefined;
  return message.answers[0]?.rdata.join(".");
}

function placeOf({ address, dnsPort }: TestSite): Place {
  return { address, port: dnsPort };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
