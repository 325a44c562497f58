/**
 * Signs one statement after another, each as the next link of its signer's chain.
 */
import type { MeshId } from "../ids.ts";
import { idOf } from "../ids.ts";
import type { SigningKey } from "../keys/signature.ts";
import type { ChainHead, SignerId } from "./statement-head.ts";
import { signStatement, type KnownChainedBody, type SignedStatement } from "./statement.ts";

type WithoutHead<Body> = Body extends KnownChainedBody
  ? Omit<Body, "v" | "mesh" | "by" | "seq" | "prev" | "lamport">
  : never;

export class StatementChain {
  readonly #mesh: MeshId;
  readonly #key: SigningKey;
  #head: ChainHead;

  /** @param head - What the first statement carries. */
  constructor(mesh: MeshId, key: SigningKey, head: ChainHead) {
    this.#mesh = mesh;
    this.#key = key;
    this.#head = head;
  }

  /** @throws StatementError when others would refuse the statement. */
  sign(content: WithoutHead<KnownChainedBody>): SignedStatement {
    const by = idOf<SignerId>(this.#key.publicKey);
    const body = { ...content, v: 1, mesh: this.#mesh, by, ...this.#head } as KnownChainedBody;
    const statement = signStatement(body, [this.#key]);
    const { seq, lamport } = this.#head;
    this.#head = { seq: seq + 1, prev: statement.id, lamport: lamport + 1 };
    return statement;
  }
}
