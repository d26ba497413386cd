// Every page: no serious finding of axe-core, nothing wider than a phone, a picture in docs/app.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { openPage } from './world.mjs';
import * as steps from './steps.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = new URL('../../docs/app/', import.meta.url).pathname;
const CLOCK = { iso: '2026-01-01', ms: Date.UTC(2026, 0, 1, 12) };

export async function check(page, name) {
  // axe-core is put in by the test; the page's own policy does not let it in, so it runs beside the page.
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  const serious = found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`,
    );
  assert.deepEqual(serious, [], `axe-core on ${name}`);
  const wider = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(wider <= 0, `${name} is ${wider} px wider than the window`);
}

export async function picture(page, name, options = {}) {
  if (process.env.PICTURES !== '1') return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}${name}.png`, animations: 'disabled', ...options });
}

/** Ids, keys and times differ in every run; pictures shall not. */
async function freeze(page) {
  await page.route('**/v1/ceremonies?*', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.items = body.items.slice(0, 3).map((item) => ({ ...item, created_at_ms: CLOCK.ms }));
    await route.fulfill({ response, json: body });
  });
}

/** A day of figures: the demo's validators are on no chain, so that the service has none. */
async function withFigures(page) {
  const ids = [1, 2, 3, 4];
  await page.route('**/v1/performance*', (route) =>
    route.fulfill({
      json: {
        next_cursor: null,
        operators: ids.map((operator_id) => ({
          operator_id,
          exchanges: 225,
          seen: operator_id === 3 ? 190 : 224,
        })),
        items: Array.from({ length: 90 }, (_, at) => ({
          pubkey: `0x${'ab'.repeat(48)}`,
          epoch: 50_000 + at,
          start_ms: CLOCK.ms + at * 384_000,
          operator_ids: ids,
          reports: 4,
          expected: 10,
          submitted: at % 17 === 0 ? 7 : 10,
          duties: [
            {
              kind: 'attestation',
              expected: 10,
              submitted: at % 17 === 0 ? 7 : 10,
              misses: at % 17 === 0 ? { beacon_node: 2, no_quorum: 1 } : {},
            },
          ],
        })),
      },
    }),
  );
}

/** A validator over twenty epochs, with an operator that was away for some of them. */
async function withSeries(page) {
  const items = Array.from({ length: 20 }, (_, at) => {
    const missed = at === 6 || at === 7 ? 2 : 0;
    const misses = missed ? { too_few_partials: 1 } : {};
    const seen = (id) => (id === 3 && at > 3 && at < 9 ? 2 : 10);
    return {
      first_epoch: 50_019 - at,
      last_epoch: 50_019 - at,
      start_ms: CLOCK.ms - at * 384_000,
      reports: 4,
      expected: 10,
      submitted: 10 - missed,
      duties: [{ kind: 'sync_message', expected: 10, submitted: 10 - missed, misses }],
      operators: [1, 2, 3, 4].map((id) => ({ operator_id: id, exchanges: 10, seen: seen(id) })),
    };
  });
  await page.route('**/v1/performance/series?*', (route) =>
    route.fulfill({ json: { items, next_cursor: '49999' } }),
  );
}

async function look({ browser, network, newWallet }, theme, phone) {
  const suffix = `${theme}-${phone ? 'phone' : 'desktop'}`;
  const { page, context } = await openPage(browser, newWallet(), { ...network, theme, phone });
  const see = async (name) => {
    await check(page, `${name}-${suffix}`);
    await picture(page, `${name}-${suffix}`);
  };
  await page.goto('/');
  await page.getByRole('heading', { name: 'Connect your wallet' }).waitFor();
  await see('start');
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('button', { name: 'Test Wallet' }).waitFor();
  await see('connect');
  await page.getByRole('button', { name: 'Test Wallet' }).click();
  await page.getByRole('banner').getByText('0x').waitFor();
  await page.goto('/validators');
  await page.getByText('Log in to see this').waitFor();
  await see('login');
  await page.goto('/generate');
  await page.getByText('Choose a committee first').waitFor();
  await see('generate-empty');
  await page.goto('/');
  await steps.logIn(page);
  await page.getByRole('navigation').getByRole('link', { name: 'Committee' }).click();
  const boxes = page.getByRole('table').getByRole('checkbox');
  for (let at = 0; at < 4; at += 1) await boxes.nth(at).check();
  await see('committee');
  await page.getByLabel('Search operators').fill('nobody has this name');
  await page.getByText('No operator matches').waitFor();
  await see('committee-none');
  await page.getByRole('link', { name: 'Go on with these 4' }).click();
  await page.getByRole('radio', { name: 'Another address' }).click();
  await page.getByLabel('Number of validators').fill('0');
  await page.getByRole('button', { name: 'Sign and start' }).click();
  await page.getByText('Enter the address').waitFor();
  await see('generate-errors');
  await page.getByRole('radio', { name: 'Lido' }).click();
  await page.getByLabel('Number of validators').fill('3');
  await see('generate');
  await steps.generate(page, '3');
  await steps.waitForVerified(page);
  await see('ceremony');
  await freeze(page);
  await page.goto('/ceremonies');
  await page.locator('a.row-link').first().waitFor();
  await see('ceremonies');
  await page.goto('/validators');
  await page.getByRole('table', { name: 'Validators' }).waitFor();
  await see('validators');
  await page.getByRole('table', { name: 'Validators' }).getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Key shares' }).waitFor();
  await page.getByText('No duties yet').waitFor();
  await see('validator');
  await withSeries(page);
  await page.reload();
  await page.locator('.strip svg').last().waitFor();
  await page.getByText('The same as a table').click();
  await page.getByRole('rowheader', { name: 'Epoch 50013' }).waitFor();
  await check(page, `validator-figures-${suffix}`);
  await picture(page, `validator-figures-${suffix}`, { fullPage: true });
  await page.goto('/performance');
  await page.getByText('No duties yet').waitFor();
  await see('performance-empty');
  await withFigures(page);
  await page.reload();
  await page.locator('.chart svg').first().waitFor();
  await see('performance');
  await page.getByText('The same as a table').click();
  await page.getByRole('row', { name: /^Epoch 50085 7 of 10 70/ }).waitFor();
  await check(page, `performance-figures-${suffix}`);
  await page.goto('/check');
  await page.getByText('The certificate is missing').waitFor();
  await see('check-empty');
  await page.goto('/no/such/page');
  await page.getByText('There is no such page').waitFor();
  await see('not-found');
  await context.close();
}

