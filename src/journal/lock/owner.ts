import { readFile, readlink } from 'node:fs/promises';
import { isErrno } from '../../engine/files.js';
import { LockSocket, SOCKET_NAME, type SocketFile, socketAnswers } from './socket.js';

/** Who holds a lock, told apart from a later process that happens to have the same number. */

export interface LockOwner {
  pid: number;
  /** Start time of the process in clock ticks since boot, where the system tells. */
  started: string | undefined;
  /** Names this run of the system, where it tells. */
  boot: string | undefined;
  /** Names the process namespace, as of a container, that the number is from, where the system has such. */
  namespace: string | undefined;
  /** Answers while the owner lives, to those in other namespaces. */
  socket: SocketFile | undefined;
  token: string;
}

export type Verdict = 'alive' | 'gone' | 'unknown';

/** What the lock asks of the system; tests pass their own. */
export interface SystemProcesses {
  readonly pid: number;
  startedAt(pid: number): Promise<string | undefined>;
  bootId(): Promise<string | undefined>;
  namespace(): Promise<string | undefined>;
  listen(dir: string): Promise<LockSocket | undefined>;
  judge(owner: LockOwner, dir: string): Promise<Verdict>;
}

export function serializeOwner(owner: LockOwner): string {
  return `${JSON.stringify(owner)}\n`;
}

/**
 * Reads a lock file. A live process's file is always whole, since it appears by link(): what cannot be read was cut off
 * by a power cut and belongs to nobody.
 */
export function parseOwner(text: string): LockOwner {
  try {
    const { pid, started, boot, namespace, socket, token } = JSON.parse(text) as Partial<LockOwner>;
    if (Number.isSafeInteger(pid) && typeof token === 'string' && /^[0-9a-f]+$/.test(token)) {
      const sound = socket !== undefined && SOCKET_NAME.test(socket.name);
      return { pid: pid as number, started, boot, namespace, socket: sound ? socket : undefined, token };
    }
  } catch {
    // Not JSON: the same as JSON of another shape.
  }
  return { pid: 0, started: undefined, boot: undefined, namespace: undefined, socket: undefined, token: 'unreadable' };
}

/** How a process is told to live. */
export interface SignsOfLife {
  runs(pid: number): boolean | Promise<boolean>;
  answers(socket: SocketFile): Promise<'yes' | 'no' | 'unknown'>;
}

/** Builds the judgement on an owner from what the system tells. */
export async function judge(
  owner: LockOwner,
  processes: Pick<SystemProcesses, 'startedAt' | 'bootId' | 'namespace'>,
  signs: SignsOfLife,
): Promise<Verdict> {
  if (owner.pid <= 0) return 'gone';
  const boot = await processes.bootId();
  if (owner.boot !== undefined && boot !== undefined && owner.boot !== boot) return 'gone';
  if (owner.namespace !== (await processes.namespace())) return judgeFromAfar(owner, signs);
  if (!(await signs.runs(owner.pid))) return 'gone';
  const started = await processes.startedAt(owner.pid);
  return owner.started === undefined || started === undefined || owner.started === started ? 'alive' : 'gone';
}

/** Numbers of another namespace name other processes here, if any. Only a refusal by the owner's own socket is proof. */
async function judgeFromAfar({ socket }: LockOwner, signs: SignsOfLife): Promise<Verdict> {
  if (socket === undefined) return 'unknown';
  const answer = await signs.answers(socket);
  if (answer === 'unknown') return 'unknown';
  return answer === 'yes' ? 'alive' : 'gone';
}

export const SYSTEM_PROCESSES: SystemProcesses = {
  pid: process.pid,
  async startedAt(pid) {
    return (await statusOf(pid))?.started;
  },
  async bootId() {
    return (await readOptional('/proc/sys/kernel/random/boot_id'))?.trim();
  },
  namespace() {
    return readLinkOptional('/proc/self/ns/pid');
  },
  listen(dir) {
    return LockSocket.listen(dir);
  },
  judge(owner, dir) {
    return judge(owner, this, { runs: processRuns, answers: (socket) => socketAnswers(dir, socket) });
  },
};

async function processRuns(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
  return !((await statusOf(pid))?.ended ?? false);
}

interface ProcessStatus {
  started: string | undefined;
  /** Killed, and only kept until its parent asks how it ended. */
  ended: boolean;
}

async function statusOf(pid: number): Promise<ProcessStatus | undefined> {
  // A /proc of another namespace has other numbers.
  if ((await readLinkOptional('/proc/self')) !== String(process.pid)) return undefined;
  const stat = await readOptional(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseStat(stat);
}

/** The name in parentheses, field 2, may hold blanks and parentheses; fields count on from behind it. */
export function parseStat(stat: string): ProcessStatus {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => fields[number - 3];
  // While a thread of a killed process waits for the disk, what it writes can still come.
  const ended = ['Z', 'X'].includes(field(3) ?? '') && Number(field(20)) <= 1;
  return { started: field(22), ended };
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    // Systems without /proc, and processes that are gone: nothing to tell either way.
    return undefined;
  }
}

async function readLinkOptional(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    // As above.
    return undefined;
  }
}
