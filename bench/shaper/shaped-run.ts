import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Shaper } from '../../src/channel/shaper.js';
import type { Piece } from './windows.js';

const PIECE = Buffer.alloc(256 * 1024);
/** What a connection holds before it waits for its socket, as the outbox of a connection does. */
const HANDOVER_BYTES = 256 * 1024;

export interface ShapedRun {
  /** What was handed to the sockets, and what came out of them at the other end. */
  written: Piece[];
  arrived: Piece[];
  /** The longest time for which the event loop did not get to run. */
  pauseMs: number;
}

/** Keeps several TCP connections on loopback busy for a time, all below one rate. */
export async function shapedRun(rateBytesPerSecond: number, connections: number, ms: number): Promise<ShapedRun> {
  const run: ShapedRun = { written: [], arrived: [], pauseMs: 0 };
  const server = createServer((socket) => {
    socket.on('data', (chunk) => run.arrived.push({ atMs: performance.now(), bytes: chunk.byteLength }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      await once(socket, 'connect');
      return socket;
    }),
  );
  const shaper = new Shaper({ rateBytesPerSecond });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const untilMs = performance.now() + ms;
  await Promise.all(sockets.map((socket) => fill(socket, shaper, untilMs, run.written)));
  delay.disable();
  run.pauseMs = delay.max / 1e6;
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
  return run;
}

async function fill(socket: Socket, shaper: Shaper, untilMs: number, written: Piece[]): Promise<void> {
  while (performance.now() < untilMs) {
    const bytes = await shaper.take(Math.min(shaper.quantumBytes, PIECE.byteLength));
    written.push({ atMs: performance.now(), bytes });
    socket.write(PIECE.subarray(0, bytes));
    if (socket.writableLength >= HANDOVER_BYTES) await once(socket, 'drain');
  }
}
