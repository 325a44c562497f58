/**
 * A data set of random shards, put through the control socket as the backup client does.
 *
 * To the network side shards are bytes without a meaning, so random ones serve; what is sealed in
 * real ones is the matter of other tests.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { commitAnswerShape, copiesShape, setDetailShape } from "../daemon/control/shapes-backup.ts";
import { parseId, toHex, type OwnerId, type SetId, type ShardId } from "../protocol/ids.ts";
import { shardIdOf } from "../protocol/backup/shard-id.ts";
import type { TestSite } from "./test-site.ts";
import { waitFor } from "./wait.ts";

const ownerFile = z.looseObject({ meshId: z.string(), ownerId: z.string() });

export class StoredSet {
  readonly site: TestSite;
  readonly meshId: string;
  readonly owner: OwnerId;
  readonly set: SetId;
  /** Every shard that the newest list names. */
  readonly shards = new Map<ShardId, Uint8Array>();
  readonly #chain = toHex(randomBytes(16));
  #root: ShardId | null = null;
  #number = 0;

  private constructor(site: TestSite, meshId: string, owner: OwnerId) {
    this.site = site;
    this.meshId = meshId;
    this.owner = owner;
    this.set = toHex(randomBytes(16)) as SetId;
  }

  /** A new set of the owner whose keys lie at the site. */
  static async create(site: TestSite): Promise<StoredSet> {
    const text = await readFile(join(site.keysDirectory, "owner.json"), "utf8");
    const { meshId, ownerId } = ownerFile.parse(JSON.parse(text));
    const owner = parseId<OwnerId>(ownerId);
    assert.ok(owner);
    return new StoredSet(site, meshId, owner);
  }

  get path(): string {
    return `/v1/backup/sets/${this.set}`;
  }

  /** Bytes of all shards. */
  get bytes(): number {
    return [...this.shards.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Stores one shard; it counts with the next {@link commit}. */
  async put(sizeBytes: number): Promise<[ShardId, Uint8Array]> {
    const bytes = randomBytes(sizeBytes);
    const shard = shardIdOf(this.owner, this.set, bytes);
    const status = await this.site.client.putOctets(`${this.path}/shards/${shard}`, bytes);
    assert.equal(status, 201);
    return [shard, bytes];
  }

  /** Publishes shards as the next snapshot. */
  async commit(
    added: readonly [ShardId, Uint8Array][],
    remove: readonly ShardId[] = [],
  ): Promise<void> {
    const root = added[0]?.[0];
    assert.ok(root);
    const head = { chain: this.#chain, number: this.#number + 1, previous: this.#root, root };
    await this.site.client.post(
      `${this.path}/commit`,
      {
        ...{ owner: this.owner, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3, remove },
        head: { ...head, atMs: 1 },
        add: added.map(([shard, { length }]) => [shard, length]),
      },
      commitAnswerShape,
    );
    this.#number++;
    this.#root = root;
    for (const [shard, bytes] of added) this.shards.set(shard, bytes);
    for (const shard of remove) this.shards.delete(shard);
  }

  /** Stores shards of these sizes and publishes them. */
  async backUp(sizes: readonly number[]): Promise<void> {
    const added: [ShardId, Uint8Array][] = [];
    for (const size of sizes) added.push(await this.put(size));
    await this.commit(added);
  }

  copies(detail = false): Promise<z.infer<typeof copiesShape>> {
    const path = `${this.path}/copies${detail ? "?detail=1" : ""}`;
    return this.site.client.get(path, copiesShape);
  }

  detail(): Promise<z.infer<typeof setDetailShape>> {
    return this.site.client.get(this.path, setDetailShape);
  }

  async untilSafe(timeoutMs: number): Promise<void> {
    await waitFor("three copies", timeoutMs, async () => {
      const copies = await this.copies();
      if (!copies.safe) throw new Error(JSON.stringify(copies));
      return true;
    });
  }
}
