/**
 * What a site lends to one owner: a pure reading of its offer, the same for the site itself and for
 * everybody who reads its `offer` record.
 */
import type { OwnerId } from "../../../protocol/ids.ts";
import { dailyBytes } from "./intake.ts";

export interface OwnerTerms {
  readonly owner: OwnerId;
  readonly capBytes?: number | undefined;
  readonly dailyBytes?: number | undefined;
}

/** What a site lends, and under which conditions. Sizes in bytes. */
export interface Lending {
  readonly spaceBytes: number;
  /** To whom; owners with terms of their own are named here, too, unless it is to all. */
  readonly to: "all" | readonly OwnerId[];
  /** The most that one owner may use. Default: all of it. */
  readonly capBytes?: number | undefined;
  /** What one owner may send in a day. Default: see intake.ts. */
  readonly dailyBytes?: number | undefined;
  /** Other terms for some owners. */
  readonly owners?: readonly OwnerTerms[] | undefined;
}

export interface Terms {
  /** Never more than the site lends. */
  readonly capBytes: number;
  readonly dailyBytes: number;
}

/** Undefined: the site lends nothing to this owner. */
export function termsFor(lending: Lending, owner: OwnerId): Terms | undefined {
  const { spaceBytes, to, owners = [] } = lending;
  if (spaceBytes === 0 || (to !== "all" && !to.includes(owner))) return undefined;
  const own = owners.find((one) => one.owner === owner);
  const capBytes = Math.min(spaceBytes, own?.capBytes ?? lending.capBytes ?? spaceBytes);
  const asked = own?.dailyBytes ?? lending.dailyBytes;
  return { capBytes, dailyBytes: dailyBytes(capBytes, asked) };
}
