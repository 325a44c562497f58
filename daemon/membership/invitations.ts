/**
 * The invitations that this node issued, and who answered them.
 *
 * An invitation is used once: the first right proof binds it to the applicant's key, and that is
 * on disk before the applicant hears of it. The same key may prove itself again, so that a lost
 * line or a restart costs nothing. Of the secret only the key of the proofs is kept.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/cbor.ts";
import { MAX_APPLICATION_BYTES } from "../../protocol/application.ts";
import { toHex, type MeshId, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import {
  INVITATION_SECRET_BYTES,
  joinProof,
  MAX_INVITATION_ADDRESSES,
  printInvitation,
  proofKeyOf,
} from "../../protocol/invitation.ts";
import { bytesField, countField, idField } from "../../protocol/wire-field.ts";
import type { Clock } from "../core/clock.ts";
import { prefixRange, type Store } from "../core/store.ts";
import { MembershipError } from "./error.ts";

const PREFIX = "membership/invitation/";

/** Each one open is a door; a person hands out few at a time. */
export const MAX_INVITATIONS = 32;
const HOUR_MS = 3_600_000;
export const DEFAULT_TTL_MS = 24 * HOUR_MS;
const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 7 * 24 * HOUR_MS;
/** How long an operator may take to approve, and an applicant to fetch what was approved. */
const ANSWER_MS = 7 * 24 * HOUR_MS;

const RECORD = z.strictObject({
  v: z.literal(1),
  proofKey: bytesField(32, 32),
  expiresAtMs: countField(0),
  /** The key that proved the code first; nobody else can use it. */
  applicant: idField<PeerKey>().nullable(),
  /** When it was proved, or when the application came last. */
  answeredAtMs: countField(0),
  application: bytesField(1, MAX_APPLICATION_BYTES).nullable(),
  declined: z.boolean(),
});
type InvitationRecord = z.output<typeof RECORD>;

/** One that was proved. */
export interface UsedInvitation {
  readonly proofKey: Uint8Array;
  readonly applicant: PeerKey;
  readonly answeredAtMs: number;
  /** As it came; undefined until the applicant has applied. */
  readonly application: Uint8Array | undefined;
  readonly declined: boolean;
}

