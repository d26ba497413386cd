// What a person does, in a person's words: everything is found by its role and name, as a screen reader finds it.
import assert from 'node:assert/strict';

export async function connect(page) {
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('button', { name: 'Test Wallet' }).click();
  await page.getByRole('banner').getByText('0x').waitFor();
}

export async function logIn(page) {
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).first().click();
  await page.getByText(', logged in').waitFor({ state: 'attached' });
}

export async function connectAndLogIn(page) {
  await page.goto('/');
  await connect(page);
  await logIn(page);
}

export async function chooseCommittee(page) {
  await page.getByRole('navigation').getByRole('link', { name: 'Committee' }).click();
  const boxes = page.getByRole('table').getByRole('checkbox');
  await boxes.first().waitFor();
  for (let at = 0; at < 4; at += 1) await boxes.nth(at).check();
  await page.getByRole('link', { name: 'Go on with these 4' }).click();
  await page.getByRole('heading', { name: 'Generate validators' }).waitFor();
}

/** What the wallet is asked when a ceremony is started. */
export const REQUEST_METHOD = 'eth_signTypedData_v4';

/** Declines what `press` asks the wallet for: nothing is sent, and the notice with this title says why. */
export async function decline(page, wallet, press, title) {
  const sent = wallet.sent.length;
  wallet.declines = ['eth_sendTransaction'];
  await press();
  const notice = page.locator('.notice', { hasText: title });
  await notice.getByText('You declined in your wallet. Nothing was sent.').waitFor();
  assert.equal(wallet.sent.length, sent);
}

/** What starts the ceremony: the wallet is asked next. */
export const startButton = (page) => page.getByRole('button', { name: 'Sign and start' });

/** Of the ways to ask, the one that is free. Where the network has no contracts there is no other, and no choice. */
export const signedRequest = (page) => page.getByRole('radio', { name: 'Sign a message' });

/** Fills in the form and signs; the page of the new ceremony is open afterwards. Gives its id. */
export async function generate(page, count = '2') {
  await page.getByLabel('Number of validators').fill(count);
  if ((await signedRequest(page).count()) > 0) await signedRequest(page).click();
  await startButton(page).click();
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/);
  return page.url().split('/').at(-1);
}

/** Operators that the preflight found ready. */
export const fit = (page) => page.locator('.preflight').getByText('fit', { exact: true });

/** Waits until every operator of the committee is fit. One that came up a moment ago may not be found yet: then they are asked again. */
export async function waitForFit(page, operators = 4) {
  const again = page.getByRole('button', { name: 'Ask again' });
  for (let left = 5; ; left -= 1) {
    // It is there once they have been asked; the service waits half a minute for a gateway.
    await again.waitFor({ timeout: 60_000 });
    if ((await fit(page).count()) === operators) return;
    assert.ok(left > 0, `not everybody is fit: ${await page.locator('.preflight').allInnerTexts()}`);
    // The page asks for the answer once it shows nothing of the one before.
    await Promise.all([page.waitForRequest(/\/v1\/preflights\/[^/]+$/), again.click()]);
  }
}

export async function waitForVerified(page) {
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor({ timeout: 60_000 });
}

/** A part of the app by the name of its link. */
export const link = (page, name) => page.getByRole('navigation').getByRole('link', { name, exact: true });

/** The page that submits keys to CSM, with this ceremony chosen. Gives its row. */
export async function chooseForCsm(page, ceremonyId) {
  await link(page, 'Submit to CSM').click();
  const row = csmRow(page, ceremonyId);
  await row.getByRole('checkbox').check();
  return row;
}

export const csmRow = (page, ceremonyId) =>
  page.locator('.csm-group').filter({ has: page.locator(`a[href="/ceremonies/${ceremonyId}"]`) });

export const newOperator = (page) => page.getByRole('radio', { name: 'A new node operator' });
export const submitButton = (page) => page.getByRole('button', { name: /^Submit \d+ validator/ });
export const sendButton = (page, place) => page.getByRole('button', { name: `Send transaction ${place}` });

