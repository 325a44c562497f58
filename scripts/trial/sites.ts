/**
 * The sites of the trial, set up as people would: brest's operator is named at the founding, so
 * that somebody is left who can decide after quimper is gone.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "../../test-mesh/form.ts";
import { TestMesh } from "../../test-mesh/harness.ts";
import { asOtherUser } from "../../test-mesh/other-user.ts";
import type { SiteOptions, TestSite } from "../../test-mesh/test-site.ts";

/** Files of the people: they are not on any site's disk. */
export interface People {
  readonly directory: string;
  readonly passphrase: string;
  readonly quimperOperator: string;
  readonly brestOperator: string;
  /** As it was printed at the founding, when there was no other member yet. */
  readonly firstSheet: string;
  /** The page with today's addresses: all that is left of quimper's people in the end. */
  readonly sheet: string;
}

export interface TrialMesh {
  readonly mesh: TestMesh;
  readonly people: People;
  readonly options: SiteOptions;
}

/**
 * An empty mesh. As root the daemons run as another user than the commands, with a copy of the
 * program where that user cannot read this one.
 */
export async function prepareMesh(): Promise<TrialMesh> {
  const mesh = await TestMesh.create();
  const at = (name: string): string => join(mesh.directory, name);
  const people: People = {
    directory: mesh.directory,
    passphrase: at("passphrase"),
    quimperOperator: at("quimper-operator.key"),
    brestOperator: at("brest-operator.key"),
    firstSheet: at("quimper-first-sheet.txt"),
    sheet: at("recovery-sheet.txt"),
  };
  await writeFile(people.passphrase, "not a good passphrase, but long\n", { mode: 0o600 });
  if (process.getuid?.() !== 0) return { mesh, people, options: {} };
  return { mesh, people, options: asOtherUser(mesh.directory) };
}

/** quimper founds the mesh; two people may decide about it from now on. */
export async function found(quimper: TestSite, people: People): Promise<string> {
  const passphrase = ["--passphrase-file", people.passphrase];
  await quimper.pleach(
    ...["operators", "new", "--name", "brest", "--out", people.brestOperator],
    ...passphrase,
  );
  const founded = await quimper.pleach(
    ...["init", "--mesh", "entraide", "--site", quimper.name, "--org", quimper.name],
    ...["--operator", `${people.brestOperator}.pub`, "--operator-out", people.quimperOperator],
    ...[...passphrase, "--phrase-out", people.firstSheet, "--yes"],
  );
  return text(founded["meshId"]);
}
