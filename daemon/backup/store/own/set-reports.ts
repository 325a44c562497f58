/** What is told about data sets: how much they are, where they are, what is still missing. */
import { placeOf, placesIn } from "../../../core/backup/published.ts";
import { riskText } from "../../../core/backup/risk-text.ts";
import {
  risksOf,
  safeCopies,
  vouchedAtMs,
  type HolderFacts,
} from "../../../core/backup/set-safety.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { SetId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import { askKey, askRecord } from "../../../../protocol/logs/hold-record.ts";
import {
  placeKey,
  tipsKey,
  tipsRecord,
  type PlaceRecord,
} from "../../../../protocol/logs/record.ts";
import { piecesOf, receiptsFor, unsigned } from "../spread/copies.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";
import { SafetyFacts } from "./safety-facts.ts";
import type { Spreader } from "../spread/spreader.ts";

export class SetReports {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #spreader: Spreader;
  readonly #facts: SafetyFacts;

  constructor(holder: Holder, own: OwnSets, spreader: Spreader) {
    this.#holder = holder;
    this.#own = own;
    this.#spreader = spreader;
    this.#facts = new SafetyFacts(holder);
  }

  /** How much a set is now. */
  extent(set: OwnSet) {
    const lists = this.#listsOf(set);
    return {
      generation: Math.max(0, ...lists.map(({ header }) => header.generation)),
      groups: set.targets.length,
      shards: lists.reduce((sum, { header }) => sum + header.shards, 0),
      bytes: lists.reduce((sum, { header }) => sum + header.bytes, 0),
    };
  }

