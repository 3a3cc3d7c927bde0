import { randomFillSync } from 'node:crypto';
import { connect } from 'node:net';

/** The near end of a plain TCP flow, a process of its own: one connection to HOST and PORT, as much as goes, until it is ended. */

const PIECE_BYTES = 64 * 1024;
const [, , host = '', port = ''] = process.argv;
const piece = randomFillSync(Buffer.alloc(PIECE_BYTES));
process.once('SIGTERM', () => process.exit());
const socket = connect(Number(port), host, fill);
socket.on('drain', fill);

function fill(): void {
  while (socket.write(piece));
}
