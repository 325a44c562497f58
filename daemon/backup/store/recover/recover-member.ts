/** One member that a recovering box asks: a few channels, one question at a time on each. */
import type { Channel } from "../../../core/transport.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { MeshId, OwnerId, PeerKey, SetId, ShardId } from "../../../../protocol/ids.ts";
import {
  decodeAnswer,
  encodeQuestion,
  type RecoverAnswer,
  type RecoverQuestion,
  type SiteAddresses,
} from "../../../../protocol/messages/recover-message.ts";
import {
  decodeStatement,
  type SignedStatement,
} from "../../../../protocol/statements/statement.ts";
import { isRangeStart } from "../../../../protocol/backup/shard-ranges.ts";
import { BackupError } from "../error.ts";
import { readRanges, type AskOptions, type RangeTarget } from "../shards/read-ranges.ts";
import { readRaw } from "../lists/list-channel.ts";

/** Opens `/pleach/recover/1` at an address. */
export type OpenRecovery = (address: string, timeoutMs: number) => Promise<Channel<PeerKey>>;

const OPEN_TIMEOUT_MS = 15_000;
/** Looking up provider records takes a member up to 20 s. */
const ANSWER_TIMEOUT_MS = 45_000;
/** No member has more to say about one owner. */
const MAX_ITEMS = 20_000;
/** Channels to one member: while one waits for its disk, the other uses the line. */
const MAX_CHANNELS = 2;

export class RecoverMember {
  readonly address: string;
  readonly #open: OpenRecovery;
  readonly #mesh: MeshId;
  readonly #idle: Channel<PeerKey>[] = [];
  readonly #waiting: (() => void)[] = [];
  #channels = 0;
  #owner: OwnerId | undefined;

  constructor(address: string, mesh: MeshId, open: OpenRecovery) {
    this.address = address;
    this.#mesh = mesh;
    this.#open = open;
  }

  /** The owner that the member takes us for. Undefined before the first answer. */
  get owner(): OwnerId | undefined {
    return this.#owner;
  }

  async statements(): Promise<readonly SignedStatement[]> {
    const answers = await this.#ask({ k: "statements" });
    return answers
      .flatMap((answer) => (answer.k === "statements" ? answer.items : []))
      .map(decodeStatement);
  }

  async lists(): Promise<readonly { header: Uint8Array; signature: Uint8Array }[]> {
    const answers = await this.#ask({ k: "lists" });
    return answers.flatMap((answer) => (answer.k === "lists" ? answer.items : []));
  }

  async state(): Promise<{ heads: { set: SetId; head: Head }[]; holders: SiteAddresses[] }> {
    const answers = await this.#ask({ k: "state" });
    const states = answers.filter((answer) => answer.k === "state");
    return {
      heads: states.flatMap(({ heads }) => heads),
      holders: states.flatMap(({ holders }) => holders),
    };
  }

  async providers(): Promise<readonly SiteAddresses[]> {
    const answers = await this.#ask({ k: "providers" });
    return answers.flatMap((answer) => (answer.k === "providers" ? answer.sites : []));
  }

  /** Packed entries, not yet verified. */
  entries(set: SetId, group: number): Promise<Uint8Array | undefined> {
    return this.#askRaw({ k: "entries", set, group });
  }

  /**
   * Gives a shard, or the rest of it, to the target. Whether the member has it.
   *
   * @throws BackupError (E-BACKUP-SHARD) when it gives what is not the shard.
   */
  shard(set: SetId, shard: ShardId, target: RangeTarget, options: AskOptions): Promise<boolean> {
    return this.#with(async (channel) => {
      const wanted = target.startBytes();
      await channel.send(encodeQuestion({ k: "shard", set, shard, from: wanted }));
      const answer = await nextAnswer(channel);
      if (answer.k !== "shard") return false;
      const { sizeBytes, roots } = answer;
      const from = isRangeStart(sizeBytes, wanted) ? wanted : 0;
      await readRanges(channel, await target.begin(sizeBytes, roots, from), options);
      return true;
    });
  }

  close(): void {
    for (const channel of this.#idle.splice(0)) channel.abort("the recovery is over");
  }

  async #ask(question: RecoverQuestion): Promise<RecoverAnswer[]> {
    return this.#with(async (channel) => {
      await channel.send(encodeQuestion(question));
      const answers: RecoverAnswer[] = [];
      for (;;) {
        const answer = await nextAnswer(channel);
        answers.push(answer);
        if (!("more" in answer) || !answer.more) return answers;
        if (answers.length * 10 > MAX_ITEMS) {
          throw new BackupError("E-BACKUP-PEER", "A member's answer does not end.");
        }
      }
    });
  }

  async #askRaw(question: RecoverQuestion): Promise<Uint8Array | undefined> {
    return this.#with(async (channel) => {
      await channel.send(encodeQuestion(question));
      const answer = await nextAnswer(channel);
      return answer.k === "raw" ? readRaw(channel, answer.sizeBytes) : undefined;
    });
  }

  async #with<Value>(work: (channel: Channel<PeerKey>) => Promise<Value>): Promise<Value> {
    while (this.#idle.length === 0 && this.#channels >= MAX_CHANNELS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    let channel = this.#idle.pop();
    if (channel === undefined) {
      this.#channels++;
      try {
        channel = await this.#connect();
      } catch (error) {
        this.#left();
        throw error;
      }
    }
    try {
      const value = await work(channel);
      this.#idle.push(channel);
      this.#waiting.shift()?.();
      return value;
    } catch (error) {
      channel.abort("an answer was wrong or late");
      this.#left();
      throw error;
    }
  }

  #left(): void {
    this.#channels--;
    this.#waiting.shift()?.();
  }

  async #connect(): Promise<Channel<PeerKey>> {
    const channel = await this.#open(this.address, OPEN_TIMEOUT_MS);
    try {
      await channel.send(encodeQuestion({ k: "hello", v: 1, mesh: this.#mesh }));
      const answer = await nextAnswer(channel);
      if (answer.k !== "welcome") {
        throw new BackupError("E-BACKUP-PEER", "The member did not welcome us.");
      }
      this.#owner = answer.owner;
      return channel;
    } catch (error) {
      channel.abort("no welcome");
      throw error;
    }
  }
}

async function nextAnswer(channel: Channel<PeerKey>): Promise<RecoverAnswer> {
  const frame = await channel.receive(ANSWER_TIMEOUT_MS);
  if (frame === undefined) {
    throw new BackupError("E-BACKUP-PEER", "The member does not let this key recover anything.");
  }
  return decodeAnswer(frame);
}
