import { Receiver } from '../../src/index.js';
import { RecordDigest } from './record-digest.js';

/** A process that takes records and tells, when it is asked to end, what they were: `applied COUNT-HEX`. */

const [dir = ''] = process.argv.slice(2);
const digest = new RecordDigest();
const receiver = await Receiver.open({
  dir,
  listen: { host: '127.0.0.1', port: 0 },
  apply: ({ key, offset, payload }) => digest.add({ key: `${Buffer.from(key ?? [])}`, offset: offset ?? 0, payload }),
});
process.once('SIGTERM', async () => {
  await receiver.close();
  console.log(`applied ${digest.end()}`);
});
console.log(`listening on 127.0.0.1:${receiver.port}`);
