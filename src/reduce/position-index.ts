import { type Position, PositionTable } from './position-table.js';

/** So many tables, none of which takes long to grow. */
const TABLES = 64;
const TABLE_SHIFT = 26;

/** A PositionTable of any size: the upper bits of a tag say which of many it is in. */
export class PositionIndex {
  readonly #tables: PositionTable[];

  /** Holds about `entriesMax` entries; when there are more the oldest go. `mayGrow` as in PositionTable. */
  constructor(entriesMax: number, mayGrow?: (bytes: number) => boolean) {
    const most = Math.ceil(entriesMax / TABLES);
    this.#tables = Array.from({ length: TABLES }, () => new PositionTable(most, mayGrow));
  }

  get size(): number {
    return this.#tables.reduce((sum, table) => sum + table.size, 0);
  }

  get memoryBytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.memoryBytes, 0);
  }

  /** Notes a place, of a record that is not older than any noted before. */
  add(low: number, high: number, position: Position): void {
    this.#table(high).add(low, high, position);
  }

  /** The newest place of a tag; undefined when there is none. */
  find(low: number, high: number): Position | undefined {
    return this.#table(high).find(low, high);
  }

  dropBefore(sequence: number): void {
    for (const table of this.#tables) table.dropBefore(sequence);
  }

  dropFrom(sequence: number): void {
    for (const table of this.#tables) table.dropFrom(sequence);
  }

  clear(): void {
    for (const table of this.#tables) table.clear();
  }

  #table(high: number): PositionTable {
    return this.#tables[high >>> TABLE_SHIFT] as PositionTable;
  }
}