  async sets() {
    const own = await Promise.all(
      this.#own.all().map(async (set) => this.#summary(set, await this.#facts.of(set))),
    );
    const others = [...placesIn(this.#holder.state.view())]
      .filter(({ author }) => author !== this.#holder.transport.self)
      .map(({ set, author, place }) => foreignSummary(set, place, this.#tipsOf(set, author)));
    return [...own, ...others];
  }

  #tipsOf(set: SetId, author: SiteId): readonly Head[] {
    const entry = this.#holder.state.view().get("place", tipsKey(set), author);
    const beside = tipsRecord.safeParse(entry?.value);
    return beside.success ? beside.data.tips : [];
  }

  async set(id: SetId) {
    const set = this.#known(id);
    const groups = await Promise.all(
      set.targets.map(async (targets, group) => {
        const list = await this.#holder.lists.load(set.owner, id, group);
        if (list === undefined) throw new BackupError("E-BACKUP-DISK", "A list is damaged.");
        return {
          group,
          generation: list.header.generation,
          list: list.id as string,
          targets: [...targets] as string[],
          entries: list.entries.map(({ shard, sizeBytes }): [string, number] => [shard, sizeBytes]),
        };
      }),
    );
    const here = await this.#holder.shards.names(set.owner, id);
    const absent = groups.flatMap(({ entries }) => entries.filter(([shard]) => !here.has(shard)));
    const lost = await unsigned(
      this.#holder,
      set,
      absent.map(([shard]) => shard as ShardId),
    );
    const summary = this.#summary(set, await this.#facts.of(set));
    const folder = this.#holder.shards.folderOf(set.owner, id);
    const { setBackTo } = set;
    return { ...summary, groups, folder, lost, setBackTo, newestHead: this.#newestHead(set) };
  }

  async copies(id: SetId, detail: boolean) {
    const set = this.#known(id);
    const groups = await this.#facts.of(set);
    const isBehind = this.#isBehind(id);
    const safeCopies = this.#safeCopies(set, groups);
    const safe = safeCopies >= set.copies && !isBehind;
    const pieces = detail ? [...(await piecesOf(this.#holder, set)).values()] : [];
    const perShard = pieces.map(({ id: shard, sizeBytes: size, kind, receipts }) => ({
      shard: shard as string,
      size,
      kind,
      receipts: [...receipts].map(([holder, { bytes, signature }]) => ({
        bytes: Buffer.from(bytes).toString("base64"),
        signature: Buffer.from(signature).toString("base64"),
        holder: holder as string,
      })),
    }));
    return {
      wanted: set.copies,
      shards: this.extent(set).shards + set.targets.length,
      minReceipts: fewestWhole(groups),
      safeCopies,
      safe,
      ownerSentBytes: this.#spreader.sentBytes(set),
      atRisk: safe ? null : `${safeCopies} of ${set.copies}`,
      reasons: [
        ...(isBehind ? ["This directory is older than what the site has published."] : []),
        ...(safe ? [] : this.#reasons(set, groups)),
      ],
      concerns: [...this.#concerns(set), ...this.#asks(set)],
      local: this.#holder.keepsLocal(set.set) ? ("keep" as const) : ("drop" as const),
      holders: this.#holders(groups),
      ...(detail ? { perShard } : {}),
    };
  }

  /** Receipts of other sites for a shard. */
  async receipts(id: SetId, shard: ShardId) {
    const found = await receiptsFor(this.#holder, this.#known(id), shard);
    return found.map(({ bytes, signature }) => ({
      bytes: Buffer.from(bytes).toString("base64"),
      signature: Buffer.from(signature).toString("base64"),
    }));
  }

  /** Each site that is to hold something of a set, with what it does for it. */
  #holders(groups: readonly (readonly HolderFacts[])[]) {
    const { transport, clock } = this.#holder;
    const links = transport.links();
    const nowMs = clock.wallMs();
    const bySite = new Map<SiteId, HolderFacts[]>();
    for (const facts of groups.flat()) {
      bySite.set(facts.site, [...(bySite.get(facts.site) ?? []), facts]);
    }
    return [...bySite].map(([site, all]) => {
      const [first] = all;
      const name = this.#nameOf(site);
      const risks = all.flatMap((facts) => risksOf(facts, nowMs));
      const locks = all.flatMap(({ lockDays }) => lockDays ?? []);
      const vouched = all.flatMap((facts) => vouchedAtMs(facts) ?? []);
      return {
        site: site as string,
        name,
        linked: links.includes(site),
        groups: all.length,
        lacking: all.reduce((sum, { lacking }) => sum + lacking, 0),
        lockDays: locks.length === 0 ? null : Math.min(...locks),
        vouchedAtMs: vouched.length === 0 ? null : Math.floor(Math.min(...vouched)),
        outcome: first?.finding?.outcome ?? null,
        risks: [...new Set(risks.map((risk) => riskText(name, risk)))],
      };
    });
  }

  #concerns(set: OwnSet): string[] {
    const { targets } = this.#spreader;
    return [...new Set(set.targets.flatMap((_targets, group) => targets.concerns(set, group)))];
  }

  /** Holders at which nothing of the set goes before a person there agrees. */
  #asks({ owner, set, targets }: OwnSet): string[] {
    const view = this.#holder.state.view();
    const key = askKey(owner, set);
    return [...new Set(targets.flat())].flatMap((site) => {
      const ask = askRecord.safeParse(view.get("hold", key, site)?.value);
      if (!ask.success) return [];
      const left = Math.round(100 - (100 * ask.data.toBytes) / Math.max(1, ask.data.fromBytes));
      const name = this.#nameOf(site);
      return [
        `${name} keeps all that the lists dropped (${left} % of the set) until somebody there agrees: pleach backup agree ${set.slice(0, 8)}`,
      ];
    });
  }

  #nameOf(site: SiteId): string {
    const { sites, endedSites } = this.#holder.state.authority();
    return sites.get(site)?.name ?? endedSites.get(site)?.name ?? site.slice(0, 8);
  }

  #safeCopies(set: OwnSet, groups: readonly (readonly HolderFacts[])[]): number {
    return Math.min(set.copies, safeCopies(groups, this.#holder.clock.wallMs()));
  }

  #reasons(set: OwnSet, groups: readonly (readonly HolderFacts[])[]): string[] {
    const lack = set.targets.flatMap(
      (_targets, group) => this.#spreader.targets.lack(set, group) ?? [],
    );
    const holders = this.#holders(groups);
    const away = holders.filter(({ linked, lacking }) => !linked && lacking > 0);
    return [
      ...new Set(lack),
      ...this.#spreader.targets.refusals.texts(set.set, (site) => this.#nameOf(site)),
      ...holders.flatMap(({ risks }) => risks),
      ...away.map(({ name }) => `${name} is not reachable now.`),
    ];
  }

  #summary(set: OwnSet, groups: readonly (readonly HolderFacts[])[]) {
    const { shards, bytes } = this.extent(set);
    const min = this.#safeCopies(set, groups);
    return {
      setId: set.set as string,
      owner: set.owner as string,
      sealedName: Buffer.from(set.sealedName).toString("base64"),
      keyEpoch: set.keyEpoch,
      head: set.head,
      tips: set.tips,
      shards,
      bytes,
      copies: {
        wanted: set.copies,
        min,
        safe: min >= set.copies && !this.#isBehind(set.set),
        missing: Math.max(0, ...set.targets.map((targets) => set.copies - targets.length)),
        concerns: this.#concerns(set),
        asks: this.#asks(set),
      },
      mine: true,
    };
  }

  /** The head, and how many other members have its record durably. */
  #newestHead(set: OwnSet) {
    const { state, transport } = this.#holder;
    const { self } = transport;
    const witnesses = [...state.authority().sites.keys()].filter((site) => site !== self);
    const entry = state.view().get("place", placeKey(set.set), self);
    const place = placeOf(state.view(), set.set, self);
    const shown = place !== undefined && place.head?.root === set.head?.root;
    const confirmed = entry !== undefined && shown ? state.confirmedBy(entry) : [];
    const confirmedBy = confirmed.filter((site) => witnesses.includes(site)).length;
    return { head: set.head, confirmedBy, witnesses: witnesses.length };
  }

  #listsOf(set: OwnSet) {
    return set.targets.flatMap((_targets, group) => {
      return this.#holder.lists.newest(set.owner, set.set, group) ?? [];
    });
  }

  #isBehind(id: SetId): boolean {
    return this.#spreader.history.behind().some(({ set }) => set === id);
  }

  #known(id: SetId): OwnSet {
    const set = this.#own.get(id);
    if (set === undefined) throw unknownSet(id);
    return set;
  }
}

/** The fewest sites that have signed for all of one group. */
function fewestWhole(groups: readonly (readonly HolderFacts[])[]): number {
  const whole = groups.map((holders) => {
    return holders.filter(({ member, lacking }) => member && lacking === 0).length;
  });
  return whole.length === 0 ? 0 : Math.min(...whole);
}

function foreignSummary(setId: SetId, place: PlaceRecord, tips: readonly Head[]) {
  const { owner, name, keyEpoch, head, copies, groups } = place;
  const fewest = Math.min(copies, ...groups.map(({ targets }) => targets.length));
  return {
    setId: setId as string,
    owner: owner as string,
    sealedName: name,
    keyEpoch,
    head,
    tips: [...tips],
    shards: groups.reduce((sum, { shards }) => sum + shards, 0),
    bytes: groups.reduce((sum, { bytes }) => sum + bytes, 0),
    // Only the owner's site counts receipts; of others' sets nothing is claimed to be safe.
    copies: {
      ...{ wanted: copies, min: 0, safe: false, missing: Math.max(0, copies - fewest) },
      ...{ concerns: [], asks: [] },
    },
    mine: false,
  };
}

export function unknownSet(set: SetId): BackupError {
  return new BackupError("E-NOT-FOUND", `This site writes no data set ${set}.`, {
    hint: "List them with: pleach backup list",
  });
}
