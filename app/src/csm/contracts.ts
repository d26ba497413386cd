import { concat, getAddress, pad, type Address, type Hex, type PublicClient } from 'viem';
import type { Schemas } from '../api/client';
import { ACCOUNTING, CS_MODULE, LIDO_LOCATOR, PERMISSIONLESS_GATE, VETTED_GATE } from './abi';
import type { CurveInterval } from './plan';
import type { GateKind } from './queue/machine';

export interface Gate {
  kind: GateKind;
  address: Address;
  curveId: bigint;
  curve: readonly CurveInterval[];
  /** Where the list is published (IPFS); empty for everybody's gate. */
  treeCid: string;
}

/** Where everything is. The service names module and gates; all else is read from them, and they have to name one another. */
export interface CsmContracts {
  module: Address;
  accounting: Address;
  /** Release of CSM. Both take the same calls; gates and some names differ. */
  release: 2 | 3;
  parameters: Address;
  withdrawalVault: Address;
  steth: Address;
  wsteth: Address;
  gates: readonly Gate[];
}

/** Something is not as it has to be for money to be sent. */
export class ContractsError extends Error {
  override readonly name = 'ContractsError';
}

/** Withdrawal credentials of every Lido validator: type 0x01 and the vault. */
export function credentialsOf(vault: Address): Hex {
  return concat(['0x01', pad(vault, { size: 31 })]).toLowerCase() as Hex;
}

const address = (text: string | null | undefined): Address | undefined =>
  text ? getAddress(text) : undefined;

/** Reads where everything is; an error says what does not fit. */
export async function readContracts(
  client: PublicClient,
  lido: Schemas['LidoAddresses'],
): Promise<CsmContracts> {
  const module = address(lido.csm_module);
  if (!module) throw new ContractsError('The service names no module of Lido’s Community Staking Module.');
  const of = { address: module, abi: CS_MODULE } as const;
  const [version, accounting, parameters, locator] = await Promise.all([
    client.readContract({ ...of, functionName: 'getInitializedVersion' }),
    client.readContract({ ...of, functionName: 'ACCOUNTING' }),
    client.readContract({ ...of, functionName: 'PARAMETERS_REGISTRY' }),
    client.readContract({ ...of, functionName: 'LIDO_LOCATOR' }),
  ]);
  if (version !== 2n && version !== 3n)
    throw new ContractsError(
      `CSM is at release ${version} on this chain, which this app does not know. Nothing is sent.`,
    );
  const named = address(lido.csm_accounting);
  if (named && named !== accounting)
    throw new ContractsError(`The module’s accounting is ${accounting}, not ${named} as the service says.`);
  const place = address(lido.locator);
  if (place && place !== locator)
    throw new ContractsError(`The module’s locator is ${locator}, not ${place} as the service says.`);
  const [withdrawalVault, steth, wsteth, gates] = await Promise.all([
    client.readContract({ address: locator, abi: LIDO_LOCATOR, functionName: 'withdrawalVault' }),
    client.readContract({ address: accounting, abi: ACCOUNTING, functionName: 'LIDO' }),
    client.readContract({ address: accounting, abi: ACCOUNTING, functionName: 'WSTETH' }),
    readGates(client, lido, module, accounting),
  ]);
  const release = version === 2n ? 2 : 3;
  return { module, accounting, release, parameters, withdrawalVault, steth, wsteth, gates };
}

/** The gates that the service names and that have code. */
async function readGates(
  client: PublicClient,
  lido: Schemas['LidoAddresses'],
  module: Address,
  accounting: Address,
): Promise<Gate[]> {
  const named: [GateKind, Address | undefined][] = [
    ['permissionless', address(lido.csm_permissionless_gate)],
    ['ics', address(lido.csm_ics_gate)],
    ['idvtc', address(lido.csm_idvtc_gate)],
  ];
  const gates = await Promise.all(
    named.map(async ([kind, at]) => {
      // A network without a gate has no code at the address that another one would have.
      if (!at || !(await client.getCode({ address: at }))) return undefined;
      return kind === 'permissionless' ? everybodys(client, at) : listed(client, kind, at);
    }),
  );
  return Promise.all(
    gates
      .filter((gate) => gate !== undefined)
      .map(async (gate) => {
        if (gate.module !== module)
          throw new ContractsError(`The gate ${gate.address} leads to another module than ${module}.`);
        const { intervals } = await client.readContract({
          address: accounting,
          abi: ACCOUNTING,
          functionName: 'getCurveInfo',
          args: [gate.curveId],
        });
        const { kind, address: at, curveId, treeCid } = gate;
        return { kind, address: at, curveId, treeCid, curve: intervals };
      }),
  );
}

async function everybodys(client: PublicClient, at: Address) {
  const of = { address: at, abi: PERMISSIONLESS_GATE } as const;
  const [curveId, module] = await Promise.all([
    client.readContract({ ...of, functionName: 'CURVE_ID' }),
    client.readContract({ ...of, functionName: 'MODULE' }),
  ]);
  return { kind: 'permissionless' as const, address: at, curveId, module, treeCid: '' };
}

async function listed(client: PublicClient, kind: 'ics' | 'idvtc', at: Address) {
  const of = { address: at, abi: VETTED_GATE } as const;
  const [curveId, module, treeCid] = await Promise.all([
    client.readContract({ ...of, functionName: 'curveId' }),
    client.readContract({ ...of, functionName: 'MODULE' }),
    client.readContract({ ...of, functionName: 'treeCid' }),
  ]);
  return { kind, address: at, curveId, module, treeCid };
}

export type Eligibility = 'open' | 'eligible' | 'not_listed' | 'used';

/** Whether an address may enter by a gate with this proof. */
export async function readEligibility(
  client: PublicClient,
  gate: Gate,
  account: Address,
  proof: readonly Hex[],
): Promise<Eligibility> {
  if (gate.kind === 'permissionless') return 'open';
  const of = { address: gate.address, abi: VETTED_GATE } as const;
  const [listedThere, used] = await Promise.all([
    client.readContract({ ...of, functionName: 'verifyProof', args: [account, proof] }),
    client.readContract({ ...of, functionName: 'isConsumed', args: [account] }),
  ]);
  if (used) return 'used';
  return listedThere ? 'eligible' : 'not_listed';
}
