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

/** Fills in the form and signs, which is free; the page of the new ceremony is open afterwards. Gives its id. */
export async function generate(page, count = '2') {
  await page.getByLabel('Number of validators').fill(count);
  // Where the network has contracts there is a choice.
  const signed = page.getByRole('radio', { name: 'Sign a message' });
  if ((await signed.count()) > 0) await signed.click();
  await page.getByRole('button', { name: 'Sign and start' }).click();
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/);
  return page.url().split('/').at(-1);
}

export async function waitForVerified(page) {
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor({ timeout: 60_000 });
}

/** Nothing secret may be kept, nothing may be said to the console, and nobody else asked. */
export async function assertQuiet({ page, seen }, expected = []) {
  const noise = seen.console.filter((line) => !expected.some((pattern) => pattern.test(line)));
  assert.deepEqual(noise, [], 'the console is empty');
  assert.deepEqual(seen.foreign, [], 'nobody else is asked');
  const kept = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  // 65-byte signatures and 32-byte tokens; ceremony ids and public keys are shorter or longer and begin with 0x.
  assert.doesNotMatch(kept, /0x[0-9a-f]{130}\b/i, 'no signature is kept');
  assert.doesNotMatch(kept, /(?<!0x)\b[0-9a-f]{64}\b/i, 'no token is kept');
}
