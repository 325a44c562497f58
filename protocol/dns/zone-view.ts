/**
 * The views of a zone: who is meant to see a record.
 *
 * They overlay one another, `public` below `mesh` below `lan`: for each name and type a client is
 * answered from the most specific of the views up to its own that has any record.
 */
export type ZoneView = "public" | "mesh" | "lan";
