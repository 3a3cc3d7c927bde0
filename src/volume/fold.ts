import type { Catalog } from './catalog.js';
import { entryAfter, type Operation } from './operation.js';

/**
 * What an operation does to a catalog. Both ends fold the same operations in the same order, so both catalogs say the
 * same. The caller may bring an entry that says more than the operation alone, such as the source's signature.
 */
export function fold(catalog: Catalog, operation: Operation, entry = entryAfter(operation)): void {
  catalog.unsettled.note(operation);
  switch (operation.type) {
    case 'begin': {
      const { path, size, sparse, inode, changed, mtime } = operation;
      catalog.transfer = { path, size, sparse, offset: 0, inode, changed, mtime };
      return;
    }
    case 'part':
      if (catalog.transfer?.path === operation.path)
        catalog.transfer.offset = operation.offset + operation.content.byteLength;
      return;
    case 'discard':
      catalog.transfer = undefined;
      catalog.stashed = 0;
      return;
    case 'remove':
      catalog.remove(operation.path);
      return;
    case 'stash':
      catalog.stashed++;
      catalog.remove(operation.path);
      return;
    case 'rename':
      catalog.remove(operation.from);
      break;
    case 'unstash':
      catalog.stashed--;
      break;
    case 'commit':
      catalog.transfer = undefined;
      break;
    default:
      break;
  }
  if (entry !== undefined) catalog.put(entry);
}