export class Invitations {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #records = new Map<string, InvitationRecord>();
  /** Changes happen one after another, so that two applicants cannot use one code. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  static async open(store: Store, clock: Clock): Promise<Invitations> {
    const invitations = new Invitations(store, clock);
    for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
      const record = read(value);
      // A damaged one admits nobody: its holder gets the refusal of an unknown code.
      if (record !== undefined) invitations.#records.set(key, record);
    }
    return invitations;
  }

  /**
   * Makes a code; durable when it resolves.
   *
   * @param isMember - Who has become a member waits for nothing any more.
   * @throws MembershipError when there are too many, or the time is out of range.
   */
  issue(
    meshId: MeshId,
    issuer: SiteId,
    addresses: readonly string[],
    isMember: (key: PeerKey) => boolean,
    ttlMs = DEFAULT_TTL_MS,
  ): Promise<{ readonly code: string; readonly expiresAtMs: number }> {
    return this.#inTurn(async () => {
      await this.#forgetOld();
      if (ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS) {
        throw new MembershipError("E-INVITE-TTL", "An invitation lasts from 1 second to 7 days.", {
          exit: 2,
        });
      }
      const waiting = [...this.#records.values()].filter(
        ({ applicant, declined }) => !declined && (applicant === null || !isMember(applicant)),
      );
      if (waiting.length >= MAX_INVITATIONS) {
        throw new MembershipError(
          "E-INVITE-MANY",
          `${MAX_INVITATIONS} invitations are open or wait for an answer.`,
          { hint: "Approve or decline what waits, or let the old ones expire." },
        );
      }
      const secret = this.#clock.random(INVITATION_SECRET_BYTES);
      const expiresAtMs = this.#clock.wallMs() + ttlMs;
      await this.#write({
        v: 1,
        proofKey: proofKeyOf(secret),
        expiresAtMs,
        applicant: null,
        answeredAtMs: 0,
        application: null,
        declined: false,
      });
      const at = addresses.slice(0, MAX_INVITATION_ADDRESSES);
      return {
        code: printInvitation({ meshId, issuer, addresses: at, secret, expiresAtMs }),
        expiresAtMs,
      };
    });
  }

  /** Whether somebody who is no member has something to say to this node now. */
  isOpen(isMember: (key: PeerKey) => boolean): boolean {
    return [...this.#records.values()].some(
      (record) =>
        !this.#isOver(record) && (record.applicant === null || !isMember(record.applicant)),
    );
  }

  /**
   * The invitation that a proof is for. The first right one uses it up, durably.
   *
   * Undefined for a code that was guessed, has expired, or was used by another key: whoever asks
   * cannot tell which.
   */
  prove(
    meshId: MeshId,
    issuer: SiteId,
    applicant: PeerKey,
    nonce: Uint8Array,
    proof: Uint8Array,
  ): Promise<UsedInvitation | undefined> {
    return this.#inTurn(async () => {
      let found: InvitationRecord | undefined;
      for (const record of this.#records.values()) {
        const right = joinProof(record.proofKey, meshId, applicant, issuer, nonce);
        if (timingSafeEqual(right, proof)) found = record;
      }
      if (found === undefined || this.#isOver(found)) return undefined;
      if (found.applicant === null) {
        found = { ...found, applicant, answeredAtMs: this.#clock.wallMs() };
        await this.#write(found);
      }
      return found.applicant === applicant ? used(found) : undefined;
    });
  }

  /**
   * Keeps what the applicant asks for, in place of what it asked for before. Durable.
   *
   * One that was declined changes nothing any more: asking on must not keep the door open.
   */
  async apply(invitation: UsedInvitation, application: Uint8Array): Promise<void> {
    if (this.#records.get(keyOf(invitation.proofKey))?.declined === true) return;
    return this.#change(invitation, (record) => ({ ...record, application }));
  }

  /** Durable. The applicant hears of it when it asks again. */
  decline(invitation: UsedInvitation): Promise<void> {
    return this.#change(invitation, (record) => ({ ...record, declined: true }));
  }

  /** Those that were proved and are not over, declined ones too. */
  used(): readonly UsedInvitation[] {
    return [...this.#records.values()].flatMap((record) => {
      const invitation = this.#isOver(record) ? undefined : used(record);
      return invitation === undefined ? [] : [invitation];
    });
  }

  #change(
    invitation: UsedInvitation,
    change: (record: InvitationRecord) => InvitationRecord,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const record = this.#records.get(keyOf(invitation.proofKey));
      if (record === undefined || this.#isOver(record)) {
        throw new MembershipError("E-APPLICATION-UNKNOWN", "The application has expired.", {
          hint: "Invite again.",
        });
      }
      await this.#write({ ...change(record), answeredAtMs: this.#clock.wallMs() });
    });
  }

  #isOver(record: InvitationRecord): boolean {
    const nowMs = this.#clock.wallMs();
    if (record.applicant === null) return nowMs >= record.expiresAtMs;
    return nowMs >= record.answeredAtMs + ANSWER_MS;
  }

  async #forgetOld(): Promise<void> {
    const over = [...this.#records].filter(([, record]) => this.#isOver(record));
    const deletions = over.map(([key]) => ({ kind: "delete", key }) as const);
    if (deletions.length > 0) await this.#store.write(deletions, "durable");
    for (const [key] of over) this.#records.delete(key);
  }

  async #write(record: InvitationRecord): Promise<void> {
    const key = keyOf(record.proofKey);
    const value = encodeCbor(z.encode(RECORD, record) as CborValue);
    await this.#store.write([{ kind: "put", key, value }], "durable");
    this.#records.set(key, record);
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }
}

function used(record: InvitationRecord): UsedInvitation | undefined {
  const { proofKey, applicant, answeredAtMs, application, declined } = record;
  if (applicant === null) return undefined;
  return { proofKey, applicant, answeredAtMs, application: application ?? undefined, declined };
}

function read(value: Uint8Array): InvitationRecord | undefined {
  try {
    return RECORD.safeParse(decodeCbor(value, MAX_APPLICATION_BYTES + 1024)).data;
  } catch {
    return undefined;
  }
}

function keyOf(proofKey: Uint8Array): string {
  return PREFIX + toHex(proofKey);
}
