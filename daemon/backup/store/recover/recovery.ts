/**
 * A recovery on an empty box: from some members' addresses and a recovery key to lists and shards.
 *
 * Asks every member it can find, believes none: statements are checked from the mesh's own
 * identifier on, lists by their signatures, shards by their names. The newest head counts by how
 * many members confirm it; several chains are all shown, a person picks.
 */
import { authorize } from "../../../core/authority/authorize.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Authority } from "../../../core/authority/authority.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { MeshId, OwnerId, SetId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import {
  checkEntries,
  listId,
  MAX_GROUPS,
  openListHeader,
  type ListEntry,
  type ListHeader,
} from "../../../../protocol/backup/list.ts";
import {
  isGenesis,
  meshIdOf,
  type SignedStatement,
} from "../../../../protocol/statements/statement.ts";
import { BackupError } from "../error.ts";
import { ShardFetcher, type ShardSource, type SourceFailed } from "../spread/fetch-any.ts";
import { headsOf, type HeadClaim } from "../own/head-tips.ts";
import { RecoverMember, type OpenRecovery } from "./recover-member.ts";

/** By which way holders are found. */
export type RecoverVia = "state" | "dht" | "any";

/** Members asked in one recovery; a mesh has at most some dozens. */
const MAX_MEMBERS = 256;
/** Rounds of "ask the new ones, learn of more". */
const MAX_ROUNDS = 4;

interface FoundList {
  readonly header: ListHeader;
  readonly id: string;
  readonly holders: RecoverMember[];
  entries: readonly ListEntry[];
}

export class Recovery {
  readonly #mesh: MeshId;
  readonly #via: RecoverVia;
  readonly #open: OpenRecovery;
  readonly #fetcher: ShardFetcher;
  readonly #members = new Map<string, RecoverMember>();
  readonly #answered = new Set<RecoverMember>();
  readonly #sites = new Set<SiteId>();
  readonly #statements = new Map<string, SignedStatement>();
  readonly #claims: HeadClaim<RecoverMember>[] = [];
  /** The newest list of each group, by set and group. */
  readonly #lists = new Map<string, FoundList>();
  /** Who has any list of a set: perhaps not its newest shards, but those of older snapshots. */
  readonly #holders = new Map<SetId, Set<RecoverMember>>();
  /** Roots of the heads in the lists at hand. */
  readonly #listed = new Set<ShardId>();
  readonly #problems: string[] = [];
  #authority: Authority | undefined;
  #state: "asking" | "ready" | "failed" = "asking";

  /** @param members - Multiaddrs that name their peers. */
  constructor(
    mesh: MeshId,
    members: readonly string[],
    via: RecoverVia,
    open: OpenRecovery,
    clock: Pick<Clock, "monotonicMs">,
  ) {
    this.#fetcher = new ShardFetcher(clock);
    this.#mesh = mesh;
    this.#via = via;
    this.#open = open;
    for (const address of members) this.#add(address);
  }

  /** Asks until nobody new is found. Never rejects: what went wrong stands in the status. */
  async run(): Promise<void> {
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const fresh = [...this.#members.values()].filter((one) => !this.#answered.has(one));
        const before = this.#members.size;
        await Promise.all(fresh.map((member) => this.#meet(member)));
        if (this.#members.size === before) break;
      }
      await Promise.all([...this.#lists.values()].map((list) => this.#loadEntries(list)));
      const usable = [...this.#lists.values()].filter(({ entries, header }) => {
        return entries.length === header.shards;
      });
      this.#state = usable.length > 0 ? "ready" : "failed";
      if (this.#answered.size === 0) this.#problems.push("No member answered.");
      else if (usable.length === 0) {
        this.#problems.push("No member that was found holds a list of this owner.");
      }
    } catch (error) {
      this.#state = "failed";
      this.#problems.push(error instanceof Error ? error.message : String(error));
    }
  }

  status() {
    return {
      state: this.#state,
      asked: this.#answered.size,
      problems: [...this.#problems],
      sets: this.#sets(),
      heads: headsOf(this.#claims, this.#listed).map(({ set, head, by }) => ({
        set: set as string,
        head,
        confirmedBy: by.size,
        witnesses: this.#witnessesOf(set),
        available: this.#listed.has(head.root),
      })),
    };
  }

  /** A verified shard, from any holder of the set. */
  async shard(set: SetId, shard: ShardId): Promise<Uint8Array> {
    const lists = this.#listsOf(set);
    const [any] = lists;
    if (any === undefined) {
      throw new BackupError("E-NOT-FOUND", `No list of the data set ${set} was found.`);
    }
    const newest = new Set(lists.flatMap(({ holders }) => holders));
    const others = new Set(this.#holders.get(set) ?? []).difference(newest);
    const tried: string[] = [];
    const onFailed: SourceFailed = (address, error, isLie) => {
      const what = isLie ? "other bytes" : error === undefined ? "not there" : messageOf(error);
      tried.push(`${address}: ${what}`);
      if (isLie) this.#problems.push(`${address}: gave what is not the shard ${shard}`);
    };
    const name = { owner: any.header.owner, set, shard };
    for (const members of [newest, others]) {
      const sources = [...members].map((member): ShardSource => ({
        id: member.address,
        ask: (target, options) => member.shard(set, shard, target, options),
      }));
      const bytes = await this.#fetcher.fetch(name, sources, onFailed);
      if (bytes !== undefined) return bytes;
    }
    throw new BackupError("E-NOT-FOUND", `No holder gave the shard ${shard}.`, {
      hint: `Asked: ${tried.join("; ")}`,
    });
  }

  end(): void {
    for (const member of this.#members.values()) member.close();
  }

  #add(address: string): void {
    const peer = address.slice(address.lastIndexOf("/p2p/"));
    if (this.#members.size >= MAX_MEMBERS || this.#members.has(peer)) return;
    this.#members.set(peer, new RecoverMember(address, this.#mesh, this.#open));
  }

  async #meet(member: RecoverMember): Promise<void> {
    try {
      await this.#learnStatements(member);
      await this.#learnLists(member);
      if (this.#via !== "dht") {
        const { heads, holders } = await member.state();
        for (const { set, head } of heads) this.#claims.push({ set, head, by: member });
        for (const { addresses, site } of holders) this.#learnSite(site, addresses);
      }
      if (this.#via !== "state") {
        for (const { addresses, site } of await member.providers()) {
          this.#learnSite(site, addresses);
        }
      }
      this.#answered.add(member);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#problems.push(`${member.address}: ${why}`);
    }
  }

  #learnSite(site: SiteId, addresses: readonly string[]): void {
    if (this.#sites.has(site)) return;
    this.#sites.add(site);
    // One address is enough to be asked; others of the same peer are the same member.
    for (const address of addresses) if (address.includes("/p2p/")) this.#add(address);
  }

  async #learnStatements(member: RecoverMember): Promise<void> {
    const statements = await member.statements();
    const genesis = statements.find(({ body }) => isGenesis(body));
    if (genesis === undefined || meshIdOf(genesis) !== this.#mesh) {
      throw new BackupError("E-BACKUP-PEER", "The member belongs to another mesh.");
    }
    const before = this.#statements.size;
    for (const statement of statements) this.#statements.set(statement.id, statement);
    if (this.#statements.size > before) this.#authority = authorize(this.#statements.values());
  }

  async #learnLists(member: RecoverMember): Promise<void> {
    for (const { header: bytes, signature } of await member.lists()) {
      const header = openListHeader(bytes, signature);
      if (header.owner !== member.owner || header.mesh !== this.#mesh) continue;
      if (!this.#maySign(header)) continue;
      const holders = this.#holders.get(header.set) ?? new Set();
      this.#holders.set(header.set, holders.add(member));
      if (header.head !== null) {
        this.#claims.push({ set: header.set, head: header.head, by: member });
        this.#listed.add(header.head.root);
      }
      const key = `${header.set}/${header.group}`;
      const known = this.#lists.get(key);
      const id = listId(bytes);
      if (known?.id === id) known.holders.push(member);
      else if (known === undefined || known.header.generation < header.generation) {
        this.#lists.set(key, { header, id, holders: [member], entries: [] });
      }
    }
  }

  /** Whether the owner has ever named the site for the set: also one that is no member any more. */
  #maySign({ owner, set, by }: ListHeader): boolean {
    return this.#authority?.delegationFor(owner, set, by) !== undefined;
  }

  async #loadEntries(list: FoundList): Promise<void> {
    for (const member of list.holders) {
      try {
        const packed = await member.entries(list.header.set, list.header.group);
        if (packed === undefined) continue;
        list.entries = checkEntries(list.header, packed);
        return;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#problems.push(`${member.address}: ${why}`);
      }
    }
  }

  /** Members that could know the head of a set: all but those that signed for it. */
  #witnessesOf(set: SetId): number {
    const signers = new Set(this.#listsOf(set).map(({ header }) => header.by));
    const members = [...(this.#authority?.sites.keys() ?? [])];
    const others = members.filter((site) => !signers.has(site)).length;
    return Math.max(others, this.#answered.size);
  }

  #listsOf(set: SetId): FoundList[] {
    return [...this.#lists.values()].filter(({ header }) => header.set === set);
  }

  #sets() {
    const ids = new Set([...this.#lists.values()].map(({ header }) => header.set));
    return [...ids].map((set) => {
      const lists = this.#listsOf(set).filter(({ header }) => header.group < MAX_GROUPS);
      const newest = lists.reduce((a, b) => (isNewer(b.header, a.header) ? b : a));
      const { owner, sealedName, keyEpoch, head, copies } = newest.header;
      const fewest = Math.min(...lists.map(({ holders }) => holders.length));
      return {
        setId: set as string,
        owner: owner as OwnerId as string,
        sealedName: Buffer.from(sealedName).toString("base64"),
        keyEpoch,
        head,
        shards: lists.reduce((sum, { header }) => sum + header.shards, 0),
        bytes: lists.reduce((sum, { header }) => sum + header.bytes, 0),
        copies: {
          wanted: copies,
          min: fewest,
          safe: false,
          missing: Math.max(0, copies - fewest),
          ...{ concerns: [], asks: [] },
        },
        mine: false,
        groups: lists.map(({ header, id, holders, entries }) => ({
          group: header.group,
          generation: header.generation,
          list: id,
          targets: holders.map(({ address }) => address),
          entries: entries.map(({ shard, sizeBytes }): [string, number] => [shard, sizeBytes]),
        })),
      };
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of two lists of a set, the one that was signed for the later snapshot. */
function isNewer(a: ListHeader, b: ListHeader): boolean {
  const number = (head: Head | null): number => head?.number ?? 0;
  if (a.head?.chain === b.head?.chain) return number(a.head) > number(b.head);
  return (a.head?.atMs ?? 0) > (b.head?.atMs ?? 0);
}
