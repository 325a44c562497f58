/**
 * What goes over the control socket about backups: sealed shards, signed lists and receipts.
 *
 * Nothing here is plaintext; names of data sets are sealed by the client. Identifiers are text.
 */
import { z } from "zod";
import { COUNTRY_COUNT, isCountry } from "../../protocol/country.ts";
import { MAX_NAMED_HOLDERS } from "../../protocol/logs/record.ts";

const count = z.int().min(0);
const country = z.string().refine(isCountry, "is no country of ISO 3166-1");
const shardId = z.string().regex(/^[0-9a-f]{64}$/, "is not a shard identifier");
const base64 = z.base64();

export const headShape = z.object({
  chain: z.string().regex(/^[0-9a-f]{32}$/, "is not a chain identifier"),
  number: z.int().min(1),
  previous: shardId.nullable(),
  root: shardId,
  atMs: count,
});

/** A shard and its size in bytes. */
const entry = z.tuple([shardId, z.int().min(1)]);

/** Body of `POST /v1/backup/sets/:set/commit`. */
export const commitRequestShape = z.strictObject({
  owner: z.string().regex(/^[0-9a-f]{64}$/, "is not an owner identifier"),
  sealedName: base64,
  keyEpoch: count,
  /** How many remote sites are wanted. */
  copies: z.int().min(1).max(16),
  /** Null, or the head that is there, for shards that come before the run ends. */
  head: headShape.strict().nullable(),
  /** Newest snapshots of other lines that have turned up: they stand until they are settled. */
  found: z.array(headShape.strict()).max(64).default([]),
  /** Roots of such snapshots that the history of the head names now. */
  settled: z.array(shardId).max(64).default([]),
  add: z.array(entry),
  /** Shards that no list names any more and that holders keep: they are listed again. */
  again: z.array(entry).default([]),
  remove: z.array(shardId),
});
export type CommitRequest = z.infer<typeof commitRequestShape>;

export const commitAnswerShape = z.object({
  /** The highest generation of the lists that were signed. */
  generation: count,
  groups: count,
  shards: count,
  bytes: count,
});

const summary = {
  setId: z.string(),
  owner: z.string(),
  sealedName: z.string(),
  keyEpoch: count,
  head: headShape.nullable(),
  shards: count,
  bytes: count,
  copies: z.object({
    wanted: count,
    /** The fewest remote sites that keep a safe copy of any one group. */
    min: count,
    safe: z.boolean(),
    /** Copies for which there is no site yet. */
    missing: count,
    /** What weakens them without putting them at risk, as sentences. */
    concerns: z.array(z.string()),
    /** Holders that wait for a person's word, as sentences. */
    asks: z.array(z.string()),
  }),
  /** Whether this site writes the data set. */
  mine: z.boolean(),
};
/** Newest snapshots of other lines of the set, which stand beside the head. */
const tips = z.array(headShape);
export const setSummaryShape = z.object({ ...summary, tips });
export const setsShape = z.object({ sets: z.array(setSummaryShape) });

/** The newest list of a placement group, and the sites that are to hold it. */
const groupShape = z.object({
  group: count,
  generation: count,
  list: z.string(),
  targets: z.array(z.string()),
  entries: z.array(entry),
});

export const setDetailShape = z.object({
  ...summary,
  tips,
  groups: z.array(groupShape),
  /**
   * Where shard S of the set is the file `xx/S` of the local store, `xx` being the first two digits
   * of S. Who may read there need not ask for each shard, and verifies what it reads.
   */
  folder: z.string(),
  /** Listed shards that are not here, and for which no other site has signed. */
  lost: z.array(shardId),
  /**
   * This site's directory was found older than what the site had published: the head that it had
   * then, out of which the next snapshot grows, in a new chain. Null: it was not.
   */
  setBackTo: z.object({ head: headShape.nullable() }).nullable(),
  newestHead: z.object({
    head: headShape.nullable(),
    /** Other members that have confirmed the record with this head, durably. */
    confirmedBy: count,
    /** Other members that there are. */
    witnesses: count,
  }),
});

