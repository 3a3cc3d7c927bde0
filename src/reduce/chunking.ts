/** Shorter payloads are not looked for by content: what a reference to them takes is about what they save. */
export const CHUNK_BYTES_MIN = 512;
