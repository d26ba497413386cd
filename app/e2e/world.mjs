// What a journey needs: a network of real parts, and a browser that is watched.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { startRelay } from './relay.mjs';

const ROOT = new URL('../../', import.meta.url).pathname;
const START_MS = 120_000;

/** Starts `cluster-testnet demo --serve` and gives the service's URL and the owner's key. */
export async function startNetwork(args = []) {
  const binary = process.env.CLUSTER_TESTNET ?? join(ROOT, 'target/debug/cluster-testnet');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p cluster-testnet`);
  const out = mkdtempSync(join(tmpdir(), 'cluster-app-'));
  // Wallets on phones need a node that the page may ask, which a chain of our own is.
  const relay = args.includes('--chain') ? await startRelay() : undefined;
  if (relay) args = [...args, '--walletconnect-relay', relay.url];
  const child = spawn(
    binary,
    ['demo', '--serve', '--validators', '2', '--transport', 'tcp', '--seed', '11', '--out', out, ...args],
    {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let text = '';
  /** Called with everything that was said, whenever more is said. */
  const listeners = new Set();
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the network did not start in time:\n${text}`)),
      START_MS,
    );
    const see = (chunk) => {
      text += chunk;
      for (const listener of listeners) listener(text);
      const service = /service {4}(http:\S+)/.exec(text)?.[1];
      // The owner's key is written before the line that names it.
      if (service && text.includes('Look around as the owner')) {
        clearTimeout(timer);
        resolve(service);
      }
    };
    child.stdout.on('data', see);
    child.stderr.on('data', see);
    child.on('exit', (code) => reject(new Error(`the network ended with ${code}:\n${text}`)));
  }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  /** Waits until the network has said what matches, after the first `from` characters. Gives the line. */
  const said = (pattern, from = 0) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        listeners.delete(look);
        reject(new Error(`the network did not say ${pattern}:\n${text.slice(from)}`));
      }, START_MS);
      const look = () => {
        const whole = text.slice(from, text.lastIndexOf('\n') + 1);
        const line = whole.split('\n').find((one) => pattern.test(one));
        if (line === undefined) return;
        clearTimeout(timer);
        listeners.delete(look);
        resolve(line);
      };
      listeners.add(look);
      look();
    });
  return {
    url,
    /** What was said so far, in characters: `said` with it hears only what comes later. */
    heard: () => text.length,
    said,
    /** Gives the network a command (`help` of `demo --serve` lists them) and waits for its answer. */
    command: async (line, answer) => {
      const from = text.length;
      child.stdin.write(`${line}\n`);
      const words = await said(new RegExp(`${answer.source}|^error: `), from);
      if (words.startsWith('error: ')) throw new Error(`${line}: ${words}`);
      return words;
    },
    rpc: /rpc {8}(http:\S+)/.exec(text)?.[1],
    relay,
    ownerKey: `0x${readFileSync(join(out, 'owner.key'), 'utf8').trim()}`,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.on('exit', () => {
          rmSync(out, { recursive: true, force: true });
          resolve(relay?.stop());
        });
        child.kill('SIGINT');
      }),
  };
}

export function startBrowser() {
  const executablePath =
    process.env.CHROMIUM ??
    ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (!executablePath) throw new Error('Chromium is missing: apt-get install chromium');
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** A page whose every console message, failed policy and foreign request is kept. `expected` names console errors that a test provokes. */
export async function openPage(browser, wallet, { url, rpc, theme = 'light', phone = false } = {}) {
  const context = await browser.newContext({
    baseURL: url,
    colorScheme: theme,
    viewport: phone ? { width: 360, height: 780 } : { width: 1280, height: 860 },
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  if (wallet) await wallet.attach(context);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const seen = { console: [], foreign: [] };
  page.on('console', (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => seen.console.push(`error: ${error.message}`));
  context.on('request', (request) => {
    const target = new URL(request.url());
    if (
      target.protocol.startsWith('http') &&
      ![url, rpc].some((one) => one && target.origin === new URL(one).origin)
    )
      seen.foreign.push(request.url());
  });
  return { context, page, seen };
}

/**
 * Does `work`, and `restore` afterwards whatever came of it; gives what `work` gave. What went wrong first is what is thrown: when `restore`
 * fails too, that is only said.
 */
export async function andRestore(work, restore) {
  let result;
  try {
    result = await work();
  } catch (first) {
    await restore().catch((second) => console.log(`     and afterwards: ${second.message}`));
    throw first;
  }
  await restore();
  return result;
}
