/** Bytes, and when they went. */
export interface Piece {
  atMs: number;
  bytes: number;
}

/** The most and the least that any window of a length had. */
export interface Extremes {
  most: number;
  least: number;
}

/**
 * Windows begin and end just before or just after each of the pieces, which are in the order of their times: nothing
 * larger or smaller lies in between. Undefined when the pieces do not last for one.
 */
export function windowExtremes(pieces: readonly Piece[], lengthMs: number): Extremes | undefined {
  const last = pieces.at(-1)?.atMs ?? 0;
  const found = { most: 0, least: Number.POSITIVE_INFINITY };
  let bytes = 0;
  let end = 0;
  for (const { atMs, bytes: first } of pieces) {
    if (atMs + lengthMs > last) break;
    for (let next = pieces[end]; next !== undefined && next.atMs <= atMs + lengthMs; next = pieces[end]) {
      bytes += next.bytes;
      end++;
    }
    found.most = Math.max(found.most, bytes);
    // The window that begins just after this piece, and ends before those that come at its very end.
    let closing = 0;
    for (let at = end - 1; pieces[at]?.atMs === atMs + lengthMs; at--) closing += pieces[at]?.bytes ?? 0;
    found.least = Math.min(found.least, bytes - first - closing);
    bytes -= first;
  }
  return found.most === 0 ? undefined : found;
}
