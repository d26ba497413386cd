// Writes src/csm/abi.ts: the parts of contracts/abi/*.json that the app calls, as constants that TypeScript and viem can read types from.
// `npm run abi`; a test says when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

const TARGET = new URL('../src/csm/abi.ts', import.meta.url).pathname;

/** Names per contract; errors are taken whole, so that every refusal can be said in words. */
const PARTS = {
  CS_MODULE: [
    'CSModule',
    'LIDO_LOCATOR ACCOUNTING PARAMETERS_REGISTRY getInitializedVersion isPaused getNodeOperator getSigningKeys',
    'addValidatorKeysETH addValidatorKeysStETH addValidatorKeysWstETH NodeOperatorAdded',
  ],
  PERMISSIONLESS_GATE: [
    'PermissionlessGate',
    'CURVE_ID MODULE addNodeOperatorETH addNodeOperatorStETH addNodeOperatorWstETH',
  ],
  VETTED_GATE: [
    'VettedGate',
    'curveId MODULE treeRoot treeCid isConsumed verifyProof',
    'addNodeOperatorETH addNodeOperatorStETH addNodeOperatorWstETH',
  ],
  ACCOUNTING: [
    'Accounting',
    'LIDO WSTETH getBondCurveId getBondSummary getCurveInfo getBondAmountByKeysCount getBondAmountByKeysCountWstETH',
    'getRequiredBondForNextKeys getRequiredBondForNextKeysWstETH',
  ],
  PARAMETERS_REGISTRY: ['ParametersRegistry', 'getKeysLimit'],
  LIDO_LOCATOR: ['LidoLocator', 'withdrawalVault'],
  STETH: ['StETH', 'allowance approve balanceOf nonces name DOMAIN_SEPARATOR'],
  WSTETH: ['WstETH', 'allowance approve balanceOf nonces name DOMAIN_SEPARATOR'],
};

/** Without what only a compiler wants to know. */
const bare = (value) =>
  Array.isArray(value)
    ? value.map(bare)
    : value && typeof value === 'object'
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([key]) => key !== 'internalType')
            .map(([key, one]) => [key, bare(one)]),
        )
      : value;

/** The text of the file. */
export async function generate() {
  let text =
    '// Made by tools/abi.mjs from contracts/abi: what the app calls of Lido’s contracts. Do not edit.\n\n';
  for (const [constant, [contract, ...lists]] of Object.entries(PARTS)) {
    const abi = JSON.parse(
      readFileSync(new URL(`../../contracts/abi/${contract}.json`, import.meta.url), 'utf8'),
    );
    const wanted = lists.join(' ').split(' ');
    const parts = abi.filter((item) => item.type === 'error' || wanted.includes(item.name));
    const missing = wanted.filter((name) => !parts.some((item) => item.name === name));
    if (missing.length > 0) throw new Error(`contracts/abi/${contract}.json has no ${missing.join(', ')}`);
    text += `export const ${constant} = ${JSON.stringify(bare(parts))} as const;\n\n`;
  }
  return format(text, { ...(await resolveConfig(TARGET)), parser: 'typescript' });
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(TARGET, await generate());