async function states({ browser, network, newWallet }, theme, phone) {
  const suffix = `${theme}-${phone ? 'phone' : 'desktop'}`;
  const { page, context } = await openPage(browser, newWallet(), { ...network, theme, phone });
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  const id = await steps.generate(page, '1');
  await steps.waitForVerified(page);
  const show = async (name, change) => {
    await page.route(`**/v1/ceremonies/${id}`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), ...change } });
    });
    await page.route(`**/v1/ceremonies/${id}/events`, (route) => route.fulfill({ status: 204 }));
    await page.reload();
    await page.getByText(change.says).first().waitFor();
    await check(page, `${name}-${suffix}`);
    await picture(page, `${name}-${suffix}`);
    await page.unrouteAll();
  };
  const [first] = await page.evaluate(
    (one) =>
      fetch(`/v1/ceremonies/${one}`)
        .then((r) => r.json())
        .then((c) => c.operator_ids),
    id,
  );
  await show('ceremony-failed', {
    status: 'aborted',
    abort_reason: 'too few operators qualified',
    says: 'The ceremony failed',
  });
  await show('ceremony-incomplete', {
    status: 'incomplete',
    missing_operators: [first],
    says: 'Operators are missing',
  });
  await show('ceremony-expired', { status: 'expired', says: 'The ceremony did not begin' });
  await page.route('**/v1/validators*', (route) =>
    route.fulfill({ status: 500, json: { detail: 'The service failed; its log says why.' } }),
  );
  await page.goto('/validators');
  await page.getByText('The validators cannot be shown').waitFor({ timeout: 30_000 });
  await check(page, `validators-error-${suffix}`);
  await picture(page, `validators-error-${suffix}`);
  await context.close();
}

/** Steps in which a list is scrolled, and what the page's main thread may work for one, and for a filter: a frame has 16 ms. */
const SCROLLS = 120;
const STEP_MS = 16;
const FILTER_MS = 100;
/** Until the first page answers a press, the main thread works less than this, and asks for no more files. */
const FIRST_PAGE = { cpuMs: 1_500, files: 12 };

/** Watches the main thread of a page. Each call says what it worked since the last one, and which tasks took more than 50 ms. */
async function watchThread(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.evaluate(() => {
    window.__longTasks = [];
    new window.PerformanceObserver((list) =>
      window.__longTasks.push(...list.getEntries().map(({ duration }) => duration)),
    ).observe({ type: 'longtask' });
  });
  const worked = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
  };
  let before = await worked();
  return async () => {
    const now = await worked();
    const cpuMs = Math.round(now - before);
    before = now;
    return {
      cpuMs,
      longTasks: await page.evaluate(() => (window.__longTasks ?? []).splice(0).map(Math.round)),
    };
  };
}

