/** A DNS server in this process, with keys, transfers and updates, for programs that speak to it. */
import { dnsRequests, type DnsRequests } from "../../daemon/compose/dns-requests.ts";
import type { Config } from "../../daemon/config/config.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { toHex } from "../../protocol/ids.ts";
import { signingKey } from "../../protocol/keys/signature.ts";
import { siteBox } from "../../protocol/keys/site-box.ts";
import { siteIdOf, StaticSource } from "./static-source.ts";

export interface ServedZones {
  readonly source: StaticSource;
  readonly server: DnsServer;
  readonly editor: ZoneEditor;
  readonly requests: DnsRequests;
  readonly port: number;
  stop(): Promise<void>;
}

export async function serveZones(dns: Partial<Config["dns"]> = {}): Promise<ServedZones> {
  const source = new StaticSource(["quimper"]);
  const siteId = siteIdOf("quimper");
  const siteKey = signingKey(new Uint8Array(32).fill(5));
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const requests = dnsRequests({
    dns: {
      listen,
      views: [],
      forward: undefined,
      threads: 0,
      mdns: false,
      catalog: undefined,
      secondaries: [],
      ...dns,
    },
    ...{ siteId, siteKey, source, writer: source, awake: () => [], linked: () => [] },
    ...{ clock: systemClock, log: silentLogger },
  });
  const server = await DnsServer.start({
    listen,
    source,
    clock: systemClock,
    log: silentLogger,
    siteName: () => "quimper",
    cookieSecrets: () => [],
    transactions: requests.transactions,
  });
  const editor = new ZoneEditor({
    view: () => source.view(),
    writer: source,
    served: () => server.served(),
    reload: () => server.reload(),
  });
  requests.start(server, {
    update: ({ zone, puts, removed }) => editor.change(zone, puts, removed),
  });
  const port = server.listening[0]?.port ?? 0;
  const node = { addresses: [], version: "1", dns: [{ address: "127.0.0.1", port }] };
  source.put("site", "node", { ...node, box: toHex(siteBox(siteKey).publicKey) }, siteId);
  return {
    ...{ source, server, editor, requests, port },
    stop: async () => {
      await requests.stop();
      await server.stop();
    },
  };
}
