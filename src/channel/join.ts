import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';
import { TOKEN_BYTES } from './messages.js';

/** JOIN: the first frame of a connection that is to carry a session which another one has begun. */
export interface Join {
  session: bigint;
  token: Buffer;
  /** Which of the sender's paths it takes, counted from 0. */
  path: number;
  spare: boolean;
}

export const PATHS_MAX = 8;

export const encodeJoin = (m: Join): Buffer =>
  new ByteWriter()
    .u64(m.session)
    .raw(m.token)
    .u8(m.path)
    .u8(m.spare ? 1 : 0)
    .take();

export function decodeJoin(body: Buffer): Join {
  const reader = new ByteReader(body, 'JOIN');
  const [session, token, path, spare] = [reader.u64(), reader.raw(TOKEN_BYTES), reader.u8(), reader.u8()];
  reader.end();
  if (path >= PATHS_MAX) throw new ProtocolError(`path ${path}`, `0 to ${PATHS_MAX - 1}`);
  if (spare > 1) throw new ProtocolError(`a flag of ${spare}`, '0 or 1');
  return { session, token, path, spare: spare === 1 };
}
