/** `pleach invite`: a one-time code for a machine that wants to join. */
import { Command } from "commander";
import { renderUnicodeCompact } from "uqr";
import { parseDuration } from "../../config/quantities.ts";
import {
  invitationShape,
  invitationsShape,
  withdrawnShape,
  type InvitationState,
} from "../../control/shapes-membership.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { table } from "../shell/output.ts";
import { formatTime } from "../shell/quantities.ts";

export function inviteCommand(context: CliContext): Command {
  const command = new Command("invite")
    .option("--ttl <time>", "how long it can be used", "24h")
    .action(async ({ ttl }: { readonly ttl: string }) => {
      const ttlMs = parseDuration(ttl);
      if (ttlMs === undefined)
        throw new UsageError('--ttl takes a time such as "24h" or "2 days".');
      const invitation = await context.client.post(
        "/v1/membership/invitations",
        { ttlMs },
        invitationShape,
      );
      const { code, expiresAtMs, addresses } = invitation;
      // Capital letters and digits are what the compact mode of QR codes takes.
      context.out.note(renderUnicodeCompact(code.toUpperCase(), { ecc: "L" }));
      context.out.note(
        `Good once, until ${formatTime(expiresAtMs)}, at ${addresses.join(", ")}.\n` +
          "On the other machine:  pleach join CODE --site NAME\n" +
          "It shows six words. Have them read out to you on the telephone, then here:\n" +
          '  pleach approve "SIX WORDS" --operator-key FILE\n',
      );
      context.out.result({ code, expiresAtMs, addresses }, code);
    });
  command.addCommand(listCommand(context)).addCommand(withdrawCommand(context));
  return help(command, "Makes a code that lets one machine ask to join. It admits nobody alone.", [
    ["pleach invite", "a code for the next 24 hours"],
    ["pleach invite --ttl 1h", "for one hour"],
    ["pleach invite list", "the codes of this node that are not over"],
    ["pleach invite withdraw 3fa9c1d2", "end one of them"],
  ]);
}

const STATES: Readonly<Record<InvitationState, string>> = {
  open: "nobody has used it",
  proved: "used, no application yet",
  applied: "waits for an operator",
  declined: "declined",
  joined: "has joined",
};

function listCommand(context: CliContext): Command {
  const list = new Command("list").action(async () => {
    const answer = await context.client.get("/v1/membership/invitations", invitationsShape);
    context.out.result(answer, () =>
      answer.invitations.length === 0
        ? "No invitation of this node is open."
        : table([
            ["ID", "STATE", "SITE", "UNTIL"],
            ...answer.invitations.map(({ id, state, site, endsAtMs }) => [
              id,
              STATES[state],
              site ?? "-",
              formatTime(endsAtMs),
            ]),
          ]),
    );
  });
  return help(list, "Lists the invitations that this node has made and that are not over.", [
    ["pleach invite list", "which codes are open, and who has applied"],
  ]);
}

function withdrawCommand(context: CliContext): Command {
  const withdraw = new Command("withdraw").argument("<id>").action(async (id: string) => {
    const path = `/v1/membership/invitations/${encodeURIComponent(id)}`;
    const { was } = await context.client.delete(path, withdrawnShape);
    const text =
      was === "joined"
        ? `Invitation ${id} is forgotten. The site that joined by it stays a member.`
        : `Invitation ${id} is withdrawn: its code opens nothing any more.`;
    context.out.result({ id, was }, text);
  });
  return help(withdraw, "Ends an invitation of this node, also one that waits for an answer.", [
    ["pleach invite withdraw 3fa9c1d2", "the id is the one of pleach invite list"],
  ]);
}
