/**
 * All commands, loaded one at a time: a command that is not asked for costs nothing.
 *
 * A new command adds a line here. The summary is what `pleach help` prints.
 */
import type { Command } from "commander";
import type { CliContext } from "./shell/context.ts";

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(context: CliContext) => Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "approve",
    summary: "let an applicant in",
    load: async () => (await import("./members/approve.ts")).approveCommand,
  },
  {
    name: "backup",
    summary: "data sets: add, run, list, show",
    load: async () => (await import("./backup/backup.ts")).backupCommand,
  },
  {
    name: "config",
    summary: "check the configuration",
    load: async () => (await import("./shell/config.ts")).configCommand,
  },
  {
    name: "conflicts",
    summary: "records changed at two sites at once, and which version to keep",
    load: async () => (await import("./conflicts.ts")).conflictsCommand,
  },
  {
    name: "dns",
    summary: "zones and records: add-zone, list, set, add, remove, keep, explain",
    load: async () => (await import("./dns/dns.ts")).dnsCommand,
  },
  {
    name: "events",
    summary: "what happens, as it happens",
    load: async () => (await import("./events.ts")).eventsCommand,
  },
  {
    name: "facts",
    summary: "what is known about machines",
    load: async () => (await import("./facts.ts")).factsCommand,
  },
  {
    name: "grant",
    summary: "let a site write a zone",
    load: async () => (await import("./members/grant.ts")).grantCommand,
  },
  {
    name: "init",
    summary: "found a mesh with this machine",
    load: async () => (await import("./init.ts")).initCommand,
  },
  {
    name: "invite",
    summary: "make a code for a machine that joins",
    load: async () => (await import("./members/invite.ts")).inviteCommand,
  },
  {
    name: "join",
    summary: "ask to join a mesh",
    load: async () => (await import("./members/join.ts")).joinCommand,
  },
  {
    name: "keys",
    summary: "recovery sheets, and keys of data sets: sheet, rotate, open",
    load: async () => (await import("./backup/keys.ts")).keysCommand,
  },
  {
    name: "leave",
    summary: "end the membership of this site",
    load: async () => (await import("./members/leave.ts")).leaveCommand,
  },
  {
    name: "operators",
    summary: "the people who decide",
    load: async () => (await import("./members/operators.ts")).operatorsCommand,
  },
  {
    name: "peers",
    summary: "the other sites",
    load: async () => (await import("./peers.ts")).peersCommand,
  },
  {
    name: "recover",
    summary: "everything of an owner, on an empty machine",
    load: async () => (await import("./backup/recover.ts")).recoverCommand,
  },
  {
    name: "restore",
    summary: "a data set of this site, into a directory",
    load: async () => (await import("./backup/restore.ts")).restoreCommand,
  },
  {
    name: "revoke",
    summary: "expel a site or an operator",
    load: async () => (await import("./members/revoke.ts")).revokeCommand,
  },
  {
    name: "service",
    summary: "what runs for people, and where",
    load: async () => (await import("./service.ts")).serviceCommand,
  },
  {
    name: "sign",
    summary: "what waits for a signature, on the mesh or by file",
    load: async () => (await import("./members/sign.ts")).signCommand,
  },
  {
    name: "status",
    summary: "what is well and what needs a person",
    load: async () => (await import("./status.ts")).statusCommand,
  },
  {
    name: "suspend",
    summary: "hold up what a site or an operator makes",
    load: async () => (await import("./members/suspend.ts")).suspendCommand,
  },
  {
    name: "ungrant",
    summary: "take a right to write back",
    load: async () => (await import("./members/grant.ts")).ungrantCommand,
  },
  {
    name: "unsuspend",
    summary: "end a suspension",
    load: async () => (await import("./members/suspend.ts")).unsuspendCommand,
  },
  {
    name: "wait",
    summary: "until the node is ready",
    load: async () => (await import("./shell/wait.ts")).waitCommand,
  },
];
