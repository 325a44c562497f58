/**
 * Tells the log of the daemon what was refused: who made it, who sent it, and why in words.
 *
 * A hacked member shows here first, so the lines name it; and they are few, whatever it sends.
 */
import { readEnvelope, type Envelope } from "../../protocol/logs/envelope.ts";
import type { OperatorId, SiteId } from "../../protocol/ids.ts";
import { decodeStatement } from "../../protocol/statements/statement.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Clock } from "../core/clock.ts";
import type { DocumentRefusal } from "../core/logs/log-document.ts";
import type { LogFacts, Logger } from "../observe/log.ts";
import { SparingLog } from "../observe/sparing-log.ts";
import { refusalInWords, unfitInWords } from "./refusal-words.ts";
import type { Reception, Replica } from "./replica.ts";

/** Said by somebody else, or nobody's fault. */
const NOT_TOLD: ReadonlySet<string> = new Set([
  "E-STATE-CONTENT",
  "E-STATE-FULL",
  "E-STATE-NO-MESH",
]);

export class RefusalLog {
  readonly #log: SparingLog;
  readonly #authority: () => Authority;

  constructor(log: Logger, clock: Clock, authority: () => Authority) {
    this.#log = new SparingLog(log, () => clock.monotonicMs());
    this.#authority = authority;
  }

  /** An entry that is its author's for sure, with a content that no log may have. */
  unfit({ header, log, id }: Envelope, refusal: DocumentRefusal): void {
    const { author, seq } = header;
    this.#log.warn(`${author} ${refusal}`, "An entry was refused", () => ({
      author: this.#name(author),
      because: unfitInWords(refusal),
      ...{ refusal, key: author, log, seq, id },
    }));
  }

  /** What a peer sent and got a code for. */
  item(kind: "entry" | "statement", bytes: Uint8Array, from: SiteId, code: string): void {
    if (NOT_TOLD.has(code)) return;
    this.#log.warn(`${from} ${kind} ${code}`, `${article(kind)} was refused`, () => ({
      from: this.#name(from),
      ...(kind === "entry" ? this.#entryFacts(bytes) : this.#statementFacts(bytes)),
      because: refusalInWords(code),
      refusal: code,
    }));
  }

  /** An author whose signature is wrong is only the one that was named. */
  #entryFacts(bytes: Uint8Array): LogFacts {
    try {
      const { header, log, id } = readEnvelope(bytes);
      const { author, seq } = header;
      return { author: this.#name(author), key: author, log, seq, id };
    } catch {
      return {};
    }
  }

  #statementFacts(bytes: Uint8Array): LogFacts {
    try {
      const { body, id } = decodeStatement(bytes);
      return "by" in body ? { signer: this.#name(body.by as OperatorId), id } : { id };
    } catch {
      return {};
    }
  }

  /** The name that people gave it; the key when it has none. */
  #name(key: SiteId | OperatorId): string {
    const { sites, endedSites, operators } = this.#authority();
    const site = sites.get(key as SiteId) ?? endedSites.get(key as SiteId);
    return (site ?? operators.get(key as OperatorId))?.name ?? key;
  }
}

/** The same replica, which tells the log of what it refuses. */
export function tellingRefusals(replica: Replica, refusals: RefusalLog): Replica {
  const tell = (
    kind: "entry" | "statement",
    bytes: Uint8Array,
    from: SiteId,
    reception: Reception,
  ): Reception => {
    if (typeof reception === "object") refusals.item(kind, bytes, from, reception.refused);
    return reception;
  };
  return {
    ...replica,
    receiveStatement: async (bytes, from) =>
      tell("statement", bytes, from, await replica.receiveStatement(bytes, from)),
    receiveEnvelope: async (bytes, from) =>
      tell("entry", bytes, from, await replica.receiveEnvelope(bytes, from)),
  };
}

function article(kind: "entry" | "statement"): string {
  return kind === "entry" ? "An entry" : "A statement";
}
