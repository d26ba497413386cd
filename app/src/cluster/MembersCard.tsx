import { useMutation, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Hex } from 'viem';
import { useConfig, useConnection } from 'wagmi';
import { signTypedData } from 'wagmi/actions';
import { useAppConfig } from '../config/config';
import { useReader } from '../network/chain';
import { LoginButton } from '../session/LoginButton';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { download } from '../ui/download';
import { describeError } from '../wallet/errors';
import {
  certificateDigest,
  membersFile,
  membership,
  merge,
  parseMembers,
  type MemberSignature,
} from './members';

/** Signatures of the group's members over the certificate; they travel in a file, and live nowhere else. */
export function MembersCard({ certificate, ceremonyId }: { certificate: string; ceremonyId: Hex }) {
  const { chain_id } = useAppConfig();
  const wallets = useConfig();
  const { address, isConnected } = useConnection();
  const digest = useMemo(() => certificateDigest(certificate), [certificate]);
  const [signatures, setSignatures] = useState<readonly MemberSignature[]>([]);
  const [refused, setRefused] = useState<string>();
  const sign = useMutation({
    mutationFn: async () => {
      if (!address) throw new Error('Connect a wallet first.');
      const document = membership(chain_id, ceremonyId, digest, address);
      return { address, signature: await signTypedData(wallets, { account: address, ...document }) };
    },
    onSuccess: (signed) => setSignatures((held) => merge(held, [signed])),
  });
  const read = async (files: FileList | null) => {
    setRefused(undefined);
    for (const file of files ?? []) {
      try {
        const more = parseMembers(await file.text(), ceremonyId, digest);
        setSignatures((held) => merge(held, more));
      } catch (error) {
        setRefused(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  return (
    <Card title="Members" aside={<strong className="figure">{signatures.length}</strong>}>
      <p className="hint">
        Each member signs what this page has verified, and sends the file with the signatures on. Signing
        costs nothing.
      </p>
      {signatures.length > 0 && (
        <ul className="rows">
          {signatures.map((one) => (
            <Member key={one.address} of={one} ceremonyId={ceremonyId} digest={digest} />
          ))}
        </ul>
      )}
      <div className="field">
        <label htmlFor="members-file">Signatures of others (members.json)</label>
        <input
          id="members-file"
          type="file"
          className="input"
          multiple
          accept=".json,application/json"
          onChange={({ target }) => void read(target.files)}
        />
        {refused && (
          <span className="field-error" role="alert">
            {refused}
          </span>
        )}
      </div>
      <div className="buttons">
        {isConnected ? (
          <Button kind="primary" busy={sign.isPending} onClick={() => sign.mutate()}>
            {sign.isPending ? 'Sign in your wallet' : 'Sign as a member'}
          </Button>
        ) : (
          <LoginButton />
        )}
        {signatures.length > 0 && (
          <Button onClick={() => download('members.json', membersFile(ceremonyId, digest, signatures))}>
            Download signatures
          </Button>
        )}
      </div>
      {sign.error && (
        <p className="field-error" role="alert">
          {describeError(sign.error)}
        </p>
      )}
    </Card>
  );
}

function Member({ of, ceremonyId, digest }: { of: MemberSignature; ceremonyId: Hex; digest: Hex }) {
  const { chain_id } = useAppConfig();
  const client = useReader();
  // A contract wallet is asked on the chain (EIP-1271).
  const holds = useQuery({
    queryKey: ['member', of.address, of.signature, digest],
    queryFn: () =>
      client.verifyTypedData({
        address: of.address,
        signature: of.signature,
        ...membership(chain_id, ceremonyId, digest, of.address),
      }),
    staleTime: Infinity,
  });
  return (
    <li className="row-plain">
      <span className="mono wrap">{of.address}</span>
      {holds.data === true && <Badge tone="good">has signed</Badge>}
      {holds.data === false && <Badge tone="bad">another signature</Badge>}
      {holds.error && <Badge tone="warning">cannot be checked now</Badge>}
    </li>
  );
}
