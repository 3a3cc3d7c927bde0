import { Receiver } from '../../src/index.js';

/** Receives and prints the number of each record that it applies: `stream-receiver.js DIR PORT`. */

const [, , dir = '', port = ''] = process.argv;
await Receiver.open({
  dir,
  listen: { host: '127.0.0.1', port: Number(port) },
  apply: (record) => void process.stdout.write(`${record.sequence}\n`),
});
