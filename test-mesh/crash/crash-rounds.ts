/**
 * Rounds of work that crashes interrupt: begin, strike, start again, look whether everything that
 * was acknowledged is there, complete the work, look again.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { STAGING_NAME } from "../../daemon/backup/client/restore/restore-staging.ts";
import type { RunResult } from "../run-process.ts";
import { waitFor } from "../wait.ts";
import { checkComplete, checkKept, orphans, type Violations } from "./crash-checks.ts";
import { CrashMesh, type Acknowledged } from "./crash-mesh.ts";
import { LONG_DAYS, planRound, WORKS, type RoundPlan, type Work } from "./crash-plan.ts";
import type { CrashSite } from "./crash-site.ts";
import { differences, manifestOf, type Manifest } from "./source-tree.ts";
import type { RunningCommand } from "./command.ts";

/** Keepers look so long after a start. */
const FIRST_LOOK_MS = 5000;
/** A look takes less. */
const LOOK_MS = 500;
/** Snapshots that are kept when some are forgotten. */
const KEPT = 4;
/** So that what is stored does not grow with the rounds. */
const MOST_SNAPSHOTS = 16;
const COLLECTED_TIMEOUT_MS = 90_000;

export interface RoundsRequest {
  readonly seed: number;
  readonly kills: number;
  readonly cuts: number;
  /** The first round; those before are left out. */
  readonly first: number;
  /** How often, at the end, time passes and everybody looks what may go: with 2 all of it goes. */
  readonly looks: 0 | 2;
  readonly onRound: (text: string) => void;
}

export interface RoundsOutcome {
  readonly rounds: number;
  readonly kills: number;
  readonly cuts: number;
  /** Rounds whose work did not come to its end. */
  readonly interrupted: number;
  readonly perWork: Readonly<Record<Work, number>>;
  readonly snapshots: number;
  readonly restores: number;
  readonly violations: readonly string[];
  readonly seconds: number;
}

export async function crashRounds(request: RoundsRequest): Promise<RoundsOutcome> {
  let outcome: RoundsOutcome | undefined;
  await CrashMesh.with(async (mesh) => {
    outcome = await new Rounds(mesh, request).run();
  });
  if (outcome === undefined) throw new Error("the rounds came to no end");
  return outcome;
}

/** What a restore keeps beside what it restores is gone when all of that is in its place. */
function isAllInPlace(target: string): boolean {
  if (!existsSync(target)) return false;
  const names = readdirSync(target);
  return names.length > 0 && !names.includes(STAGING_NAME);
}

/** What a round has begun. */
interface Begun {
  readonly command: RunningCommand | undefined;
  /** When to strike, in ms from now. */
  readonly delayMs: number;
  /** After the strike: what is said to be done counts. @returns whether the work was cut off. */
  readonly end: (result: RunResult | undefined) => Promise<boolean>;
  /** Brings the work to its end after everything runs again. */
  readonly complete: () => Promise<Violations>;
}

class Rounds {
  readonly #mesh: CrashMesh;
  readonly #request: RoundsRequest;
  /** How long each work takes undisturbed, in ms. */
  readonly #takesMs: Record<"backup" | "restore", number> = { backup: 0, restore: 0 };
  #manifest: Manifest = new Map();
  /** Which sites kept what in no list at the last look that was waited for, in words. */
  #noted: ReadonlySet<string> = new Set();
  #restores = 0;
  #snapshots = 0;

  constructor(mesh: CrashMesh, request: RoundsRequest) {
    this.#mesh = mesh;
    this.#request = request;
  }