async function manyValidators({ browser, network, newWallet }) {
  const { page, context } = await openPage(browser, newWallet(), network);
  await steps.connectAndLogIn(page);
  const total = 5_000;
  await page.route('**/v1/validators*', async (route) => {
    const first = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
    const items = Array.from({ length: 100 }, (_, at) => ({
      pubkey: `0x${(first + at).toString(16).padStart(96, 'a')}`,
      ceremony_id: `0x${'1'.repeat(64)}`,
      owner: '0x0000000000000000000000000000000000000001',
      cluster_pubkey: '0x02',
      status: at % 2 === 0 ? 'ready' : 'deposited',
      operators: [1, 2, 3, 4].map((operator_id) => ({ operator_id, share_pubkey: '0x', sealed_share: '0x' })),
      missing_operators: [],
      created_at_ms: CLOCK.ms,
      updated_at_ms: CLOCK.ms,
    }));
    await route.fulfill({ json: { items, next_cursor: first + 100 < total ? String(first + 100) : null } });
  });
  await page.goto('/validators');
  await page.getByText(`${total} validators`).waitFor({ timeout: 60_000 });
  const thread = await watchThread(page);
  const asked = [];
  page.on('request', (request) => request.resourceType() === 'fetch' && asked.push(request.url()));
  // Scrolls through the whole list. Most rows that were ever in the page, and how long frames took.
  const { rows, frames } = await page.locator('.vbox').evaluate(async (box, steps) => {
    const times = [];
    let most = 0;
    let before = performance.now();
    for (let at = 0; at <= steps; at += 1) {
      box.scrollTop = (box.scrollHeight * at) / steps;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      times.push(now - before);
      before = now;
      most = Math.max(most, box.querySelectorAll('.vrow').length);
    }
    return { rows: most, frames: times.sort((a, b) => a - b) };
  }, SCROLLS);
  const scrolled = await thread();
  assert.ok(rows < 60, `only what can be seen is in the page, not ${rows} rows`);
  const began = Date.now();
  await page.getByLabel('Search validators').fill((4_999).toString(16));
  await page.getByText(/^\d+ of 5000$/).waitFor();
  const [answered, filtered] = [Date.now() - began, await thread()];
  assert.deepEqual(asked, [], 'nothing is fetched to scroll and to filter');
  console.log(
    `     scrolled: ${scrolled.cpuMs / SCROLLS} ms of processor a step, nine of ten frames within ${frames[Math.floor(frames.length * 0.9)]} ms, ` +
      `${scrolled.longTasks.length} tasks above 50 ms (${Math.max(0, ...scrolled.longTasks)} ms); ` +
      `filtered: ${filtered.cpuMs} ms of processor, answered in ${answered} ms, ${filtered.longTasks.length} tasks above 50 ms`,
  );
  // Processor time and not a clock's: another program's work is not the page's.
  assert.ok(scrolled.cpuMs / SCROLLS < STEP_MS, `a step takes ${scrolled.cpuMs / SCROLLS} ms of processor`);
  assert.ok(filtered.cpuMs < FILTER_MS, `the filter takes ${filtered.cpuMs} ms of processor`);
  await context.close();
}

async function headers({ network }) {
  const page = await fetch(network.url, { headers: { accept: 'text/html' } });
  assert.equal(page.status, 200);
  const policy = page.headers.get('content-security-policy');
  assert.ok(!/unsafe-inline|'unsafe-eval'|\*/.test(policy), policy);
  const html = await page.text();
  const scripts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(scripts.length >= 2, html);
  for (const path of scripts) {
    const file = await fetch(network.url + path, { headers: { 'accept-encoding': 'br' } });
    assert.equal(file.headers.get('cache-control'), 'public, max-age=31536000, immutable', path);
    assert.equal(file.headers.get('content-encoding'), 'br', path);
    assert.equal(file.headers.get('x-content-type-options'), 'nosniff');
  }
}

async function firstPage({ browser, network }) {
  const { page, context } = await openPage(browser, null, network);
  const thread = await watchThread(page);
  const files = [];
  page.on('response', (response) => files.push(new URL(response.url()).pathname));
  const began = Date.now();
  await page.goto('/');
  await page.getByRole('main').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('dialog').waitFor();
  const ms = Date.now() - began;
  const { cpuMs } = await thread();
  console.log(
    `     first page from a cold cache, until a press is answered: ${ms} ms, ${cpuMs} ms of processor, ${files.length} files`,
  );
  assert.ok(cpuMs < FIRST_PAGE.cpuMs, `the first page takes ${cpuMs} ms of processor`);
  assert.ok(files.length <= FIRST_PAGE.files, `the first page waits for ${files}`);
  await context.close();
}

export const tests = [
  { name: 'pages: headers, policy, caching and compression', run: headers },
  { name: 'pages: the first one from a cold cache', run: firstPage },
  { name: 'pages: five thousand validators', run: manyValidators },
  ...['light', 'dark'].flatMap((theme) =>
    [false, true].flatMap((phone) => [
      {
        name: `pages: every page, ${theme}, ${phone ? 'phone' : 'desktop'}`,
        run: (world) => look(world, theme, phone),
      },
      {
        name: `pages: states of failure, ${theme}, ${phone ? 'phone' : 'desktop'}`,
        run: (world) => states(world, theme, phone),
      },
    ]),
  ),
];
