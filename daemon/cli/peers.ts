/** `pleach peers`: the sites of the mesh, as this node sees them. */
import { Command } from "commander";
import { peersShape, type PeerInfo } from "../control/shapes-inventory.ts";
import { help, type CliContext } from "./shell/context.ts";
import { table } from "./shell/output.ts";
import { formatDuration } from "./shell/quantities.ts";

export function peersCommand(context: CliContext): Command {
  const peers = new Command("peers").action(async () => {
    const answer = await context.client.get("/v1/peers", peersShape);
    context.out.result(answer, () =>
      answer.peers.length === 0
        ? "This node is in no mesh yet. Found one with pleach init, or join with pleach join CODE."
        : table([
            ["SITE", "STATE", "RTT", "LAST SEEN", "STATE OF MESH", "VERSION"],
            ...answer.peers.map(row),
          ]),
    );
  });
  return help(peers, "Lists the sites of the mesh, as this node sees them.", [
    ["pleach peers", "who is up, and since when not"],
    ["pleach peers --json", "with addresses and ids"],
  ]);
}

function row(peer: PeerInfo): string[] {
  const { name, rttMs, lastSeenMs, sameState, version } = peer;
  const held = peer.suspended ? ", suspended" : "";
  if (peer.state === "this") return [name, `this node${held}`, "-", "-", "-", version ?? "-"];
  if (peer.state !== "up" && peer.state !== "unreachable") {
    return [name, `${peer.state}, no member any more`, "-", "-", "-", "-"];
  }
  const { state } = peer;
  const seen =
    lastSeenMs === null
      ? "not since our start"
      : state === "up"
        ? "now"
        : `${formatDuration(lastSeenMs)} ago`;
  const same = sameState === null ? "unknown" : sameState ? "same" : "differs";
  const rtt = rttMs === null ? "-" : `${Math.max(1, Math.round(rttMs))} ms`;
  return [name, `${state}${held}`, rtt, seen, same, version ?? "-"];
}
