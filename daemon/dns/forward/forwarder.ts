/**
 * Answers clients of the LAN about names that no zone here holds, and about those that zones here
 * lead to: aliases that point outside, and what is delegated to others.
 *
 * Zones served here come first, at every step: an alias of others that leads to a name of ours is answered
 * from our zone, as this client sees it. Then come zones that the configuration sends elsewhere, then
 * names that are special, then the upstreams.
 */
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { nameKey, readDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { failure, type Asked, type Resolution } from "../../core/forward/resolution.ts";
import { QuestionPlaces } from "../../core/forward/question-places.ts";
import { specialAnswer } from "../../core/forward/special-names.ts";
import type { RRset } from "../../core/zones/zone.ts";
import type { Answer, AnswerSet } from "../answer-sections.ts";
import { formatAddress } from "../client.ts";
import type { Resolver, ResolverCounts } from "./resolver.ts";
import type { UpstreamState } from "./upstream-group.ts";

/** What zones here say to clients of the LAN. */
export type LocalAnswer = (name: DnsName, type: number) => Answer;

export interface Forwarded {
  readonly answer: Answer;
  /** AD may be set. */
  readonly authenticated: boolean;
  /** RFC 8914. */
  readonly error: number | undefined;
}

/** Since the start; see {@link ResolverCounts} for the others. */
export interface ForwardStatus extends ResolverCounts {
  /** Questions of clients. */
  readonly questions: number;
  /** Refused because the client, or all of them, had too many waiting. */
  readonly crowded: number;
  readonly upstreams: readonly UpstreamState[];
}

/** Questions of clients that wait. */
const MAX_WAITING = 1024;
/** Between zones here and names outside, aliases lead to and fro less often than this. */
const MAX_STEPS = 4;
/** RFC 8914: "Not Ready", come again. */
const NOT_READY = 14;

export class Forwarder {
  readonly #resolver: Resolver;
  readonly #places = new QuestionPlaces(MAX_WAITING);
  readonly #counts = { questions: 0, crowded: 0 };

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  /** Never rejects; ends within some seconds. */
  async answer(asked: Asked, address: Uint8Array, local: LocalAnswer): Promise<Forwarded> {
    this.#counts.questions += 1;
    const client = formatAddress(address);
    if (!this.#places.take(client)) {
      this.#counts.crowded += 1;
      return forwarded(failure(RCODE.SERVFAIL, NOT_READY));
    }
    try {
      return await this.#follow(asked, local);
    } finally {
      this.#places.free(client);
    }
  }

  async #follow(asked: Asked, local: LocalAnswer): Promise<Forwarded> {
    const before: AnswerSet[] = [];
    const isOurs = local(asked.name, asked.type).zone !== undefined;
    const guard = (made: Forwarded): Forwarded => (isOurs ? made : this.#guarded(asked.name, made));
    let authoritative = false;
    let name = asked.name;
    for (let step = 0; step < MAX_STEPS; step++) {
      const own = local(name, asked.type);
      if (own.zone !== undefined) {
        if (step === 0) authoritative = own.authoritative;
        before.push(...own.answer);
        if (own.unresolved === undefined) {
          const answer = { ...own, authoritative, answer: before, synthesized: true };
          return guard({ answer, authenticated: false, error: undefined });
        }
        name = own.unresolved;
      }
      const resolution = await this.#outside({ ...asked, name });
      const { sets, next } = upToOurs(resolution.answers, asked.type, local);
      before.push(...sets.map((rrset) => ({ owner: rrset.owner, rrset })));
      if (next === undefined) {
        const made = forwarded(resolution);
        const authenticated = made.authenticated && step === 0 && !isOurs;
        const answer = { ...made.answer, authoritative, answer: before };
        return { ...made, authenticated, answer };
      }
      name = next;
    }
    return forwarded(failure(RCODE.SERVFAIL, undefined));
  }

  async #outside(asked: Asked): Promise<Resolution> {
    const isSent = this.#resolver.zoneOf(asked.name) !== undefined;
    const special = isSent ? undefined : specialAnswer(asked.name, asked.type);
    return special ?? (await this.#resolver.resolve(asked));
  }

  /** A name outside that leads to ours must not lead into the LAN, either. */
  #guarded(name: DnsName, made: Forwarded): Forwarded {
    const { answer } = made;
    const answers = answer.answer.map(({ rrset }) => rrset);
    const plain = { ...failure(answer.rcode, made.error), answers };
    const guarded = this.#resolver.guarded(name, plain);
    if (guarded === plain) return made;
    const left = new Set(guarded.answers);
    // Of a set that has lost some of its records, none are told: it is ours, and whole elsewhere.
    const kept = answer.answer.filter(({ rrset }) => left.has(rrset));
    return { ...made, answer: { ...answer, answer: kept, additional: [] }, error: guarded.error };
  }

  status(): ForwardStatus {
    const resolver = this.#resolver;
    return { ...this.#counts, ...resolver.counts(), upstreams: [...resolver.states()] };
  }

  close(): void {
    this.#resolver.close();
  }
}

/** What others have answered, up to an alias that leads to a name of ours; and that name. */
function upToOurs(
  answers: readonly RRset[],
  type: number,
  local: LocalAnswer,
): { readonly sets: readonly RRset[]; readonly next: DnsName | undefined } {
  if (type === TYPE.CNAME || type === TYPE.ANY) return { sets: answers, next: undefined };
  const seen = new Set<string>();
  for (const [index, { type: own, rdata, owner }] of answers.entries()) {
    const target = own === TYPE.CNAME && rdata[0] !== undefined && readDnsName(rdata[0], 0);
    seen.add(nameKey(owner));
    if (target === false || target === undefined || seen.has(nameKey(target))) continue;
    if (local(target, type).zone !== undefined) {
      return { sets: answers.slice(0, index + 1), next: target };
    }
  }
  return { sets: answers, next: undefined };
}

function forwarded({ rcode, answers, authorities, authenticated, error }: Resolution): Forwarded {
  const sets = (all: readonly RRset[]): readonly AnswerSet[] =>
    all.map((rrset) => ({ owner: rrset.owner, rrset }));
  return {
    answer: {
      ...{ rcode, authoritative: false, answer: sets(answers), authority: sets(authorities) },
      ...{ additional: [], zone: undefined, synthesized: true, unresolved: undefined },
    },
    ...{ authenticated, error },
  };
}
