/** What is told about data sets: how much they are, where they are, what is still missing. */
import type { SetId } from "../../../protocol/ids.ts";
import { placeKey, placeRecord, type PlaceRecord } from "../../../protocol/record.ts";
import { fewestReceipts, piecesOf } from "./copies.ts";
import { BackupError } from "./error.ts";
import type { Holder } from "./holder.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";
import type { Spreader } from "./spreader.ts";

export class SetReports {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #spreader: Spreader;

  constructor(holder: Holder, own: OwnSets, spreader: Spreader) {
    this.#holder = holder;
    this.#own = own;
    this.#spreader = spreader;
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
      this.#own.all().map(async (set) => this.#summary(set, await piecesOf(this.#holder, set))),
    );
    const others = this.#holder.state
      .view()
      .entries("place")
      .filter(({ author }) => author !== this.#holder.transport.self)
      .flatMap(({ key, value }) => {
        const place = placeRecord.safeParse(value);
        return place.success ? [foreignSummary(key, place.data)] : [];
      });
    return [...own, ...others];
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
    const pieces = await piecesOf(this.#holder, set);
    const here = await this.#holder.shards.names(set.owner, id);
    const lost = [...pieces.values()]
      .filter((piece) => piece.kind === "shard" && piece.receipts.size === 0)
      .map((piece) => piece.id as string)
      .filter((shard) => !here.has(shard));
    const folder = this.#holder.shards.folderOf(set.owner, id);
    return {
      ...this.#summary(set, pieces),
      groups,
      folder,
      lost,
      newestHead: this.#newestHead(set),
    };
  }

  async copies(id: SetId, detail: boolean) {
    const set = this.#known(id);
    const pieces = await piecesOf(this.#holder, set);
    const fewest = fewestReceipts(pieces);
    const isBehind = this.#isBehind(id);
    const safe = fewest >= set.copies && !isBehind;
    const perShard = [...pieces.values()].map(({ id: shard, sizeBytes: size, kind, receipts }) => ({
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
      shards: pieces.size,
      minReceipts: fewest,
      safe,
      ownerSentBytes: this.#spreader.sentBytes(set),
      atRisk: safe ? null : `${fewest} of ${set.copies}`,
      reasons: [
        ...(isBehind ? ["This directory is older than what the site has published."] : []),
        ...(safe ? [] : this.#reasons(set)),
      ],
      ...(detail ? { perShard } : {}),
    };
  }

  #reasons(set: OwnSet): string[] {
    const { state, transport } = this.#holder;
    const { sites } = state.authority();
    const links = transport.links();
    const away = new Set(set.targets.flat().filter((site) => !links.includes(site)));
    const reasons = set.targets.flatMap(
      (_targets, group) => this.#spreader.targets.missing(set, group).reasons,
    );
    return [
      ...new Set(reasons),
      ...[...away].map((site) => `${sites.get(site)?.name ?? site} is not reachable now.`),
    ];
  }

  #summary(set: OwnSet, pieces: Awaited<ReturnType<typeof piecesOf>>) {
    const { shards, bytes } = this.extent(set);
    const fewest = fewestReceipts(pieces);
    return {
      setId: set.set as string,
      owner: set.owner as string,
      sealedName: Buffer.from(set.sealedName).toString("base64"),
      keyEpoch: set.keyEpoch,
      head: set.head,
      shards,
      bytes,
      copies: {
        wanted: set.copies,
        min: fewest,
        safe: fewest >= set.copies && !this.#isBehind(set.set),
        missing: Math.max(0, ...set.targets.map((targets) => set.copies - targets.length)),
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
    const place = placeRecord.safeParse(entry?.value);
    const shown = place.success && place.data.head?.root === set.head?.root;
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

function foreignSummary(setId: string, place: PlaceRecord) {
  const { owner, name, keyEpoch, head, copies, groups } = place;
  const fewest = Math.min(copies, ...groups.map(({ targets }) => targets.length));
  return {
    setId,
    owner: owner as string,
    sealedName: name,
    keyEpoch,
    head,
    shards: groups.reduce((sum, { shards }) => sum + shards, 0),
    bytes: groups.reduce((sum, { bytes }) => sum + bytes, 0),
    // Only the owner's site counts receipts; of others' sets nothing is claimed to be safe.
    copies: { wanted: copies, min: 0, safe: false, missing: Math.max(0, copies - fewest) },
    mine: false,
  };
}

export function unknownSet(set: SetId): BackupError {
  return new BackupError("E-NOT-FOUND", `This site writes no data set ${set}.`, {
    hint: "List them with: pleach backup list",
  });
}
