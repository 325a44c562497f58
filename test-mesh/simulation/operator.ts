/**
 * An operator of a simulated mesh: signs at a site, as the command does on its box.
 */
import type { State } from "../../daemon/state/state.ts";
import { idOf, type OperatorId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { StatementChain } from "../../protocol/statements/statement-chain.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import { testKey } from "../fakes/founding.ts";

export type Content = Parameters<StatementChain["sign"]>[0];

export class Operator {
  readonly name: string;
  readonly key: SigningKey;
  readonly id: OperatorId;

  constructor(name: string) {
    this.name = name;
    this.key = testKey(name);
    this.id = idOf<OperatorId>(this.key.publicKey);
  }

  /** The next link of its chain, as far as this site knows the chain. */
  sign(state: State, content: Content): SignedStatement {
    const { meshId } = state;
    if (meshId === undefined) throw new RangeError("an operator signs for a mesh");
    return new StatementChain(meshId, this.key, state.chainHead(this.id)).sign(content);
  }
}
