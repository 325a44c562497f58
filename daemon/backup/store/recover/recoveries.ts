/** The recoveries under way on this box; each has a link of its own, under the recovery key. */
import type { Clock } from "../../../core/clock.ts";
import type { Channel } from "../../../core/transport.ts";
import { parseId, toHex, type MeshId, type PeerKey } from "../../../../protocol/ids.ts";
import type { SetId, ShardId } from "../../../../protocol/ids.ts";
import { RECOVER_PROTOCOL } from "../../../../protocol/messages/recover-message.ts";
import { signingKey, type SigningKey } from "../../../../protocol/keys/signature.ts";
import { BackupError } from "../error.ts";
import { Recovery, type RecoverVia } from "./recovery.ts";

/** A network node under a recovery key: it dials members, and nobody dials it. */
export interface RecoveryLink {
  openOutsider(
    address: string,
    protocol: typeof RECOVER_PROTOCOL,
    timeoutMs: number,
  ): Promise<Channel<PeerKey>>;
  stop(): Promise<void>;
}

export interface RecoverRequest {
  readonly meshId: string;
  readonly members: readonly string[];
  /** 32 bytes, base64. */
  readonly recoverySeed: string;
  readonly via: RecoverVia;
}

/** A recovery that nobody has asked about for so long is ended. */
const FORGOTTEN_MS = 60 * 60_000;
/** More at once would be a mistake. */
const MAX_SESSIONS = 8;

interface Session {
  readonly recovery: Recovery;
  readonly link: RecoveryLink;
  cancelForgetting: () => void;
}

export class Recoveries {
  readonly #startLink: (key: SigningKey) => Promise<RecoveryLink>;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();

  constructor(startLink: (key: SigningKey) => Promise<RecoveryLink>, clock: Clock) {
    this.#startLink = startLink;
    this.#clock = clock;
  }

  /** Begins to ask; how it goes is told by {@link status}. */
  async start(request: RecoverRequest): Promise<string> {
    const mesh = parseId<MeshId>(request.meshId);
    const seed = Buffer.from(request.recoverySeed, "base64");
    if (mesh === undefined || seed.length !== 32) {
      const message = "A recovery needs a mesh identifier and a seed of 32 bytes.";
      throw new BackupError("E-BACKUP-INPUT", message, { exit: 2 });
    }
    if (this.#sessions.size >= MAX_SESSIONS) {
      throw new BackupError("E-BACKUP-INPUT", "Too many recoveries are under way.", { exit: 2 });
    }
    const link = await this.#startLink(signingKey(seed));
    const recovery = new Recovery(
      mesh,
      request.members,
      request.via,
      (address, timeoutMs) => link.openOutsider(address, RECOVER_PROTOCOL, timeoutMs),
      this.#clock,
    );
    const id = toHex(this.#clock.random(16));
    const session: Session = { recovery, link, cancelForgetting: () => {} };
    this.#sessions.set(id, session);
    this.#touch(id, session);
    void recovery.run();
    return id;
  }

  status(id: string) {
    return this.#session(id).recovery.status();
  }

  shard(id: string, set: SetId, shard: ShardId): Promise<Uint8Array> {
    return this.#session(id).recovery.shard(set, shard);
  }

  async end(id: string): Promise<void> {
    const session = this.#session(id);
    this.#sessions.delete(id);
    session.cancelForgetting();
    session.recovery.end();
    await session.link.stop();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((id) => this.end(id)));
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) {
      throw new BackupError("E-NOT-FOUND", "There is no such recovery.", {
        hint: "It ended with the daemon, or after an hour. Start again: pleach recover",
      });
    }
    this.#touch(id, session);
    return session;
  }

  #touch(id: string, session: Session): void {
    session.cancelForgetting();
    session.cancelForgetting = this.#clock.after(FORGOTTEN_MS, () => {
      this.end(id).catch(() => {});
    });
  }
}
