/** Channels for one piece of work, which a stop cuts at once, whatever is waited for. */
import type { Channel, ProtocolName, Transport } from "../../core/transport.ts";
import type { SiteId } from "../../../protocol/ids.ts";

/** Whom to ask, in which protocol, and how long to wait until it speaks that. */
export interface Address {
  readonly site: SiteId;
  readonly protocol: ProtocolName;
  readonly timeoutMs: number;
}

/**
 * Opens a channel, unless the signal comes first.
 *
 * @throws the reason of the signal; whatever the transport throws.
 */
export async function openUnless(
  transport: Pick<Transport, "open">,
  { site, protocol, timeoutMs }: Address,
  signal: AbortSignal,
): Promise<Channel> {
  signal.throwIfAborted();
  const { promise: cut, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  const opening = transport.open(site, protocol, timeoutMs);
  try {
    return await Promise.race([opening, cut]);
  } catch (error) {
    // One that comes about all the same has nobody any more.
    opening.then((channel) => channel.abort("not needed any more")).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** Opens a channel, works on it and closes it; the signal cuts it, and the opening as well. */
export async function onChannel<Result>(
  transport: Pick<Transport, "open">,
  address: Address,
  signal: AbortSignal,
  act: (channel: Channel) => Promise<Result>,
): Promise<Result> {
  const channel = await openUnless(transport, address, signal);
  const cut = (): void => channel.abort("the node stops");
  signal.addEventListener("abort", cut, { once: true });
  try {
    signal.throwIfAborted();
    return await act(channel);
  } finally {
    signal.removeEventListener("abort", cut);
    channel.abort("done");
  }
}
