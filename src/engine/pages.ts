/** What writes past the page cache are aligned to, in memory and in the file, on any disk. */
export const PAGE_BYTES = 4096;
