/** Makes a forwarder of what the configuration says. */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import type { Clock } from "../../core/clock.ts";
import type { CacheLimits } from "../../core/forward/answer-cache.ts";
import type { Logger } from "../../observe/log.ts";
import { Forwarder } from "./forwarder.ts";
import { PlainUpstream } from "./plain-upstream.ts";
import { Resolver } from "./resolver.ts";
import { TlsUpstream } from "./tls-upstream.ts";
import type { UpstreamPlace } from "./upstream.ts";
import { UpstreamGroup } from "./upstream-group.ts";

export interface ForwardSetup {
  /** One or more. */
  readonly upstreams: readonly UpstreamPlace[];
  readonly zones: readonly {
    readonly apex: DnsName;
    readonly upstreams: readonly UpstreamPlace[];
  }[];
  readonly allowPrivate: readonly DnsName[];
  readonly cache: CacheLimits;
  /** Certificates to trust, as PEM; undefined: those that Node brings along. */
  readonly authorities: string | undefined;
  readonly clock: Clock;
  /** Gets no names that people ask for. */
  readonly log: Logger;
}

/** Nothing is connected before the first question. */
export function openForwarder(setup: ForwardSetup): Forwarder {
  const { upstreams, zones, allowPrivate, cache, authorities, clock, log } = setup;
  const group = (places: readonly UpstreamPlace[]): UpstreamGroup => {
    const members = places.map((place) =>
      place.kind === "tls"
        ? new TlsUpstream(place, { clock, authorities })
        : new PlainUpstream(place, clock),
    );
    return new UpstreamGroup(members, clock, log);
  };
  return new Forwarder(
    new Resolver({
      upstreams: group(upstreams),
      zones: zones.map(({ apex, upstreams: places }) => ({ apex, upstreams: group(places) })),
      ...{ allowPrivate, cache, clock },
    }),
  );
}