  async run(): Promise<RoundsOutcome> {
    const { seed, kills, cuts, first, onRound } = this.#request;
    const startMs = performance.now();
    const perWork = Object.fromEntries(WORKS.map((work) => [work, 0])) as Record<Work, number>;
    const violations: string[] = [];
    const done = { kill: 0, cut: 0 };
    let interrupted = 0;
    await this.#calibrate(planRound(seed, 0, kills, cuts));
    for (let round = first; round <= kills + cuts; round++) {
      const plan = planRound(seed, round, kills, cuts);
      const sinceMs = performance.now();
      const { isInterrupted, wrong } = await this.#round(plan);
      done[plan.manner] += 1;
      perWork[plan.work] += 1;
      if (isInterrupted) interrupted += 1;
      violations.push(...wrong.map((each) => `round ${round}: ${each}`));
      onRound(
        `round ${round}: ${plan.manner} of ${plan.victim} at ${plan.work}` +
          `${isInterrupted ? ", interrupted" : ""}${plan.daysDown > 0 ? `, ${plan.daysDown} days down` : ""}` +
          `; ${((performance.now() - sinceMs) / 1000).toFixed(1)} s; ` +
          (wrong.length === 0 ? "all well" : `WRONG: ${wrong.join("; ")}`),
      );
      // What follows would only tell the same again.
      if (wrong.length > 0) break;
    }
    if (violations.length === 0) violations.push(...(await this.#checkEnd()));
    return {
      rounds: done.kill + done.cut,
      kills: done.kill,
      cuts: done.cut,
      ...{ interrupted, perWork, snapshots: this.#snapshots, restores: this.#restores, violations },
      seconds: Math.round((performance.now() - startMs) / 100) / 10,
    };
  }

  /** Two snapshots and a restore without any crash. */
  async #calibrate({ random }: RoundPlan): Promise<void> {
    const mesh = this.#mesh;
    for (let run = 0; run < 2; run++) {
      this.#change(random);
      const startMs = performance.now();
      await mesh.backUp(this.#manifest);
      this.#snapshots += 1;
      this.#takesMs.backup = performance.now() - startMs;
      await mesh.settle();
    }
    await mesh.agreeAlways();
    const startMs = performance.now();
    const wrong = [...(await this.#restore("first")), ...(await checkComplete(mesh))];
    this.#takesMs.restore = performance.now() - startMs;
    if (wrong.length > 0) throw new Error(`before any crash: ${wrong.join("; ")}`);
  }

  async #round(plan: RoundPlan): Promise<{ isInterrupted: boolean; wrong: Violations }> {
    const mesh = this.#mesh;
    const begun = await this.#begin(plan);
    await sleep(begun.delayMs);
    await this.#strike(plan, begun.command);
    const result = await begun.command?.done;
    const isInterrupted = await begun.end(result);
    const wrong = [...(await checkKept(mesh))];
    if (wrong.length > 0) return { isInterrupted, wrong };
    wrong.push(...(await begun.complete()));
    if (mesh.acknowledged.length > MOST_SNAPSHOTS) await this.#forget();
    await mesh.settle();
    wrong.push(...(await checkComplete(mesh)));
    return { isInterrupted, wrong };
  }

  async #begin(plan: RoundPlan): Promise<Begun> {
    const { work, moment, random } = plan;
    const mesh = this.#mesh;
    switch (work) {
      case "backup":
      case "portions": {
        const manifest = this.#change(random);
        return {
          command: mesh.beginBackup(work === "portions"),
          delayMs: moment * this.#takesMs.backup,
          end: async (result) => result === undefined || !this.#noteRun(result, manifest),
          complete: () => this.#backUp(),
        };
      }
      case "transfer": {
        this.#change(random);
        await this.#backUp();
        return {
          command: undefined,
          delayMs: moment * this.#takesMs.backup,
          end: async () => false,
          complete: async () => [],
        };
      }
      case "forget": {
        this.#change(random);
        await this.#backUp();
        const { command, mayGo } = mesh.beginForget(KEPT);
        return {
          command,
          delayMs: moment * this.#takesMs.backup,
          end: async (result) => {
            mesh.acknowledged = mesh.acknowledged.filter(({ root }) => !mayGo.has(root));
            return result?.exit !== 0;
          },
          complete: () => this.#backUp(),
        };
      }
      case "collect": {
        this.#change(random);
        await this.#backUp();
        await this.#forget();
        await this.#backUp();
        await mesh.settle();
        await Promise.all(mesh.all.map((site) => site.kill()));
        for (const site of mesh.all) await site.sleep(LONG_DAYS);
        await Promise.all(mesh.all.map((site) => site.start()));
        return {
          command: undefined,
          delayMs: FIRST_LOOK_MS - LOOK_MS + moment * LOOK_MS,
          end: async () => false,
          complete: () => this.#collected(),
        };
      }
      case "restore": {
        const target = this.#target(`round-${plan.round}`);
        const snapshot = random.pick(mesh.acknowledged);
        let isDone = false;
        return {
          command: mesh.beginRestore(snapshot.number, target),
          delayMs: moment * this.#takesMs.restore,
          end: async (result) => {
            // One that was killed with nothing left to do could not say so any more.
            isDone = result?.exit === 0 || isAllInPlace(target);
            return result?.exit !== 0;
          },
          complete: async () => {
            const hasLostPower = plan.manner === "cut" && plan.victim !== "holder";
            if (isDone && !hasLostPower) return this.#compare(target, snapshot);
            // A restore does not wait for the disk: one that has just ended is made once more.
            if (isDone) await mesh.removeTarget(target);
            return this.#restore(`round-${plan.round}`, snapshot.number);
          },
        };
      }
    }
  }

  /** Everybody who was hit runs again when this resolves. */
  async #strike(plan: RoundPlan, command: RunningCommand | undefined): Promise<void> {
    const hit = this.#hit(plan);
    if (plan.victim === "client") await command?.kill();
    await Promise.all(
      hit.map(async (site) => {
        if (plan.manner === "kill") return site.kill();
        await site.cutPower(plan.mode);
        this.#mesh.files.forget(site.site);
      }),
    );
    for (const site of hit) if (plan.daysDown > 0) await site.sleep(plan.daysDown);
    await Promise.all(hit.map((site) => site.start()));
  }

  #hit({ victim, holder }: RoundPlan): readonly CrashSite[] {
    const { owner, holders, all } = this.#mesh;
    if (victim === "client") return [];
    if (victim === "owner") return [owner];
    return victim === "all" ? all : holders.slice(holder % holders.length).slice(0, 1);
  }

  #change(random: RoundPlan["random"]): Manifest {
    this.#manifest = this.#mesh.source.change(random);
    return this.#manifest;
  }

