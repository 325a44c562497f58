/** Routes of backups: the client's door to the local store, to the lists, and to recovery. */
import { Hono } from "hono";
import type { z } from "zod";
import {
  parseId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
} from "../../protocol/ids.ts";
import { readJson, readOctets, RequestError } from "./body.ts";
import { BodyMemory } from "./body-memory.ts";
import {
  commitRequestShape,
  keptDecisionShape,
  objectionShape,
  recoverRequestShape,
  setRulesShape,
  type accountsShape,
  type commitAnswerShape,
  type CommitRequest,
  type copiesShape,
  type headsShape,
  type keptShape,
  type ObjectionRequest,
  type pendingLocksShape,
  type receiptsShape,
  type recoverStatusShape,
  type RecoverRequest,
  type setDetailShape,
  type SetRules,
  type setSummaryShape,
} from "./shapes-backup.ts";

/** Filled in `main.ts` with the network side of backups. */
export interface BackupPort {
  sets(): Promise<z.infer<typeof setSummaryShape>[]>;
  set(set: SetId): Promise<z.infer<typeof setDetailShape>>;
  /** @param bytes - Not to be used after the answer: their memory is used again. */
  putShard(
    set: SetId,
    shard: ShardId,
    bytes: Uint8Array,
    onWritten: () => void,
  ): Promise<"stored" | "there">;
  getShard(set: SetId, shard: ShardId): Promise<Uint8Array>;
  /**
   * From one site alone.
   *
   * @param keep - It takes the place of a copy here that is not sound.
   */
  getShardFrom(site: SiteId, set: SetId, shard: ShardId, keep: boolean): Promise<Uint8Array>;
  commit(set: SetId, request: CommitRequest): Promise<z.infer<typeof commitAnswerShape>>;
  /** Resolves when the rules are durable. @returns named holders that are no members. */
  setRules(set: SetId, rules: SetRules): Promise<readonly string[]>;
  /** Asks the members, so it takes as long as they take. */
  heads(set: SetId): Promise<z.infer<typeof headsShape>>;
  copies(set: SetId, detail: boolean): Promise<z.infer<typeof copiesShape>>;
  receipts(set: SetId, shard: ShardId): Promise<z.infer<typeof receiptsShape>["receipts"]>;
  /** What this site and others do for one another. */
  accounts(): z.infer<typeof accountsShape>["accounts"];
  /** Shorter locks that are pending at any holder. */
  pendingLocks(): z.infer<typeof pendingLocksShape>["locks"];
  /** Passes on what somebody signed against one. */
  addObjection(objection: ObjectionRequest): Promise<void>;
  /** What is kept of data sets of other sites. */
  kept(): z.infer<typeof keptShape>;
  /** False when nothing of the set is kept here. */
  decide(
    owner: OwnerId,
    set: SetId,
    decision: z.infer<typeof keptDecisionShape>["decision"],
  ): Promise<boolean>;
}

/** Filled in `main.ts` with the recovery sessions. */
export interface RecoverPort {
  start(request: RecoverRequest): Promise<string>;
  status(session: string): z.infer<typeof recoverStatusShape>;
  shard(session: string, set: SetId, shard: ShardId): Promise<Uint8Array>;
  end(session: string): Promise<void>;
}

/** No shard is longer. */
const MAX_SHARD_BYTES = 4 * 1024 * 1024;
/** Some 1.7 million entries: what a run of 7 TB adds. */
const MAX_COMMIT_BYTES = 128 * 1024 * 1024;

