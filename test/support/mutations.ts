import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Random } from '../../fuzz/random.js';
import { at, bytesOf, contentOf, keepTime, listTree, show, type TreePath } from './files.js';
import { randomContent, randomName } from './tree.js';

/** What can happen to a tree between two looks at it. Each mutation tells what it did, for the message of a failure. */

const BYTES_MAX = 120_000;
/** What the owner may not write only root can go on changing. */
const OWNER_WRITES = process.geteuid?.() === 0 ? 0 : 0o200;

class Scene {
  readonly files: TreePath[] = [];
  readonly directories: TreePath[] = [];
  readonly links: TreePath[] = [];
  readonly #taken = new Set<TreePath>();

  constructor(
    readonly root: string,
    readonly random: Random,
  ) {
    for (const { path, kind } of listTree(root)) {
      this.#taken.add(path);
      if (kind === 'file') this.files.push(path);
      else if (kind === 'directory' && path !== '') this.directories.push(path);
      else if (kind === 'symlink') this.links.push(path);
    }
  }

  place(path: TreePath): Buffer {
    return at(this.root, path);
  }

  file(): TreePath {
    return this.random.pick(this.files);
  }

  directory(): TreePath {
    return this.random.pick(this.directories);
  }

  /** Two different files. */
  two(): [TreePath, TreePath] {
    const one = this.file();
    return [one, this.random.pick(this.files.filter((path) => path !== one))];
  }

