// From a wallet to verified deposit data.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { encodeFunctionData, parseAbi, zeroAddress } from 'viem';
import { openPage } from './world.mjs';
import * as steps from './steps.mjs';

async function wholeJourney({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  await page.reload();
  assert.equal(
    await page.getByLabel('Number of validators').inputValue(),
    '1',
    'the committee is still chosen',
  );
  const ceremonyId = await steps.generate(page, '3');
  await steps.waitForVerified(page);
  assert.equal(await page.locator('.checked-good').count(), 9, 'every check holds');
  assert.equal(await page.getByText('done', { exact: true }).count(), 4, 'every operator is done');

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download deposit data' }).click(),
  ]);
  assert.match(file.suggestedFilename(), /^deposit_data-\d+\.json$/);
  const deposits = JSON.parse(readFileSync(await file.path(), 'utf8'));
  assert.equal(deposits.length, 3);
  assert.ok(
    deposits.every((entry) =>
      entry.withdrawal_credentials.endsWith('4473dcddbf77679a643bdb654dbd86d67f8d32f2'),
    ),
  );

  const signed = wallet.asked
    .filter(({ method }) => method === 'eth_signTypedData_v4')
    .map(({ params }) => JSON.parse(params[1]));
  assert.equal(signed.length, 1);
  assert.equal(String(signed[0].message.validatorCount), '3');
  assert.equal(wallet.count('personal_sign'), 1, 'one login is enough');

  await page.getByRole('link', { name: 'See its validators' }).click();
  await page.getByText('3 of').waitFor();
  await page.getByRole('table', { name: 'Validators' }).getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Key shares' }).waitFor();
  assert.equal(await page.getByText('confirmed', { exact: true }).count(), 4);

  await page.goto('/ceremonies');
  await page.locator('a.row-link').first().waitFor();
  const links = await page
    .locator('a.row-link')
    .evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  assert.ok(links.includes(`/ceremonies/${ceremonyId}`));
  await steps.assertQuiet(watched);
  await context.close();
}

/** A member of the group, with the files alone and without a wallet, checks the multisig's transaction. */
async function memberChecks({ browser, network, newWallet }) {
  const owner = await openPage(browser, newWallet(), network);
  await steps.connectAndLogIn(owner.page);
  await steps.chooseCommittee(owner.page);
  await steps.generate(owner.page, '2');
  await steps.waitForVerified(owner.page);
  const files = [];
  for (const name of ['Download deposit data', 'Download certificate']) {
    const [file] = await Promise.all([
      owner.page.waitForEvent('download'),
      owner.page.getByRole('button', { name }).click(),
    ]);
    files.push({
      name: file.suggestedFilename(),
      mimeType: 'application/json',
      buffer: readFileSync(await file.path()),
    });
  }
  await owner.context.close();
  const deposits = JSON.parse(files[0].buffer.toString());
  const call = (entries) =>
    encodeFunctionData({
      abi: parseAbi(['function addValidatorKeysETH(address, uint256, uint256, bytes, bytes) payable']),
      args: [
        zeroAddress,
        0n,
        BigInt(entries.length),
        `0x${entries.map((entry) => entry.pubkey).join('')}`,
        `0x${entries.map((entry) => entry.signature).join('')}`,
      ],
    });

  const watched = await openPage(browser, null, network);
  const { page, context } = watched;
  await page.goto('/check');
  await page.getByLabel('certificate.json and').setInputFiles(files);
  const data = page.getByLabel('Data of the transaction');
  await data.waitFor({ timeout: 60_000 });
  await data.fill(call(deposits));
  await page.getByText('These are the keys of your ceremony').waitFor();
  await data.fill(
    JSON.stringify({ transactions: [{ data: call([deposits[0]]) }, { data: call([deposits[0]]) }] }),
  );
  await page.getByText('Do not confirm this transaction').waitFor();
  await data.fill(call([{ ...deposits[0], pubkey: 'ab'.repeat(48) }]));
  await page.getByText('was not made by this ceremony').waitFor();
  const changed = JSON.parse(files[1].buffer.toString());
  changed.transcript.request.request.withdrawal_address = `0x${'11'.repeat(20)}`;
  await page
    .getByLabel('certificate.json and')
    .setInputFiles({ ...files[1], buffer: Buffer.from(JSON.stringify(changed)) });
  await page.getByText('These files do not hold').waitFor({ timeout: 60_000 });
  assert.equal(await data.count(), 0, 'nothing is compared with a certificate that does not hold');
  await steps.assertQuiet(watched);
  await context.close();
}

export const tests = [
  { name: 'journey: from a wallet to verified deposit data', run: wholeJourney },
  { name: 'journey: a member of a group checks a transaction', run: memberChecks },
];
