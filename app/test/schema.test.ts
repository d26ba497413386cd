import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generate } from '../tools/abi.mjs';

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

test('the parts of the ABIs are generated from contracts/abi as they are', async () => {
  expect(readFileSync('src/csm/abi.ts', 'utf8') === (await generate()), 'stale: npm run abi').toBe(true);
});
