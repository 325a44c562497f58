/** A DNS server in this process that passes questions on, and a client that asks it. */
import { openForwarder, type ForwardSetup } from "../../daemon/dns/forward/open-forwarder.ts";
import type { UpstreamPlace } from "../../daemon/dns/forward/upstream.ts";
import type { Forwarder } from "../../daemon/dns/forward/forwarder.ts";
import { askUdp } from "../../daemon/dns/ask.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import type { Transactions } from "../../daemon/dns/serve.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { createLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { decodeMessage, type DecodedMessage } from "../../protocol/dns/decode-message.ts";
import { CLASS, formatRcode } from "../../protocol/dns/dns-code.ts";
import { formatDnsName, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsMessage, DnsRecord } from "../../protocol/dns/message.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { StaticSource } from "./static-source.ts";

/** No answer here takes longer; a busy machine is no fault. */
const TIMEOUT_MS = 20_000;

export interface AskOptions {
  readonly view?: ZoneView;
  readonly flags?: Partial<DnsMessage>;
  /** Undefined: no EDNS. */
  readonly edns?: { readonly dnssecOk?: boolean; readonly udpBytes?: number };
}

export interface Told {
  readonly status: string;
  readonly message: DecodedMessage;
  /** `www.example. A 192.0.2.1`, without TTLs. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly ttls: readonly number[];
  /** RFC 8914; undefined: it has said none. */
  readonly error: number | undefined;
}

export interface Forwarding {
  readonly server: DnsServer;
  readonly forwarder: Forwarder;
  /** Lines of the log. */
  readonly lines: readonly string[];
  /** Port of the address whose clients see the view. */
  readonly portOf: (view: ZoneView) => number;
  ask(name: string, type: string, options?: AskOptions): Promise<Told>;
  add(name: string, type: string, data: string, view?: ZoneView): Promise<void>;
  stop(): Promise<void>;
}

const VIEWS: readonly ZoneView[] = ["lan", "mesh", "public"];

export function plainPlace(port: number): UpstreamPlace {
  return { kind: "plain", address: "127.0.0.1", port, name: undefined };
}

export function tlsPlace(port: number, name = "dns.test"): UpstreamPlace {
  return { kind: "tls", address: "127.0.0.1", port, name };
}

/** Serves `bzh.example` to three addresses, one for each view. */
export async function startForwarding(
  upstreams: readonly UpstreamPlace[],
  setup: Partial<ForwardSetup> & {
    readonly threads?: number;
    readonly transactions?: Transactions;
  } = {},
): Promise<Forwarding> {
  const source = new StaticSource(["quimper"]);
  const lines: string[] = [];
  const log = createLogger("debug", (line) => lines.push(line), "dns");
  const { threads = 0, transactions, ...others } = setup;
  const forwarder = openForwarder({
    ...{ upstreams, zones: [], allowPrivate: [], authorities: undefined },
    cache: { maxBytes: 1024 * 1024, staleMs: 86_400_000 },
    ...{ clock: systemClock, log },
    ...others,
  });
  const server = await DnsServer.start({
    listen: VIEWS.map((view) => ({ address: "127.0.0.1", port: 0, view })),
    ...{ source, clock: systemClock, log, threads, forwarder, transactions },
    siteName: () => "quimper",
    cookieSecrets: () => [new Uint8Array(16).fill(7)],
  });
  const editor = new ZoneEditor({
    view: () => source.view(),
    writer: source,
    served: () => server.served(),
    reload: () => server.reload(),
  });
  await editor.addZone("bzh.example", undefined, 0);
  const portOf = (view: ZoneView): number =>
    server.listening.find((each) => each.view === view)?.port ?? 0;
  return {
    ...{ server, forwarder, lines, portOf },
    ask: async (name, type, options = {}) => {
      const place = { address: "127.0.0.1", port: portOf(options.view ?? "lan") };
      const bytes = await askUdp(place, questionOf(name, type, options), TIMEOUT_MS, systemClock);
      if (bytes === undefined) throw new Error(`no answer to ${name} ${type}`);
      return toldBy(bytes);
    },
    add: async (name, type, data, view = "public") => {
      await editor.edit({ action: "add", name, type, data: [data], place: { view } });
    },
    stop: () => server.stop(),
  };
}

export function questionOf(name: string, type: string, options: AskOptions = {}): Uint8Array {
  const { edns, flags } = options;
  const opt = (size: number, dnssecOk: boolean): DnsRecord => ({
    ...{ owner: parseDnsName("."), type: TYPE.OPT, class: size, rdata: new Uint8Array() },
    ttl: dnssecOk ? 0x8000 : 0,
  });
  const bytes = encodeMessage({
    ...{ id: Math.floor(Math.random() * 65_536), response: false, opcode: 0, rcode: 0 },
    ...{ authoritative: false, truncated: false, recursionAvailable: false, reserved: false },
    ...{ recursionDesired: true, authenticData: false, checkingDisabled: false },
    questions: [{ name: parseDnsName(name), type: parseType(type), class: CLASS.IN }],
    ...{ answers: [], authorities: [] },
    additionals: edns === undefined ? [] : [opt(edns.udpBytes ?? 1232, edns.dnssecOk === true)],
    ...flags,
  });
  if (bytes === undefined) throw new RangeError("the question is too long");
  return bytes;
}

export function toldBy(bytes: Uint8Array): Told {
  const message = decodeMessage(bytes);
  if ("fault" in message) throw new Error(`the answer is no message: ${message.fault}`);
  const lineOf = ({ owner, type, rdata }: DnsRecord): string =>
    `${formatDnsName(owner)} ${formatType(type)} ${formatRdata(type, rdata)}`;
  const opt = message.additionals.find(({ type }) => type === TYPE.OPT);
  return {
    message,
    status: formatRcode(message.rcode),
    answers: message.answers.map(lineOf),
    authorities: message.authorities.map(lineOf),
    ttls: message.answers.map(({ ttl }) => ttl),
    error: opt && errorIn(opt.rdata),
  };
}

function errorIn(options: Uint8Array): number | undefined {
  const view = Buffer.from(options);
  for (let at = 0; at + 4 <= view.length; at += 4 + view.readUInt16BE(at + 2)) {
    if (view.readUInt16BE(at) === 15) return view.readUInt16BE(at + 4);
  }
  return undefined;
}
