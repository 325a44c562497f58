/** Connects membership with the statements of this node and with its mesh. */
import type { SiteId } from "../../protocol/ids.ts";
import { JOIN_PROTOCOL } from "../../protocol/messages/join-message.ts";
import type { AddressPort, IssuerPort, StatementPort } from "../membership/ports.ts";
import { memberAddress } from "../mesh/peer-id.ts";
import type { OutsiderProtocol } from "../mesh/membership.ts";
import type { Channel } from "../core/transport.ts";
import type { PeerKey } from "../../protocol/ids.ts";
import type { FarewellPort } from "../membership/farewell.ts";
import type { Replica } from "../state/replica.ts";
import type { State } from "../state/state.ts";

/** What is used of the mesh. */
interface Dialler {
  openOutsider(
    address: string,
    protocol: OutsiderProtocol,
    timeoutMs: number,
  ): Promise<Channel<PeerKey>>;
  addresses(): readonly string[];
}

interface StateAndReplica {
  readonly state: State;
  readonly replica: Pick<Replica, "receiveStatement">;
}

export function statementPort(state: State): StatementPort {
  return {
    siteId: state.siteId,
    meshId: () => state.meshId,
    authority: () => state.authority(),
    statements: () => state.statements(),
    chainHead: (by) => state.chainHead(by),
    nextLamport: () => {
      const [operator] = state.authority().operators.keys();
      return operator === undefined ? 1 : state.chainHead(operator).lamport;
    },
    headsOf: (site) => state.cutoffs(site),
    add: (statements) => state.addStatements(statements),
    onChange: (listener) =>
      state.subscribe(({ kind }) => {
        if (kind === "statements") listener();
      }),
  };
}

/** Statements of a farewell come in as from any member. */
export function farewellPort({ state, replica }: StateAndReplica): FarewellPort {
  return {
    self: state.siteId,
    authority: () => state.authority(),
    statements: () => state.statements(),
    receive: async (statement, from) => {
      const reception = await replica.receiveStatement(statement, from);
      return typeof reception === "object" ? reception.refused : undefined;
    },
  };
}

export function issuerPort(mesh: () => Dialler): IssuerPort {
  return {
    open: (issuer, address, timeoutMs) =>
      mesh().openOutsider(withPeer(address, issuer), JOIN_PROTOCOL, timeoutMs),
  };
}

/** @param told - Addresses that a member says it has. */
export function addressPort(
  mesh: () => Dialler,
  told: (site: SiteId) => readonly string[],
): AddressPort {
  return {
    own: () => mesh().addresses(),
    ofMember: (site) => told(site).map((address) => withPeer(address, site)),
    withPeer,
  };
}

function withPeer(address: string, site: SiteId): string {
  return memberAddress(address, site)?.toString() ?? address;
}
