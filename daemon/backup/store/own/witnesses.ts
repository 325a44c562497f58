/**
 * Asks the members which snapshot of a data set is the newest.
 *
 * What this site has on its own disk says nothing about that: the disk may be an old copy. So
 * only members that answer now confirm a head, and each of them once.
 */
import type { Channel } from "../../../core/transport.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { OwnerId, SetId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import { openListHeader } from "../../../../protocol/backup/list.ts";
import { tipsKey, tipsRecord } from "../../../../protocol/logs/record.ts";
import {
  decodeHolderMessage,
  encodeHolderMessage,
  encodeOpenerMessage,
  MAX_HEADS_IN_MESSAGE,
  SHARD_PROTOCOL,
  type OpenerMessage,
} from "../../../../protocol/messages/shard-message.ts";
import { placesIn } from "../../../core/backup/published.ts";
import { headsOf, type HeadClaim } from "./head-tips.ts";
import type { Holder } from "../holder.ts";
import { mayFetch } from "../lists/list-rights.ts";

/** A person waits for the answers, and a member that is busy is one witness less. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Answers one `heads`: what the sites publish any member may know, lists are for some. */
export async function serveHeads(
  holder: Holder,
  channel: Channel,
  { owner, set }: Extract<OpenerMessage, { k: "heads" }>,
): Promise<void> {
  const { state, lists } = holder;
  const known = lists.all(owner, set);
  const isTrusted = mayFetch(channel.peer, owner, set, state.authority(), state.view(), known);
  const newest = knownHeads(holder, owner, set, isTrusted);
  const heads = [...newest, ...(isTrusted ? await replacedHeads(holder, owner, set) : [])].slice(
    0,
    MAX_HEADS_IN_MESSAGE,
  );
  await channel.send(encodeHolderMessage({ k: "heads", heads }));
  await channel.end();
}

/** Every head of a set that anybody here knows, and who says so. The order means nothing. */
export async function askWitnesses(holder: Holder, owner: OwnerId, set: SetId) {
  const { state, transport, log } = holder;
  const { self } = transport;
  const members = [...state.authority().sites.keys()].filter((site) => site !== self);
  const links = transport.links();
  const own = [
    ...knownHeads(holder, owner, set, true),
    ...(await replacedHeads(holder, owner, set)),
  ];
  const claims: HeadClaim<SiteId>[] = own.map((head) => ({ set, head, by: self }));
  let answered = 0;
  await Promise.all(
    members
      .filter((site) => links.includes(site))
      .map(async (site) => {
        try {
          const heads = await headsAt(holder, site, owner, set);
          answered += 1;
          for (const head of heads) claims.push({ set, head, by: site });
        } catch (error) {
          log.info("a member did not say which snapshot is the newest", {
            site,
            error: String(error),
          });
        }
      }),
  );
  const roots: ReadonlySet<ShardId> = new Set(claims.map(({ head }) => head.root));
  const heads = headsOf(claims, roots).map(({ head, by }) => {
    return { head, confirmedBy: [...by].filter((site) => site !== self).length };
  });
  return { heads, answered, witnesses: members.length };
}

function knownHeads(holder: Holder, owner: OwnerId, set: SetId, withLists: boolean): Head[] {
  const view = holder.state.view();
  const published = [...placesIn(view, set)].flatMap(({ author, place }) => {
    if (place.owner !== owner) return [];
    const beside = tipsRecord.safeParse(view.get("place", tipsKey(set), author)?.value);
    return [place.head, ...(beside.success ? beside.data.tips : [])];
  });
  const listed = withLists ? holder.lists.all(owner, set).map(({ header }) => header.head) : [];
  const heads = [...published, ...listed].filter((head) => head !== null);
  return [...new Map(heads.map((head) => [head.root, head])).values()];
}

/**
 * Heads of lists that newer ones have replaced here, the last one first. Where an old image of a
 * box went on and replaced what it did not know, they are all that tells of it.
 */
async function replacedHeads(holder: Holder, owner: OwnerId, set: SetId): Promise<Head[]> {
  const found: Head[] = [];
  for (const { header } of holder.lists.all(owner, set)) {
    const past = await holder.lists.past(owner, set, header.group).catch((): never[] => []);
    for (const { signed } of past.toReversed()) {
      const { head } = openListHeader(signed.header, signed.signature);
      if (head !== null) found.push(head);
    }
  }
  return found;
}

async function headsAt(holder: Holder, site: SiteId, owner: OwnerId, set: SetId) {
  const channel = await holder.transport.open(site, SHARD_PROTOCOL, ANSWER_TIMEOUT_MS);
  try {
    await channel.send(encodeOpenerMessage({ k: "heads", v: 1, owner, set }));
    const frame = await channel.receive(ANSWER_TIMEOUT_MS);
    const message = frame === undefined ? undefined : decodeHolderMessage(frame);
    return message?.k === "heads" ? message.heads : [];
  } finally {
    channel.abort("done");
  }
}