export function backupRoutes(port: BackupPort, recovery: RecoverPort): Hono {
  const app = new Hono();
  const memory = new BodyMemory(MAX_SHARD_BYTES);
  app.get("/backup/kept", (context) => context.json(port.kept()));
  app.post("/backup/kept/:owner/:set", async (context) => {
    const owner = ownerIn(context.req.param("owner"));
    const set = setIn(context.req.param("set"));
    const { decision } = await readJson(context, keptDecisionShape);
    if (!(await port.decide(owner, set, decision))) {
      throw new RequestError("E-NOT-FOUND", `Nothing of the data set ${set} is kept here.`, {
        hint: "What is kept:  pleach backup kept",
      });
    }
    return context.json({ decided: true });
  });
  app.get("/backup/locks", (context) => context.json({ locks: port.pendingLocks() }));
  app.post("/backup/objections", async (context) => {
    await port.addObjection(await readJson(context, objectionShape));
    return context.json({ decided: true });
  });
  app.get("/backup/accounts", (context) => context.json({ accounts: port.accounts() }));
  app.get("/backup/sets", async (context) => context.json({ sets: await port.sets() }));
  app.get("/backup/sets/:set", async (context) =>
    context.json(await port.set(setIn(context.req.param("set")))),
  );
  app.put("/backup/sets/:set/shards/:shard", async (context) => {
    const set = setIn(context.req.param("set"));
    const shard = shardIn(context.req.param("shard"));
    let taken: Uint8Array | undefined;
    const giveBack = (): void => {
      if (taken !== undefined) memory.giveBack(taken);
      taken = undefined;
    };
    try {
      const bytes = await readOctets(
        context,
        MAX_SHARD_BYTES,
        (size) => (taken = memory.take(size)),
      );
      const outcome = await port.putShard(set, shard, bytes, giveBack);
      return context.json({ shard, stored: outcome }, outcome === "stored" ? 201 : 200);
    } finally {
      giveBack();
    }
  });
  app.get("/backup/sets/:set/shards/:shard", async (context) => {
    const set = setIn(context.req.param("set"));
    const shard = shardIn(context.req.param("shard"));
    const from = context.req.query("from");
    if (from === undefined) return octets(await port.getShard(set, shard));
    const keep = context.req.query("keep") === "1";
    return octets(await port.getShardFrom(siteIn(from), set, shard, keep));
  });
  app.get("/backup/sets/:set/shards/:shard/receipts", async (context) => {
    const set = setIn(context.req.param("set"));
    const shard = shardIn(context.req.param("shard"));
    return context.json({ receipts: await port.receipts(set, shard) });
  });
  app.post("/backup/sets/:set/commit", async (context) => {
    const set = setIn(context.req.param("set"));
    const request = await readJson(context, commitRequestShape, MAX_COMMIT_BYTES);
    return context.json(await port.commit(set, request));
  });
  app.put("/backup/sets/:set/rules", async (context) => {
    const set = setIn(context.req.param("set"));
    const rules = await readJson(context, setRulesShape);
    return context.json({ unknown: await port.setRules(set, rules) });
  });
  app.get("/backup/sets/:set/copies", async (context) => {
    const set = setIn(context.req.param("set"));
    return context.json(await port.copies(set, context.req.query("detail") === "1"));
  });
  app.get("/backup/sets/:set/heads", async (context) =>
    context.json(await port.heads(setIn(context.req.param("set")))),
  );
  app.post("/recover", async (context) => {
    const request = await readJson(context, recoverRequestShape);
    return context.json({ session: await recovery.start(request) }, 201);
  });
  app.get("/recover/:session", (context) =>
    context.json(recovery.status(context.req.param("session"))),
  );
  app.get("/recover/:session/sets/:set/shards/:shard", async (context) => {
    const set = setIn(context.req.param("set"));
    const shard = shardIn(context.req.param("shard"));
    return octets(await recovery.shard(context.req.param("session"), set, shard));
  });
  app.delete("/recover/:session", async (context) => {
    await recovery.end(context.req.param("session"));
    return context.json({ ended: true });
  });
  return app;
}

function octets(bytes: Uint8Array): Response {
  const body = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return new Response(body, {
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(bytes.length),
    },
  });
}

function setIn(text: string): SetId {
  const set = parseId<SetId>(text, 16);
  if (set !== undefined) return set;
  throw new RequestError("E-REQUEST", `"${text}" is not a data set identifier.`, { exit: 2 });
}

function ownerIn(text: string): OwnerId {
  const owner = parseId<OwnerId>(text);
  if (owner !== undefined) return owner;
  throw new RequestError("E-REQUEST", `"${text}" is not an owner identifier.`, { exit: 2 });
}

function siteIn(text: string): SiteId {
  const site = parseId<SiteId>(text);
  if (site !== undefined) return site;
  throw new RequestError("E-REQUEST", `"${text}" is not a site identifier.`, { exit: 2 });
}

function shardIn(text: string): ShardId {
  const shard = parseId<ShardId>(text);
  if (shard !== undefined) return shard;
  throw new RequestError("E-REQUEST", `"${text}" is not a shard identifier.`, { exit: 2 });
}
