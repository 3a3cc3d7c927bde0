// Which room of src/ may import which: the rows of the table in docs/architecture.md. Every room may also import
// itself, src/errors.ts and src/options.ts. A room that is not listed is refused, so that a new one gets its row first.
const MAY_USE = {
  engine: [],
  journal: ['engine'],
  reduce: ['engine', 'journal'],
  channel: ['engine'],
  replication: ['engine', 'journal', 'reduce', 'channel'],
  volume: ['replication', 'journal', 'engine'],
  cluster: ['replication', 'volume'],
  scope: ['engine', 'journal', 'reduce', 'channel', 'replication', 'volume', 'cluster'],
  cli: ['index'],
};

// The parts of src/journal/, lowest first: each may import those before it. The files beside them are its face; only what
// callers pass in (arguments.ts) is read from within, by the last part.
const JOURNAL_PARTS = [
  'format',
  'disk',
  'scan',
  'state',
  'write',
  'read',
  'side',
  'retention',
  'recovery',
  'lock',
  'repair',
];

const COMMON = '^src/(errors|options)[.]ts$';
const pathOf = (name) => (name === 'index' ? '^src/index[.]ts$' : `^src/${name}/`);

const rooms = Object.entries(MAY_USE).map(([room, mayUse]) => ({
  name: `room-${room}`,
  severity: 'error',
  comment: `src/${room}/ may import ${[...mayUse, 'errors', 'options'].join(', ')} and nothing else of src/`,
  from: { path: pathOf(room) },
  to: { path: '^src/', pathNot: [pathOf(room), COMMON, ...mayUse.map(pathOf)] },
}));

const parts = JOURNAL_PARTS.map((part, index) => {
  const before = JOURNAL_PARTS.slice(0, index + 1).map((name) => `^src/journal/${name}/`);
  return {
    name: `journal-${part}`,
    severity: 'error',
    comment: `src/journal/${part}/ may import the parts of the journal before it: ${JOURNAL_PARTS.slice(0, index).join(', ')}`,
    from: { path: `^src/journal/${part}/` },
    to: {
      path: '^src/journal/',
      pathNot: [...before, ...(part === 'repair' ? ['^src/journal/arguments[.]ts$'] : [])],
    },
  };
});

const known = ['^src/index[.]ts$', COMMON, ...Object.keys(MAY_USE).map(pathOf)];

module.exports = {
  forbidden: [
    ...rooms,
    ...parts,
    {
      name: 'journal-part-unknown',
      severity: 'error',
      comment: 'a part of src/journal/ that has no place among JOURNAL_PARTS',
      from: {},
      to: { path: '^src/journal/[^/]+/', pathNot: JOURNAL_PARTS.map((part) => `^src/journal/${part}/`) },
    },
    {
      name: 'common-stands-alone',
      severity: 'error',
      comment: 'src/errors.ts and src/options.ts are used by every room and so use none',
      from: { path: COMMON },
      to: { path: '^src/', pathNot: COMMON },
    },
    {
      name: 'room-unknown',
      severity: 'error',
      comment: 'a file of src/ that lies in no known room: give the room a row in .dependency-cruiser.cjs',
      from: { path: '^src/', pathNot: known },
      to: {},
    },
    {
      name: 'room-unknown',
      severity: 'error',
      comment: 'an import of a file of src/ that lies in no known room',
      from: {},
      to: { path: '^src/', pathNot: known },
    },
    {
      name: 'src-uses-src-only',
      severity: 'error',
      comment: 'what is published does not reach into tests, benches, fuzzers or build output',
      from: { path: '^src/' },
      to: { path: '^(test|bench|fuzz|release|dist|native|docs)/' },
    },
    {
      name: 'src-uses-runtime-dependencies',
      severity: 'error',
      comment: 'a package that is imported from src/ belongs under "dependencies"',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'npm-peer'] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'files that import each other cannot be read or tested one at a time',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'an import that leads nowhere',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Type-only imports vanish from the compiled code but couple the rooms all the same.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
