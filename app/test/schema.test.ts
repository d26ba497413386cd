import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the client is generated from service/openapi.json as it is', () => {
  const out = join(mkdtempSync(join(tmpdir(), 'schema-')), 'schema.ts');
  const flags = ['--alphabetize', '--empty-objects-unknown'];
  execFileSync('node_modules/.bin/openapi-typescript', [
    '../service/openapi.json',
    '--output',
    out,
    ...flags,
  ]);
  const held = readFileSync('src/api/schema.ts', 'utf8');
  expect(held === readFileSync(out, 'utf8'), 'stale: npm run schema').toBe(true);
});