  /** A path that nothing has yet, not inside `outside`. */
  fresh(outside?: TreePath): TreePath {
    const allowed = ['', ...this.directories].filter(
      (path) => outside === undefined || (path !== outside && !path.startsWith(`${outside}/`)),
    );
    const parent = this.random.pick(allowed);
    for (;;) {
      const path = `${parent === '' ? '' : `${parent}/`}${randomName(this.random)}${this.random.below(100_000)}`;
      if (!this.#taken.has(path)) return path;
    }
  }
}

type Mutation = (scene: Scene) => string;

const files: Record<string, Mutation> = {
  edit: (s) => {
    const path = s.file();
    const { size } = statSync(s.place(path));
    const handle = openSync(s.place(path), 'r+');
    writeSync(handle, s.random.bytes(20), 0, 20, s.random.below(size + 1));
    closeSync(handle);
    return show(path);
  },
  append: (s) => {
    const path = s.file();
    appendFileSync(s.place(path), randomContent(s.random, 5000));
    return show(path);
  },
  truncate: (s) => {
    const path = s.file();
    truncateSync(s.place(path), s.random.below(statSync(s.place(path)).size + 1000));
    return show(path);
  },
  'edit in secret': (s) => {
    const path = s.file();
    const { size } = statSync(s.place(path));
    keepTime(s.place(path), () => writeFileSync(s.place(path), contentOf(s.random.u32(), size)));
    return `${show(path)}, same size and time`;
  },
  'replace by rename': (s) => {
    const [path, aside] = [s.file(), s.fresh()];
    writeFileSync(s.place(aside), randomContent(s.random, BYTES_MAX));
    renameSync(s.place(aside), s.place(path));
    return show(path);
  },
  rename: (s) => {
    const [from, to] = [s.file(), s.fresh()];
    renameSync(s.place(from), s.place(to));
    return `${show(from)} to ${show(to)}`;
  },
  'rename over another': (s) => {
    const [from, to] = s.two();
    renameSync(s.place(from), s.place(to));
    return `${show(from)} to ${show(to)}`;
  },
  swap: (s) => {
    const [one, other] = s.two();
    const aside = s.fresh();
    renameSync(s.place(one), s.place(aside));
    renameSync(s.place(other), s.place(one));
    renameSync(s.place(aside), s.place(other));
    return `${show(one)} and ${show(other)}`;
  },
  rotate: (s) => {
    const [one, other] = s.two();
    const third = s.fresh();
    renameSync(s.place(other), s.place(third));
    renameSync(s.place(one), s.place(other));
    if (s.random.chance(0.5)) writeFileSync(s.place(one), randomContent(s.random, 2000));
    return `${show(one)} to ${show(other)} to ${show(third)}`;
  },
  'file to directory': (s) => {
    const path = s.file();
    const aside = s.fresh();
    renameSync(s.place(path), s.place(aside));
    mkdirSync(s.place(path));
    if (s.random.chance(0.5)) renameSync(s.place(aside), s.place(`${path}/was the file`));
    else rmSync(s.place(aside));
    return show(path);
  },
  'file to link': (s) => {
    const path = s.file();
    rmSync(s.place(path));
    symlinkSync('anywhere', s.place(path));
    return show(path);
  },
  'delete file': (s) => {
    const path = s.file();
    rmSync(s.place(path));
    return show(path);
  },
  'hard link': (s) => {
    const [path, to] = [s.file(), s.fresh()];
    linkSync(s.place(path), s.place(to));
    return `${show(path)} as ${show(to)}`;
  },
  chmod: (s) => {
    const path = s.file();
    const mode = s.random.pick([0o444 | OWNER_WRITES, 0o600, 0o644, 0o755, 0o4755]);
    chmodSync(s.place(path), mode);
    return `${show(path)} ${mode.toString(8)}`;
  },
  touch: (s) => {
    const path = s.random.pick([...s.files, ...s.directories]);
    const time = s.random.between(1, 2_000_000_000) + s.random.below(1_000_000) / 1_000_000;
    utimesSync(s.place(path), time, time);
    return show(path);
  },
  'move into new directory': (s) => {
    const [path, directory] = [s.file(), s.fresh()];
    mkdirSync(s.place(directory));
    renameSync(s.place(path), s.place(`${directory}/moved`));
    return `${show(path)} into ${show(directory)}`;
  },
};

const directories: Record<string, Mutation> = {
  'rename directory': (s) => {
    const from = s.directory();
    const to = s.fresh(from);
    renameSync(s.place(from), s.place(to));
    return `${show(from)} to ${show(to)}`;
  },
  'swap directories': (s) => {
    const one = s.directory();
    const others = s.directories.filter(
      (path) => !path.startsWith(`${one}/`) && !one.startsWith(`${path}/`) && path !== one,
    );
    if (others.length === 0) return 'none to swap';
    const other = s.random.pick(others);
    renameSync(s.place(one), s.place('swap aside'));
    renameSync(s.place(other), s.place(one));
    renameSync(s.place('swap aside'), s.place(other));
    return `${show(one)} and ${show(other)}`;
  },
  'directory to one of its files': (s) => {
    const inside = s.files.filter((path) => path.includes('/'));
    if (inside.length === 0) return 'none to replace';
    const file = s.random.pick(inside);
    const directory = file.slice(0, file.lastIndexOf('/'));
    renameSync(s.place(file), s.place('way out'));
    rmSync(s.place(directory), { recursive: true });
    renameSync(s.place('way out'), s.place(directory));
    return `${show(file)} to ${show(directory)}`;
  },
  'directory to file': (s) => {
    const path = s.directory();
    rmSync(s.place(path), { recursive: true });
    writeFileSync(s.place(path), randomContent(s.random, 1000));
    return show(path);
  },
  'directory to link': (s) => {
    const path = s.directory();
    rmSync(s.place(path), { recursive: true });
    symlinkSync('..', s.place(path));
    return show(path);
  },
  'delete directory': (s) => {
    const path = s.directory();
    rmSync(s.place(path), { recursive: true });
    return show(path);
  },
  'chmod directory': (s) => {
    const path = s.directory();
    const mode = s.random.pick([0o700, 0o755, 0o1777, 0o2755]);
    chmodSync(s.place(path), mode);
    return `${show(path)} ${mode.toString(8)}`;
  },
};

const others: Record<string, Mutation> = {
  'new file': (s) => {
    const path = s.fresh();
    writeFileSync(s.place(path), randomContent(s.random, BYTES_MAX));
    return show(path);
  },
  'new directories': (s) => {
    const path = `${s.fresh()}/deep/er`;
    mkdirSync(s.place(path), { recursive: true });
    writeFileSync(s.place(`${path}/file`), 'new');
    return show(path);
  },
  'new link': (s) => {
    const path = s.fresh();
    symlinkSync(bytesOf(s.random.pick([...s.files, 'gone'])), s.place(path));
    return show(path);
  },
  'link to file': (s) => {
    if (s.links.length === 0) return 'no link';
    const path = s.random.pick(s.links);
    rmSync(s.place(path));
    writeFileSync(s.place(path), 'was a link');
    return show(path);
  },
};

export const MUTATIONS: Readonly<Record<string, Mutation>> = { ...files, ...directories, ...others };

/** Changes the tree `count` times, tells how. */
export function mutate(root: string, random: Random, count: number): string[] {
  const done: string[] = [];
  for (let i = 0; i < count; i++) {
    const scene = new Scene(root, random);
    const usable: string[] = [...Object.keys(others)];
    if (scene.files.length >= 2) usable.push(...Object.keys(files));
    if (scene.directories.length > 0) usable.push(...Object.keys(directories));
    const name = random.pick(usable);
    done.push(`${name}: ${MUTATIONS[name]?.(scene)}`);
  }
  if (!existsSync(root)) throw new Error(`${root} has gone`);
  return done;
}
