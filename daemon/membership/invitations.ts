/**
 * The invitations that this node issued, and who answered them.
 *
 * An invitation is used once: the first right proof binds it to the applicant's key, and that is
 * on disk before the applicant hears of it. The same key may prove itself again, so that a lost
 * line or a restart costs nothing. Of the secret only the key of the proofs is kept.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import { MAX_APPLICATION_BYTES } from "../../protocol/messages/application.ts";
import { sha256, toHex, type MeshId, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import {
  INVITATION_SECRET_BYTES,
  joinProof,
  MAX_INVITATION_ADDRESSES,
  printInvitation,
  proofKeyOf,
} from "../../protocol/messages/invitation.ts";
import { bytesField, countField, idField } from "../../protocol/encoding/wire-field.ts";
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
/**
 * How long an operator may take to approve, and an applicant to fetch what was approved. Who only
 * proved the code has as long as the code: else a proof alone would hold a door open for a week.
 */
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

/** One that this node issued and that is not over, as people see it. */
export interface InvitationInfo {
  /** 8 hexadecimal digits. They open nothing. */
  readonly id: string;
  /** open: nobody has used it; proved: somebody has, and has not applied yet. */
  readonly state: "open" | "proved" | "applied" | "declined" | "joined";
  /** When it gives up its place, in milliseconds since 1970. */
  readonly endsAtMs: number;
  readonly application: Uint8Array | undefined;
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
   * @param hasEntered - Who was let in, member still or not, waits for nothing any more.
   * @throws MembershipError when there are too many, or the time is out of range.
   */
  issue(
    meshId: MeshId,
    issuer: SiteId,
    addresses: readonly string[],
    hasEntered: (key: PeerKey) => boolean,
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
        ({ applicant, declined }) => !declined && (applicant === null || !hasEntered(applicant)),
      );
      if (waiting.length >= MAX_INVITATIONS) {
        throw new MembershipError(
          "E-INVITE-MANY",
          `${MAX_INVITATIONS} invitations are open or wait for an answer.`,
          { hint: "See them:  pleach invite list   End one:  pleach invite withdraw ID" },
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
  isOpen(hasEntered: (key: PeerKey) => boolean): boolean {
    return [...this.#records.values()].some(
      (record) =>
        !this.#isOver(record) && (record.applicant === null || !hasEntered(record.applicant)),
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
   *
   * @returns False when the invitation is over.
   */
  async apply(invitation: UsedInvitation, application: Uint8Array): Promise<boolean> {
    if (this.#records.get(keyOf(invitation.proofKey))?.declined === true) return true;
    return this.#change(invitation, (record) => ({ ...record, application }));
  }

  /**
   * Durable. The applicant hears of it when it asks again.
   *
   * @throws MembershipError E-APPLICATION-UNKNOWN when the invitation is over.
   */
  async decline(invitation: UsedInvitation): Promise<void> {
    if (await this.#change(invitation, (record) => ({ ...record, declined: true }))) return;
    throw new MembershipError("E-APPLICATION-UNKNOWN", "The application has expired.", {
      hint: "Invite again.",
    });
  }

  /** Those that are not over, the one that ends first before the others. */
  list(hasEntered: (key: PeerKey) => boolean): readonly InvitationInfo[] {
    return [...this.#records.values()]
      .filter((record) => !this.#isOver(record))
      .map((record) => ({
        id: idOf(record),
        state: stateOf(record, hasEntered),
        endsAtMs: endOf(record),
        application: record.application ?? undefined,
      }))
      .toSorted((a, b) => a.endsAtMs - b.endsAtMs);
  }

  /**
   * Ends an invitation, whatever became of it; a site that has joined by it stays a member.
   * Durable.
   *
   * @returns What it was.
   * @throws MembershipError E-INVITE-UNKNOWN.
   */
  withdraw(id: string, hasEntered: (key: PeerKey) => boolean): Promise<InvitationInfo["state"]> {
    return this.#inTurn(async () => {
      const found = [...this.#records].find(
        ([, record]) => idOf(record) === id && !this.#isOver(record),
      );
      if (found === undefined) {
        throw new MembershipError("E-INVITE-UNKNOWN", `No invitation ${id} is open here.`, {
          hint: "Invitations are kept where they were made:  pleach invite list",
        });
      }
      const [key, record] = found;
      await this.#store.write([{ kind: "delete", key }], "durable");
      this.#records.delete(key);
      return stateOf(record, hasEntered);
    });
  }

  /** Those that were proved and are not over, declined ones too. */
  used(): readonly UsedInvitation[] {
    return [...this.#records.values()].flatMap((record) => {
      const invitation = this.#isOver(record) ? undefined : used(record);
      return invitation === undefined ? [] : [invitation];
    });
  }

  /** @returns False when the invitation is over, and nothing was changed. */
  #change(
    invitation: UsedInvitation,
    change: (record: InvitationRecord) => InvitationRecord,
  ): Promise<boolean> {
    return this.#inTurn(async () => {
      const record = this.#records.get(keyOf(invitation.proofKey));
      if (record === undefined || this.#isOver(record)) return false;
      await this.#write({ ...change(record), answeredAtMs: this.#clock.wallMs() });
      return true;
    });
  }

  #isOver(record: InvitationRecord): boolean {
    return this.#clock.wallMs() >= endOf(record);
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

function endOf({ application, declined, expiresAtMs, answeredAtMs }: InvitationRecord): number {
  return application === null && !declined ? expiresAtMs : answeredAtMs + ANSWER_MS;
}

function stateOf(
  { applicant, application, declined }: InvitationRecord,
  hasEntered: (key: PeerKey) => boolean,
): InvitationInfo["state"] {
  if (applicant === null) return "open";
  if (hasEntered(applicant)) return "joined";
  if (declined) return "declined";
  return application === null ? "proved" : "applied";
}

/** A hash: whoever knew the key of the proofs could prove the code. */
function idOf({ proofKey }: InvitationRecord): string {
  return toHex(sha256("pleach/invitation-id/1\0", proofKey)).slice(0, 8);
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
