import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Address } from 'viem';
import type { TestProject } from 'vitest/node';

const CONTRACTS = new URL('../../../contracts/', import.meta.url).pathname;
/** The first account of anvil's well-known test mnemonic. */
const KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

/** Compiling takes minutes where nothing is compiled yet. */
const DEPLOY_MS = 20 * 60_000;

export interface Deployment {
  url: string;
  module: Address;
  accounting: Address;
  permissionlessGate: Address;
  icsGate: Address;
  idvtcGate: Address;
  locator: Address;
  stETH: Address;
  wstETH: Address;
  parametersRegistry: Address;
}

declare module 'vitest' {
  export interface ProvidedContext {
    csm: Deployment;
  }
}

/** Starts anvil on a free port, and gives its URL. */
function startAnvil(): Promise<{ child: ChildProcess; url: string }> {
  // The cap of EIP-7825 holds on it, as it does on the networks. Blocks are large: what finds no room in one would wait for ever.
  const flags = ['--port', '0', '--chain-id', '31337', '--enable-tx-gas-limit', '--gas-limit', '1000000000'];
  const child = spawn(`${CONTRACTS}tool`, ['anvil', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const port = /Listening on \S+:(\d+)/.exec(text)?.[1];
      if (port) resolve({ child, url: `http://127.0.0.1:${port}` });
    });
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('exit', (code) => reject(new Error(`anvil ended with ${code}:\n${text}`)));
  });
}

/** A chain with the double of CSM, by the deployment script. */
export default async function setup(project: TestProject) {
  const { child, url } = await startAnvil();
  try {
    const file = `deployments/app-test-${process.pid}.json`;
    mkdirSync(`${CONTRACTS}deployments`, { recursive: true });
    const script = ['script', 'script/Deploy.s.sol', '--rpc-url', url, '--broadcast', '--private-key', KEY];
    await promisify(execFile)(`${CONTRACTS}forge`, script, {
      env: { ...process.env, CSM_DOUBLE: 'true', DEPLOYMENT_FILE: file },
      maxBuffer: 64 * 1024 * 1024,
      timeout: DEPLOY_MS,
    });
    const { csm } = JSON.parse(readFileSync(CONTRACTS + file, 'utf8')) as { csm: Omit<Deployment, 'url'> };
    rmSync(CONTRACTS + file);
    project.provide('csm', { ...csm, url });
  } catch (error) {
    child.kill();
    throw error;
  }
  return () => {
    child.removeAllListeners('exit');
    child.kill();
  };
}