  #noteRun(result: RunResult, manifest: Manifest): boolean {
    const isDone = this.#mesh.noteRun(result, manifest);
    if (isDone) this.#snapshots += 1;
    return isDone;
  }

  async #backUp(): Promise<Violations> {
    await this.#mesh.backUp(this.#manifest);
    this.#snapshots += 1;
    return [];
  }

  async #forget(): Promise<void> {
    const { command, mayGo } = this.#mesh.beginForget(KEPT);
    const { exit, stdout, stderr } = await command.done;
    if (exit !== 0) throw new Error(`forgetting: ${stdout}${stderr}`);
    this.#mesh.acknowledged = this.#mesh.acknowledged.filter(({ root }) => !mayGo.has(root));
  }

  /** Restores a snapshot, or goes on with its restore, and compares. The target goes. */
  async #restore(name: string, number?: number): Promise<Violations> {
    const mesh = this.#mesh;
    const snapshot =
      mesh.acknowledged.find((one) => one.number === number) ?? mesh.acknowledged.at(-1);
    if (snapshot === undefined) throw new RangeError("nothing is stored");
    const target = this.#target(name);
    const { exit, stdout, stderr } = await mesh.beginRestore(snapshot.number, target).done;
    this.#restores += 1;
    if (exit !== 0) return [`snapshot ${snapshot.number} does not restore: ${stdout}${stderr}`];
    return this.#compare(target, snapshot);
  }

  /** The target goes. */
  async #compare(target: string, snapshot: Acknowledged): Promise<Violations> {
    const mesh = this.#mesh;
    const unlike = differences(snapshot.manifest, manifestOf(join(target, mesh.source.folder)));
    await mesh.removeTarget(target);
    return unlike.map((each) => `snapshot ${snapshot.number}: ${each}`);
  }

  /** On the owner's own disk, which loses its power with it. */
  #target(name: string): string {
    return join(this.#mesh.owner.site.directory, `restored-${name}`);
  }

  /**
   * After a look that came long after the one before: what was in no list then is gone. What is in
   * none now was noted, and has to be gone after the next one.
   */
  async #collected(): Promise<Violations> {
    let now: ReadonlySet<string> = new Set();
    await sleep(FIRST_LOOK_MS + LOOK_MS);
    await waitFor("the keepers", COLLECTED_TIMEOUT_MS, async () => {
      now = new Set(await orphans(this.#mesh));
      return this.#noted.isDisjointFrom(now);
    }).catch(() => {});
    const left = this.#noted.intersection(now);
    this.#noted = now;
    return [...left];
  }

  /** Everything that was acknowledged restores, and nothing stays that nobody names. */
  async #checkEnd(): Promise<Violations> {
    const mesh = this.#mesh;
    const wrong: string[] = [];
    for (const { number } of mesh.acknowledged) wrong.push(...(await this.#restore("end", number)));
    // What was in no list is noted at the first look, and goes at the second.
    for (let look = 0; look < this.#request.looks; look++) {
      await this.#backUp();
      await mesh.settle();
      await Promise.all(mesh.all.map((site) => site.kill()));
      for (const site of mesh.all) await site.sleep(LONG_DAYS);
      await Promise.all(mesh.all.map((site) => site.start()));
      wrong.push(...(await this.#collected()));
    }
    if (this.#request.looks > 1) wrong.push(...this.#noted);
    await mesh.settle();
    wrong.push(...(await checkComplete(mesh)));
    return wrong;
  }
}
