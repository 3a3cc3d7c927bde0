import { ByteReader, ByteWriter } from '../engine/bytes.js';

/**
 * END: comes before the FIN of each connection when the whole session is to end. Without it a FIN says only that this
 * connection is taken out of use, or that the other process was killed.
 */
export interface End {
  /** How many frames of each lane there are, all in all: whoever has them need not wait for any other connection. */
  dataFrames: number;
  controlFrames: number;
}

export const encodeEnd = ({ dataFrames, controlFrames }: End): Buffer =>
  new ByteWriter().varint(dataFrames).varint(controlFrames).take();

export function decodeEnd(body: Buffer): End {
  const reader = new ByteReader(body, 'END');
  const end = { dataFrames: reader.varint(), controlFrames: reader.varint() };
  reader.end();
  return end;
}
