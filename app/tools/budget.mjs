// The JavaScript that the first page needs has to stay small: what index.html names and everything that those files import at once.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT = 250_000;
const dist = (name) => readFileSync(new URL(`../dist/${name}`, import.meta.url));
const manifest = JSON.parse(dist('manifest.json'));

/** The entry, the app itself, which the entry asks for at once, and what they import. */
const pending = ['index.html', 'src/App.tsx'];
const needed = new Set();
while (pending.length > 0) {
  const chunk = manifest[pending.pop()];
  if (!chunk || needed.has(chunk.file)) continue;
  needed.add(chunk.file);
  pending.push(...(chunk.imports ?? []));
}
const sizes = [...needed]
  .filter((file) => file.endsWith('.js'))
  .map((file) => [file, gzipSync(dist(file)).length]);
const total = sizes.reduce((sum, [, size]) => sum + size, 0);
console.log(
  `initial JavaScript: ${(total / 1000).toFixed(1)} kB gzip in ${sizes.length} files, limit ${LIMIT / 1000} kB`,
);
if (sizes.length < 2 || total > LIMIT) {
  for (const [file, size] of sizes) console.error(`  ${file}: ${size}`);
  process.exit(1);
}
