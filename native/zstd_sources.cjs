// Prints the C sources of zstd, a line each, for binding.gyp, which takes paths from the directory it lies in.
// Given `include`, the directory of its headers instead.
const { readdirSync } = require('node:fs');
const { dirname, join, relative } = require('node:path');

const library = join(dirname(require.resolve('zstd-napi/package.json')), 'deps', 'zstd', 'lib');
const paths =
  process.argv[2] === 'include'
    ? [library]
    : ['common', 'compress', 'decompress'].flatMap((part) =>
        readdirSync(join(library, part))
          .filter((name) => name.endsWith('.c'))
          .sort()
          .map((name) => join(library, part, name)),
      );
// With slashes on every system, as gyp wants them.
for (const path of paths) console.log(relative('.', path).replaceAll('\\', '/'));
