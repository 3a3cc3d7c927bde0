/** What is left to write after a call that wrote `written` bytes; nothing in all but the rarest cases. */
export function unwritten(buffers: Uint8Array[], written: number): Uint8Array[] {
  let skip = written;
  let index = 0;
  for (const buffer of buffers) {
    if (skip < buffer.byteLength) break;
    skip -= buffer.byteLength;
    index++;
  }
  const rest = buffers.slice(index);
  if (rest[0] !== undefined && skip > 0) rest[0] = rest[0].subarray(skip);
  return rest;
}
