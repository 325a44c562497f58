/** Where a node answers DNS, for one who wants to ask it. */
import type { NodeRecord } from "../../protocol/logs/record.ts";

/**
 * The first address that it names; for one that listens everywhere, the first of its addresses.
 * Undefined when it does not answer DNS, or its LAN only.
 */
export function answeringAt(
  node: NodeRecord,
): { readonly address: string; readonly port: number } | undefined {
  const reached = node.dns.filter(({ view }) => view !== "lan");
  const named = reached.find(({ address }) => !isUnspecified(address));
  if (named !== undefined) return named;
  const [everywhere] = reached;
  if (everywhere === undefined) return undefined;
  const own = node.addresses.flatMap((text) => /^\/ip[46]\/([^/]+)\//.exec(text)?.[1] ?? []);
  const address = own.find((each) => !isUnspecified(each));
  return address === undefined ? undefined : { address, port: everywhere.port };
}

function isUnspecified(address: string): boolean {
  return /^[0:.]+$/.test(address);
}
