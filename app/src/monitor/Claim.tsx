import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { maxUint256, zeroAddress, type Address, type Hex } from 'viem';
import { useConnection } from 'wagmi';
import { Amount } from '../network/Amount';
import { useReader } from '../network/chain';
import { useSend } from '../network/send';
import { describeCall } from '../network/words';
import { OwnSent } from '../register/OwnSent';
import { sameAddress } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Choice } from '../ui/Choice';
import { Notice } from '../ui/Notice';
import { ACCOUNTING_ABI, STETH_ABI } from './abi';
import { useDistribution, type NodeOperator } from './data';
import { rewardProof, type RewardProof } from './proof';
import { isEmptyRoot } from './strikes';
import { MOST_BYTES } from './tree';
import { TreeFile } from './TreeFile';

const KINDS = {
  claimRewardsStETH: { word: 'stETH', means: 'as it is held' },
  claimRewardsWstETH: { word: 'wstETH', means: 'wrapped' },
  claimRewardsUnstETH: {
    word: 'ETH',
    means: 'by a request for withdrawal, which Lido pays out in some days',
  },
} as const;

type ClaimFunction = keyof typeof KINDS;
const CLAIM_FUNCTIONS = Object.keys(KINDS) as ClaimFunction[];

const NO_PROOF: RewardProof = { cumulativeShares: 0n, proof: [] };

/** What a claim would pay out now, in wei of stETH: excess bond, and rewards where there is a proof of them. */
function useClaimable(accounting: Address | undefined, id: number, { cumulativeShares, proof }: RewardProof) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'claimable', accounting, id, String(cumulativeShares), proof],
    queryFn: async () => {
      const contract = { address: accounting ?? zeroAddress, abi: ACCOUNTING_ABI } as const;
      const [shares, stETH] = await Promise.all([
        proof.length === 0 && cumulativeShares === 0n
          ? client.readContract({ ...contract, functionName: 'getClaimableBondShares', args: [BigInt(id)] })
          : client.readContract({
              ...contract,
              functionName: 'getClaimableRewardsAndBondShares',
              args: [BigInt(id), cumulativeShares, proof],
            }),
        client.readContract({ ...contract, functionName: 'stETH' }),
      ]);
      return client.readContract({
        address: stETH,
        abi: STETH_ABI,
        functionName: 'getPooledEthByShares',
        args: [shares],
      });
    },
    enabled: accounting !== undefined,
  });
}

/** Rewards and excess bond, paid to the reward address. */
export function Claim({ operator, accounting }: { operator: NodeOperator; accounting: Address | undefined }) {
  const id = operator.node_operator_id;
  const { address } = useConnection();
  const distribution = useDistribution(accounting, id);
  const [found, setFound] = useState<RewardProof>();
  const [refused, setRefused] = useState<string>();
  const [kind, setKind] = useState<ClaimFunction>('claimRewardsStETH');
  const proof = found ?? NO_PROOF;
  const claimable = useClaimable(accounting, id, proof);
  const send = useSend();
  const may = sameAddress(address, operator.manager_address) || sameAddress(address, operator.reward_address);
  const read = async (file: File | undefined) => {
    setRefused(undefined);
    setFound(undefined);
    if (!file || !distribution.data) return;
    try {
      if (file.size > MOST_BYTES) throw new Error('The file is larger than any rewards tree.');
      setFound(rewardProof(await file.text(), id, distribution.data.treeRoot));
    } catch (error) {
      setRefused(error instanceof Error ? error.message : String(error));
    }
  };
  if (!accounting) return null;
  const amount = claimable.data;
  const args = [BigInt(id), maxUint256, proof.cumulativeShares, proof.proof];
  const call = { address: accounting, abi: ACCOUNTING_ABI, functionName: kind, args };
  return (
    <Card
      title="To claim"
      aside={
        amount === undefined ? undefined : (
          <strong>
            <Amount value={amount} currency={{ symbol: 'stETH', decimals: 18 }} />
          </strong>
        )
      }
    >
      {claimable.error && <p className="field-error">{describeCall(claimable.error)}</p>}
      <p className="hint">
        {found ? 'Rewards and excess bond' : 'Excess bond'}, paid to{' '}
        <span className="mono wrap">{operator.reward_address}</span>.
      </p>
      {distribution.data && (
        <RewardsFile
          treeRoot={distribution.data.treeRoot}
          treeCid={distribution.data.treeCid}
          found={found}
          refused={refused}
          onFile={(file) => void read(file)}
        />
      )}
      <Choice
        label="Claim as"
        hideLabel
        value={kind}
        onChange={setKind}
        options={CLAIM_FUNCTIONS.map((value) => ({
          value,
          title: KINDS[value].word,
          children: <span className="hint">{KINDS[value].means}</span>,
        }))}
      />
      {!may && <p className="hint">Only the manager or the reward address can claim; connect one of them.</p>}
      <Button
        kind="primary"
        busy={send.isPending}
        disabled={!may || amount === undefined || amount === 0n}
        onClick={() => send.mutate({ kind: 'claim', about: [`operator ${id}`], call })}
      >
        {send.isPending ? 'Answer in your wallet' : 'Claim all'}
      </Button>
      {send.error && (
        <Notice kind="error" title="Nothing was claimed">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
      <OwnSent kinds={['claim']} title="Claims" about={`operator ${id}`} />
    </Card>
  );
}

interface TreeProps {
  treeRoot: Hex;
  treeCid: string;
  found: RewardProof | undefined;
  refused: string | undefined;
  onFile: (file: File | undefined) => void;
}

/** Lido publishes the rewards of all node operators as a file; the contract knows its root alone. */
function RewardsFile({ treeRoot, treeCid, found, refused, onFile }: TreeProps) {
  if (isEmptyRoot(treeRoot)) return <p className="hint">Lido has not distributed rewards yet.</p>;
  return (
    <TreeFile
      label="Rewards tree (tree.json)"
      hint={
        found
          ? 'The proof holds.'
          : `With it, rewards are claimed too. Lido publishes it in the repository lidofinance/csm-rewards, and on IPFS as ${treeCid}.`
      }
      refused={refused}
      onFile={onFile}
    />
  );
}
