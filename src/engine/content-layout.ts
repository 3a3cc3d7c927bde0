/**
 * What a `gear` holds, a Uint32Array that says where chunks end: the shortest and the longest chunk in bytes, the limit
 * that a hash must be below to end one, and the table of the rolling hash. `gearOf` makes one.
 */
export const GEAR = { minBytes: 0, maxBytes: 1, limit: 2, table: 3 } as const;
export const GEAR_FIELDS = GEAR.table + 256;

/** How many bytes a hash depends on: as many as it has bits. No chunk is shorter. */
export const GEAR_WINDOW_BYTES = 32;

/** What cutting reads and leaves in its `state`: the hash, and how many bytes before belong to the chunk still open. */
export const GEAR_STATE = { hash: 0, open: 1 } as const;
export const GEAR_STATE_FIELDS = 2;

/** The secret that table and digests derive from. */
export const KEY_BYTES = 32;

/** A digest that is no tag: the first 128 bits. */
export const CHUNK_DIGEST_BYTES = 16;

/** How many features a sketch has. */
export const FEATURES = 12;

/** What a match takes of `matches`: start in the target, start in the base, length. */
export const MATCH_FIELDS = 3;
