import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * The far end of a plain TCP flow, a process of its own. Its argument is the address to listen on; it says `listening on PORT`,
 * and answers each line `mark` of its input with `mark PlainMark`, as JSON.
 */

export interface PlainMark {
  /** Of a clock that only differences are taken of. */
  seconds: number;
  /** Received so far. */
  bytes: number;
}

let bytes = 0;
const server = createServer((socket) => {
  socket.on('data', (piece) => {
    bytes += piece.byteLength;
  });
  // The near end is ended when it has been measured.
  socket.on('error', () => {});
});
const lines = createInterface({ input: process.stdin });
process.once('SIGTERM', () => process.exit());
server.listen(0, process.argv[2], () => {
  const address = server.address();
  console.log(`listening on ${typeof address === 'object' ? address?.port : ''}`);
});
for await (const line of lines) {
  const mark: PlainMark = { seconds: performance.now() / 1000, bytes };
  if (line === 'mark') console.log(`mark ${JSON.stringify(mark)}`);
}
