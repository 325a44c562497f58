/**
 * Which view a client sees, by where its packet came in and where it came from.
 *
 * The address that was asked may have a view of its own; else the longest network that the client
 * is in decides; else it is of the public. A key that has signed stands above both, see requests.ts.
 *
 * Over UDP an address may be forged. Then the answer goes to whose address it is, so nobody learns
 * by a lie what only a local network is shown.
 */
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { isInPrefix, type IpPrefix } from "../../protocol/ip-prefix.ts";

export interface ViewRule {
  readonly prefix: IpPrefix;
  readonly view: ZoneView;
}

/**
 * Allocates nothing: it is asked for every packet.
 *
 * @param listen - View of the address that was asked.
 * @param address - Of the client, 4 or 16 bytes.
 */
export function viewOf(
  rules: readonly ViewRule[],
  listen: ZoneView | undefined,
  address: Uint8Array,
): ZoneView {
  return listen ?? ruleFor(rules, address)?.view ?? "public";
}

/** The rule of the longest network that the address is in. No prefix stands in two rules. */
export function ruleFor(rules: readonly ViewRule[], address: Uint8Array): ViewRule | undefined {
  let best: ViewRule | undefined;
  for (const rule of rules) {
    if (best !== undefined && rule.prefix.bits <= best.prefix.bits) continue;
    if (isInPrefix(rule.prefix, address)) best = rule;
  }
  return best;
}
