/**
 * What WalletConnect's core keeps: keys of pairings and sessions, and messages. With these anybody could ask the wallet in the owner's
 * name, so they live in this page's memory alone and end with it; a reload needs a new pairing.
 */
export class MemoryStorage {
  readonly #held = new Map<string, string>();

  getKeys(): Promise<string[]> {
    return Promise.resolve([...this.#held.keys()]);
  }

  getEntries<T = unknown>(): Promise<[string, T][]> {
    return Promise.resolve([...this.#held].map(([key, text]) => [key, JSON.parse(text) as T]));
  }

  getItem<T = unknown>(key: string): Promise<T | undefined> {
    const text = this.#held.get(key);
    return Promise.resolve(text === undefined ? undefined : (JSON.parse(text) as T));
  }

  /** Copies, like a storage on disk: what the core changes afterwards is not stored. */
  setItem(key: string, value: unknown): Promise<void> {
    this.#held.set(key, JSON.stringify(value ?? null));
    return Promise.resolve();
  }

  removeItem(key: string): Promise<void> {
    this.#held.delete(key);
    return Promise.resolve();
  }
}
