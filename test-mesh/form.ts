/** Joins started sites into a mesh by the commands that a person uses. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestSite } from "./test-site.ts";

const PASSPHRASE = "correct horse battery staple";
const JOIN_TIMEOUT = "60s";

/** The files that founding a mesh leaves, for later approvals and recoveries. */
export interface FoundingFiles {
  readonly operatorKey: string;
  readonly passphrase: string;
}

export function foundingFiles(directory: string): FoundingFiles {
  return {
    operatorKey: join(directory, "operator.key"),
    passphrase: join(directory, "passphrase"),
  };
}

/** Where the recovery sheet of a site's owner lies; made by {@link formMesh}. */
export function phraseFile(directory: string, siteName: string): string {
  return join(directory, `${siteName}.sheet`);
}

/** The first site founds the mesh; each other one joins with an owner of its own. */
export async function formMesh(sites: readonly TestSite[], directory: string): Promise<void> {
  const [first, ...others] = sites;
  if (first === undefined) throw new Error("a mesh needs a site");
  const { operatorKey, passphrase } = foundingFiles(directory);
  await writeFile(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
  const passphraseFile = ["--passphrase-file", passphrase];
  await first.pleach(
    ...["init", "--mesh", "test", "--site", first.name, "--operator-out", operatorKey],
    ...[...passphraseFile, "--phrase-out", phraseFile(directory, first.name), "--yes"],
  );
  for (const site of others) await joinMesh(first, site, directory);
}

/** Joins one started site, approved at `member`. */
export async function joinMesh(
  member: TestSite,
  site: TestSite,
  directory: string,
  owner: readonly string[] = ["--owner", "new"],
): Promise<void> {
  const phrase = owner.includes("new")
    ? ["--phrase-out", phraseFile(directory, site.name), "--yes"]
    : [];
  await admit(member, site, foundingFiles(directory), ...owner, ...phrase);
}

/**
 * Invites, asks, reads six words on the phone, approves, and waits until the site is a member.
 *
 * @param more - Further options of `pleach join`.
 */
export async function admit(
  member: TestSite,
  newcomer: TestSite,
  { operatorKey, passphrase }: FoundingFiles,
  ...more: readonly string[]
): Promise<void> {
  const code = text((await member.pleach("invite"))["code"]);
  const asked = await newcomer.pleach("join", code, "--site", newcomer.name, "--no-wait", ...more);
  const words = text(asked["words"]);
  await member.pleach(
    ...["approve", words, "--operator-key", operatorKey, "--passphrase-file", passphrase, "--yes"],
  );
  await newcomer.pleach("wait", "--for", "joined", "--timeout", JOIN_TIMEOUT);
}

/** @throws TypeError when a field of an answer is no text. */
export function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`not a text: ${JSON.stringify(value)}`);
  return value;
}
