// Puts a brotli-compressed twin beside every text file of dist/: the service sends it to browsers that take it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const DIST = new URL('../dist/', import.meta.url).pathname;

for (const entry of readdirSync(DIST, { recursive: true })) {
  if (!/\.(js|css|svg|wasm|html)$/.test(entry) || entry === 'index.html') continue;
  const bytes = readFileSync(join(DIST, entry));
  const small = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  if (small.length < bytes.length) writeFileSync(join(DIST, `${entry}.br`), small);
}
