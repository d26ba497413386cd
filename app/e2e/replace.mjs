// An operator is replaced: from the page of a validator to the new committee on the chain. A spare operator waits in the network.
import assert from 'node:assert/strict';
import { makeAndRegister, open, registerButton, see, SLOW } from './manage.mjs';

const moved = (page, words) => page.getByText(words, { exact: true }).waitFor(SLOW);
const nothingLeft = (page) => page.getByText('Nothing is left to register. The service reads').waitFor(SLOW);
const moveButton = (page) => page.getByRole('button', { name: 'Move this validator' });

/** Two validators, registered with operators 1 to 4; the page of the first one is open afterwards. */
async function registered(page) {
  await makeAndRegister(page, 2);
  await registerButton(page).waitFor(SLOW);
  await registerButton(page).click();
  await nothingLeft(page);
  await page.goto('/validators?status=registered');
  await page.getByRole('table', { name: 'Validators' }).getByRole('link').last().click();
}

/** Chooses operator 5 in the place of 4 and signs; the page of the reshare is open afterwards. */
async function askForReshare(page, wallet) {
  await page.getByRole('link', { name: 'Replace an operator' }).click();
  await page.getByText('its certificate is verified in this browser').waitFor(SLOW);
  const start = page.getByRole('button', { name: 'Sign and make new shares' });
  const boxes = page.getByRole('table').getByRole('checkbox');
  await boxes.nth(2).uncheck();
  await boxes.nth(3).uncheck();
  await page.getByText('3 of the 4 present operators have to stay').waitFor();
  assert.ok(await start.isDisabled(), 'too few stay');
  await boxes.nth(2).check();
  await boxes.nth(4).check();
  await page.getByText('Everybody who stays has to be online').waitFor();
  await see(page, 'replace');
  wallet.declines = ['eth_signTypedData_v4'];
  await start.click();
  await page.getByText('You declined in your wallet').waitFor();
  await start.click();
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/);
}

/** The page goes away while the wallet asks; the person then confirms: what was asked is not offered again. */
async function moveWithReload(page, wallet) {
  let confirm;
  const asked = new Promise((resolve) => {
    wallet.beforeSending = () => {
      resolve();
      return new Promise((done) => (confirm = done));
    };
  });
  await moveButton(page).click();
  await asked;
  await page.reload();
  await page.locator('.batch').getByText('on the way').waitFor(SLOW);
  assert.equal(await page.locator('.batch').getByText('on the way').count(), 1);
  wallet.beforeSending = undefined;
  confirm();
  await moved(page, '1 of 2 moved');
}

async function replace(world) {
  const { page, wallet, context } = await open(world);
  await registered(page);
  const validator = page.url();
  const before = wallet.sent.length;
  await askForReshare(page, wallet);
  await page.getByText('Takes over the validators of').waitFor();
  await moved(page, '0 of 2 moved');
  assert.equal(await page.getByRole('button', { name: 'Download deposit data' }).count(), 0);
  await page.getByTestId('move-total').getByText('0 ETH').waitFor();
  await see(page, 'reshare');
  await moveWithReload(page, wallet);
  await moveButton(page).click();
  await moved(page, '2 of 2 moved');
  assert.equal(wallet.sent.length - before, 2, 'one transaction for each validator');
  assert.equal(await moveButton(page).count(), 0);
  await page.goto(validator);
  await page.getByText('The validator was moved to these operators').waitFor(SLOW);
  const members = page.locator('.card', { has: page.getByRole('heading', { name: 'Committee' }) });
  assert.deepEqual(
    (await members.locator('.row-title .hint').allInnerTexts()).sort(),
    ['#1', '#2', '#3', '#5'],
    'the committee that the service read from the chain',
  );
  await page.getByRole('navigation').getByRole('link', { name: 'Register' }).click();
  await nothingLeft(page);
  await context.close();
}

/** On a network of its own with one more operator: what is left to register there is registered along. */
export const tests = [
  { name: 'replace: an operator, with a reload in the middle', chain: 'spare', run: replace },
];