/** The queue says so, such as "1 of 2 done". */
export const queueSays = (page, words) => page.getByText(words, { exact: true }).waitFor({ timeout: 60_000 });
export const everythingInCsm = (page) => page.getByText('Everything is in CSM').waitFor({ timeout: 60_000 });

export const registerButton = (page) => page.getByRole('button', { name: /^Register \d+$/ });

/** The page of the last validator in the list. */
export async function openValidator(page) {
  await link(page, 'Validators').click();
  await page.getByRole('table', { name: 'Validators' }).getByRole('link').last().click();
  await page.getByRole('heading', { name: 'Exit', exact: true }).waitFor({ timeout: 30_000 });
}

export const exitButton = (page) => page.getByRole('button', { name: 'Order the exit' });

/** Asks for the exit and confirms it in the page; the wallet is asked next. */
export async function orderExit(page) {
  await exitButton(page).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Order the exit' }).click();
}

export const exitOrdered = (page) =>
  page.locator('.checked-good', { hasText: 'Ordered by you' }).waitFor({ timeout: 30_000 });

/** A part of a page by its heading. */
const card = (page, name) => page.getByRole('region', { name, exact: true });

/** Gateways ask operators every half minute what they do besides duties. */
const WORD = { timeout: 90_000 };

/** Each of the four says itself that it has the order; without a beacon node none can sign it. */
export async function orderHeardOfAll(page) {
  const exit = card(page, 'Exit');
  await exit.getByText('4 of 4 operators have the order.').waitFor(WORD);
  await exit.getByText('0 of 4 operators have signed, 3 are needed').waitFor();
  const operators = exit.getByRole('list', { name: 'Operators on the exit' }).getByRole('listitem');
  assert.equal(await operators.filter({ hasText: 'has the order' }).count(), 4);
}

/** Operators without a beacon node ask no builders. */
export const noBuildersAsked = (page) =>
  card(page, 'Fee recipient').getByText('none of them asks builders').waitFor(WORD);

/** The monitor counts at least one validator whose operators ask no builders, and one that is ordered to leave. */
export async function upkeepInSum(page) {
  const relays = card(page, 'Relay registration');
  const off = relays.getByRole('listitem').filter({ hasText: /no operator asks builders\s*[1-9]/ });
  await off.waitFor(WORD);
  await relays.getByText(/^[1-9]\d* ordered/).waitFor(WORD);
}

/** Transactions that were sent from a page, by what became of them. */
export const sentAs = (page, words) => page.locator('.sent').getByText(words, { exact: true });

/** Nothing secret may be kept, nothing may be said to the console, and nobody else asked. */
export async function assertQuiet({ page, seen }, expected = []) {
  const noise = seen.console.filter((line) => !expected.some((pattern) => pattern.test(line)));
  assert.deepEqual(noise, [], 'the console is empty');
  assert.deepEqual(seen.foreign, [], 'nobody else is asked');
  const kept = await page.evaluate(async () => {
    const stores = [];
    for (const { name } of await window.indexedDB.databases()) stores.push(await contents(name));
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, stores]);

    /** All keys and values of a database of the page. */
    function contents(name) {
      return new Promise((resolve, reject) => {
        const opening = window.indexedDB.open(name);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const found = [];
          const tables = [...database.objectStoreNames];
          if (tables.length === 0) return resolve(found);
          const reading = database.transaction(tables);
          for (const table of tables) {
            reading.objectStore(table).openCursor().onsuccess = ({ target: { result } }) => {
              if (!result) return;
              found.push([table, result.key, result.value]);
              result.continue();
            };
          }
          reading.oncomplete = () => (database.close(), resolve(found));
          reading.onerror = () => reject(reading.error);
        };
      });
    }
  });
  // 65-byte signatures and 32-byte tokens; ceremony ids and public keys are shorter or longer and begin with 0x.
  assert.doesNotMatch(kept, /0x[0-9a-f]{130}\b/i, 'no signature is kept');
  assert.doesNotMatch(kept, /(?<!0x)\b[0-9a-f]{64}\b/i, 'no token is kept');
  return kept;
}