/** `GET /v1/backup/sets/:set/heads`: what the members say now. */
export const headsShape = z.object({
  heads: z.array(
    z.object({
      head: headShape,
      /** Other members that answered and know this head. */
      confirmedBy: count,
    }),
  ),
  /** Other members that answered at all. */
  answered: count,
  /** Other members that there are. */
  witnesses: count,
});

export const copiesShape = z.object({
  wanted: count,
  /** Shards and lists together. */
  shards: count,
  /** The fewest sites that have signed for all of any one group. */
  minReceipts: count,
  /** Of these, as many as count as safe; at most `wanted`. */
  safeCopies: count,
  safe: z.boolean(),
  /** Shard bytes that this site handed to the network for this data set, ever. */
  ownerSentBytes: count,
  /** Such as "2 of 3"; null when safe. */
  atRisk: z.string().nullable(),
  /** What stands in the way, as sentences for a person. */
  reasons: z.array(z.string()),
  /** What weakens the copies without putting them at risk, as sentences. */
  concerns: z.array(z.string()),
  /** Whether shards stay at this site, too, when the others have signed for them. */
  local: z.enum(["keep", "drop"]),
  /** The sites that are to hold the set. */
  holders: z.array(
    z.object({
      site: z.string(),
      name: z.string(),
      linked: z.boolean(),
      /** Placement groups that it is to hold. */
      groups: count,
      /** Shards and lists that it has not signed for. */
      lacking: count,
      /** How long it keeps what lists name no more; null before it signed anything. */
      lockDays: count.nullable(),
      /** Its last receipt or proof, by the wall clock of this site; null: none. */
      vouchedAtMs: count.nullable(),
      /** Of the last audit by this site; null: none yet. */
      outcome: z.enum(["proven", "failed", "refused", "offline"]).nullable(),
      /** What keeps its copy from counting, as sentences. */
      risks: z.array(z.string()),
    }),
  ),
  perShard: z
    .array(
      z.object({
        shard: z.string(),
        size: count,
        kind: z.enum(["shard", "list"]),
        receipts: z.array(z.object({ bytes: base64, signature: base64, holder: z.string() })),
      }),
    )
    .optional(),
});

/** `GET /v1/backup/sets/:set/shards/:shard/receipts`: what other sites have signed for a shard. */
export const receiptsShape = z.object({
  receipts: z.array(z.object({ bytes: base64, signature: base64 })),
});

/** Bytes now, and bytes times days of what the askers have seen. */
const account = z.object({
  /** Placed there. */
  givenBytes: count,
  /** Of these, said to be held in full. */
  heldBytes: count,
  /** Of these, proven. */
  provenBytes: count,
  givenByteDays: count,
  heldByteDays: count,
  provenByteDays: count,
});

/** `GET /v1/backup/accounts`. */
export const accountsShape = z.object({
  accounts: z.array(
    z.object({
      site: z.string(),
      name: z.string(),
      /** What that site keeps for this one. */
      keepsForUs: account,
      weKeep: account,
    }),
  ),
});

/** What is kept here of data sets of other sites, and what a person has to decide about it. */
export const keptShape = z.object({
  /** What this site lends now; 0: others are to take over what is here. */
  lentBytes: count,
  sets: z.array(
    z.object({
      owner: z.string(),
      set: z.string(),
      /** Its placement groups that are here. */
      groups: count,
      /** Days that a shard is kept after the last list that named it; null while unknown. */
      lockDays: count.nullable(),
      /** A shorter lock that the owner's key has signed, and when it counts. */
      pending: z.object({ days: count, inMs: count }).nullable(),
      /** Named by the newest lists. */
      heldBytes: count,
      /** Named no more, under the lock. */
      lockedBytes: count,
      /** Named no more, the lock is over: goes within 14 days. */
      trashBytes: count,
      /** The set has shrunk from and to so much: nothing goes until somebody agrees. */
      asked: z.object({ fromBytes: count, toBytes: count }).nullable(),
      isNeverAsked: z.boolean(),
      /** Others hold so many groups in place of this site: they go then. */
      letGo: z.object({ groups: count, inMs: count }).nullable(),
      /** Why nothing could be concluded at the last look. */
      trouble: z.string().nullable(),
    }),
  ),
  /** What each owner uses and may use here. */
  owners: z.array(
    z.object({
      owner: z.string(),
      name: z.string(),
      /** On the disk, lists and trash included. */
      usedBytes: count,
      /** What is lent to it; null: nothing. */
      capBytes: count.nullable(),
      /** What it may send in a day, and still today. */
      dailyBytes: count,
      todayBytes: count,
      /** Its first upload is not over: it has no daily limit. */
      isFirst: z.boolean(),
      /** Why what it sent last waits at its site. */
      waitingFor: z.enum(["space", "cap", "owner", "intake"]).nullable(),
    }),
  ),
});

