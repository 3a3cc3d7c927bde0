/** Shorter payloads are not looked for by content: what a reference to them takes is about what they save. */
export const CHUNK_BYTES_MIN = 128;
/**
 * The last chunk of a payload that is a whole object is known without its end too: what is about a content, such as the
 * attributes of a file, often lies behind it, and differs where the content is the same, in its length as well.
 */
const TRAILER_BYTES = 32;

/** Where a payload ends without its trailer; 0 when it is not known so. */
export function headEndMax(payloadBytes: number, offset: number): number {
  return offset > 0 ? 0 : Math.max(0, Math.floor(payloadBytes / TRAILER_BYTES - 1) * TRAILER_BYTES);
}

/** Where the last chunk, which starts at `lastStart`, ends without its trailer; undefined when it is not known so. */
export function headEnd(payloadBytes: number, offset: number, lastStart: number): number | undefined {
  const end = headEndMax(payloadBytes, offset);
  return end - lastStart < CHUNK_BYTES_MIN / 2 ? undefined : end;
}
