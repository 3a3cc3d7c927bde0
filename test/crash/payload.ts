/** The payload of a record tells its number, and sizes vary. */
export function payloadOf(sequence: number): Buffer {
  return Buffer.alloc(20 + ((sequence * 7919) % 5000), `record ${sequence} `);
}
