/** Shows the six words, and waits until the daemon has become a member. */
import { membershipShape } from "../../control/shapes-membership.ts";
import type { CliContext } from "../shell/context.ts";
import { CommandError } from "../shell/exit.ts";

const POLL_MS = 500;

export interface Applied {
  readonly meshId: string;
  readonly meshName: string;
  readonly siteId: string;
  readonly ownerId: string | null;
  readonly words: string;
}

/**
 * @throws CommandError E-JOIN when the application was declined or cannot succeed any more.
 */
export async function awaitApproval(
  context: CliContext,
  applied: Applied,
  wait: boolean,
): Promise<void> {
  const { client, out } = context;
  const say =
    `Read these six words to an operator of "${applied.meshName}", who approves them where the\n` +
    `code was made:\n\n  ${applied.words}\n`;
  if (!wait) {
    out.result({ state: "pending", ...applied }, `${say}\nThe daemon goes on asking by itself.`);
    return;
  }
  out.event("words", { words: applied.words });
  out.note(`${say}\nWaiting. Ctrl-C ends the waiting only; the daemon goes on asking.`);
  for (;;) {
    const { joining } = await client.get("/v1/membership", membershipShape);
    if (joining.state === "joined") break;
    if (joining.state === "declined") {
      throw new CommandError("E-JOIN", "An operator declined the application.", {
        hint: "Ask why, and for a new code.",
        exit: 5,
      });
    }
    if (joining.state === "failed" || joining.state === "idle") {
      throw new CommandError("E-JOIN", joining.problem?.message ?? "Nothing is applied for.", {
        hint: joining.problem?.hint ?? "Ask for a new code.",
        exit: 5,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  out.result({ state: "joined", ...applied }, `Joined the mesh "${applied.meshName}".`);
}
