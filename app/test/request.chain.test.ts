// A paid request against the contract itself, on anvil.
import { foundry } from 'viem/chains';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aboutOf, registerNodeCall, requestCall, type Asked } from '../src/generate/paid/asked';
import { ceremonyInReceipt } from '../src/generate/paid/ceremonyId';
import { lookAtRequest } from '../src/generate/paid/outcome';
import { TOKEN_ABI } from '../src/network/abi';
import {
  chain,
  DEPLOYER,
  mined,
  OPERATORS,
  OWNER,
  refusal,
  REQUEST_FEE,
  startSystems,
  stopSystems,
  system,
  wallet,
} from './system';

beforeAll(startSystems, 120_000);
afterAll(stopSystems);

test.each(['native', 'token'])(
  'in the %s currency a request is taken at exactly the fee, once its cluster node is registered, and is found again',
  async (name) => {
    const { clusterNode, terms } = system(name);
    const { token } = terms.currency;
    const asked: Asked = {
      owner: OWNER.address,
      clusterPubkey: `0x02${'7'.repeat(64)}`,
      validatorCount: 3,
      withdrawalAddress: DEPLOYER.address,
      operators: [1, 2, 3, 4].map((id) => ({ operator_id: id, public_key: '0x02' })),
    };
    const fee = REQUEST_FEE * 3n;
    const call = (value: bigint, key = OWNER.publicKey) =>
      requestCall(clusterNode, asked, key, token === undefined ? value : undefined);
    if (token) {
      const args = [clusterNode, fee] as const;
      await mined(
        await wallet().writeContract({ address: token, abi: TOKEN_ABI, functionName: 'approve', args }),
      );
    }
    expect(await refusal(call(fee))).toContain('cluster node of this service is not active');
    const register = registerNodeCall(clusterNode, asked.clusterPubkey);
    await mined(await wallet(OPERATORS).writeContract(register as never));
    expect(await refusal(register)).toContain('registered this cluster node already');
    expect(await refusal(call(fee, OPERATORS.publicKey))).toContain('not that of your account');
    if (!token) {
      expect(await refusal(call(fee - 1n))).toContain('The fee has changed');
      expect(await refusal(call(fee + 1n))).toContain('The fee has changed');
    }
    const block = Number(await chain().getBlockNumber());
    const hash = await wallet().writeContract(call(fee) as never);
    const receipt = await chain().waitForTransactionReceipt({ hash });
    const ceremonyId = ceremonyInReceipt(receipt, foundry.id, clusterNode, asked);
    expect(ceremonyId).toMatch(/^0x[0-9a-f]{64}$/);
    // The wallet's answer was lost: the contract's events have it.
    const sent = { id: 'a', kind: 'request', about: aboutOf(asked), asked_ms: 0 } as const;
    const look = (from: number) =>
      lookAtRequest(chain(), foundry.id, clusterNode, OWNER.address, { ...sent, block: from });
    expect(await look(block)).toMatchObject({ kind: 'asked', ceremonyId, transactionHash: hash });
    expect(await look(Number(receipt.blockNumber)), 'an earlier one is not taken for it').toEqual({
      kind: 'lost',
    });
  },
  60_000,
);