/** Body of `PUT /v1/backup/sets/:set/rules`: where the copies of an own set may lie. */
export const setRulesShape = z.strictObject({
  /** ISO 3166-1 alpha-2; empty: any. */
  allow: z.array(country).max(COUNTRY_COUNT),
  deny: z.array(country).max(COUNTRY_COUNT),
  /** Names or identifiers of sites; null: any. */
  holders: z.array(z.string().min(1).max(64)).max(MAX_NAMED_HOLDERS).nullable(),
  /** Whether shards stay here when all other sites have signed for them. */
  local: z.enum(["keep", "drop"]),
});
export type SetRules = z.infer<typeof setRulesShape>;

/** Answer: the named holders that are no members. */
export const setRulesAnswerShape = z.object({ unknown: z.array(z.string()) });

/** Body of `POST /v1/backup/kept/:owner/:set`. */
export const keptDecisionShape = z.strictObject({
  /** `agree`: what left the lists may go; `object`: the lock stays as long as it is. */
  decision: z.enum(["agree", "agree-always", "object"]),
});

/** `GET /v1/backup/locks`: shorter locks that are pending at any holder. */
export const pendingLocksShape = z.object({
  locks: z.array(
    z.object({
      owner: z.string(),
      set: z.string(),
      /** The holder that tells of it. */
      site: z.string(),
      days: count,
      wantedDays: count,
      /** The DELEGATE that wants it. */
      statement: z.string(),
      /** Of the holder's running time. */
      leftDays: count,
      /** Keys that have objected. */
      objections: z.array(z.string()),
    }),
  ),
});

/** Body of `POST /v1/backup/objections`. */
export const objectionShape = z.strictObject({
  owner: z.string().regex(/^[0-9a-f]{64}$/, "is not an owner identifier"),
  statement: z.string().regex(/^[0-9a-f]{64}$/, "is not a statement identifier"),
  key: z.string().regex(/^[0-9a-f]{64}$/, "is not a key"),
  signature: z.string().regex(/^[0-9a-f]{128}$/, "is not a signature"),
});
export type ObjectionRequest = z.infer<typeof objectionShape>;

export const keptDecidedShape = z.object({ decided: z.literal(true) });

/** Body of `POST /v1/recover`. */
export const recoverRequestShape = z.strictObject({
  meshId: z.string().regex(/^[0-9a-f]{64}$/, "is not a mesh identifier"),
  /** Multiaddrs of members, with `/p2p/…` at their end. */
  members: z.array(z.string().min(1).max(512)).min(1).max(64),
  /** 32 bytes: the seed of the recovery PeerId, which opens links and nothing else. */
  recoverySeed: base64,
  via: z.enum(["state", "dht", "any"]).default("any"),
});
export type RecoverRequest = z.infer<typeof recoverRequestShape>;

export const recoverStartedShape = z.object({ session: z.string() });

/** `DELETE /v1/recover/:session`. */
export const recoverEndedShape = z.object({ ended: z.literal(true) });

export const recoverStatusShape = z.object({
  state: z.enum(["asking", "ready", "failed"]),
  /** Members that answered. */
  asked: count,
  /** Why it failed, or what was skipped, as sentences for a person. */
  problems: z.array(z.string()),
  sets: z.array(
    z.object({
      ...summary,
      groups: z.array(groupShape),
    }),
  ),
  heads: z.array(
    z.object({
      set: z.string(),
      head: headShape,
      confirmedBy: count,
      witnesses: count,
      /** Whether a signed list with this head is at hand. */
      available: z.boolean(),
    }),
  ),
});
