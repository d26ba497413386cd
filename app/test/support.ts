import type { Operator } from '../src/api/operators';
import type { AppConfig } from '../src/config/config';

export function operator(id: number, changes: Partial<Operator> = {}): Operator {
  return {
    operator_id: id,
    active: true,
    name: `Operator ${id}`,
    public_key: `0x02${id.toString(16).padStart(64, '0')}`,
    owner: null,
    verified: false,
    from_dao: false,
    fee_gwei: null,
    month: null,
    ...changes,
  };
}

export const CONFIG: AppConfig = {
  network: 'hoodi',
  chain_id: 560_048,
  fork_version: '0x10000910',
  rpc_url: null,
  explorer_url: null,
  cluster_pubkey: `0x02${'12'.repeat(32)}`,
  lido_withdrawal_vault: '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2',
  lido_el_rewards_vault: '0x9b108015fe433F173696Af3Aa0CF7CDb3E104258',
  contracts: null,
  lido: {
    el_rewards_vault: '0x9b108015fe433F173696Af3Aa0CF7CDb3E104258',
    withdrawal_vault: '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2',
  },
  max_validators: 1000,
  version: '0.1.0',
};
