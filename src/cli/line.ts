import { type Path, parseAddress, type SenderOptions } from '../index.js';
import { type OptionTable, UsageError, type Values } from './arguments.js';

/** What `send` says about the ways to the receiver. */
export const lineOptionTable: OptionTable = {
  path: { value: 'PATH', repeats: true, help: 'a further way to the receiver, HOST:PORT or HOST:PORT@LOCAL-ADDRESS' },
  'spare-path': { value: 'PATH', repeats: true, help: 'the same, used only while no other works' },
  connections: { value: 'N[-M]', help: 'connections of each path: to begin with, and at most (default 4-16)' },
  background: { help: 'take only what other traffic leaves of the line' },
  'congestion-control': { value: 'NAME', help: 'auto (default), system, or one by name' },
};

export function lineOf(
  values: Values,
): Pick<SenderOptions, 'connections' | 'congestionControl' | 'priority'> & { paths: Path[] } {
  const { connections, 'congestion-control': name } = values;
  return {
    paths: [...pathsOf(values, 'path'), ...pathsOf(values, 'spare-path').map((path) => ({ ...path, spare: true }))],
    ...(connections === undefined ? {} : { connections: parseConnections(String(connections)) }),
    priority: values.background === true ? 'background' : 'normal',
    ...(name === undefined ? {} : { congestionControl: String(name) }),
  };
}

function pathsOf(values: Values, option: string): Path[] {
  const given = values[option];
  return Array.isArray(given) ? given.map((text: string) => parsePath(`--${option}`, text)) : [];
}

function parsePath(option: string, text: string): Path {
  const [to = '', localAddress, ...rest] = text.split('@');
  if (rest.length > 0) throw new UsageError(`${option} is ${text}; expected HOST:PORT or HOST:PORT@LOCAL-ADDRESS`);
  return { ...parseAddress(to, option), ...(localAddress === undefined ? {} : { localAddress }) };
}

function parseConnections(text: string): { min: number; max: number } {
  const match = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(text);
  if (match === null) throw new UsageError(`--connections is ${text}; expected a number such as 8, or 4-16`);
  return { min: Number(match[1]), max: Number(match[2] ?? match[1]) };
}
