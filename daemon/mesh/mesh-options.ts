/** What a mesh is made of, and what it tells of its links. */
import type { SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { UplinkRule } from "../core/backup/uplink-rule.ts";
import type { Clock } from "../core/clock.ts";
import type { Channel } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import type { Tap } from "./frame-channel.ts";
import type { Membership } from "./membership.ts";

export interface MeshOptions {
  /** The site's key; of a box that recovers, its recovery key. */
  readonly siteKey: SigningKey;
  /** Multiaddrs such as `/ip4/0.0.0.0/tcp/4901`; port 0 takes any free one. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others instead of what the interfaces show; usually empty. */
  readonly announce: readonly string[];
  /** Whether to take part in kad-dht among the members. */
  readonly dht: boolean;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly log: Logger;
  /** Version of the program, told to peers for display. Default: empty. */
  readonly version?: string;
  /** Sees the bytes that go to libp2p before they are encrypted. Default: nobody does. */
  readonly tap?: Tap;
  /** What is set for the lines of this site, as configured now. Default: nothing. */
  readonly uplinks?: () => readonly UplinkRule[];
  /** Hears out a member that takes no hello of ours. Default: nobody does. */
  readonly hearFarewell?: (channel: Channel) => Promise<void>;
}

export interface LinkDetail {
  readonly peer: SiteId;
  /** Who dialled: "outbound" is us. */
  readonly direction: "inbound" | "outbound";
  readonly address: string;
  /** Wall time. */
  readonly sinceMs: number;
  readonly rttMs: number | undefined;
}
