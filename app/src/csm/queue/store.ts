import { parseJournal } from './parse';
import { EMPTY, type Journal } from './machine';

const DATABASE = 'cluster-node';
const TABLE = 'csm-queues';

/**
 * Keeps journals in this browser (IndexedDB). What is in them is public: keys, transactions, addresses. A change is one transaction that is
 * on the disk when it is over, so that two pages cannot both ask the wallet, and a crash forgets nothing that was asked.
 */
export interface JournalStore {
  read: (scope: string) => Promise<Journal>;
  /** Applies a change; what the change throws leaves everything as it was. */
  change: (scope: string, change: (journal: Journal) => Journal) => Promise<Journal>;
  /** Calls when this or another page changed something. */
  watch: (tell: () => void) => () => void;
}

/** Journals belong to an account on a chain; the first block tells chains of the same number apart. */
export const scopeOf = (genesis: string, module: string, account: string) =>
  [genesis, module, account].map((part) => part.toLowerCase()).join(':');

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () =>
      reject(new Error('This browser keeps nothing for this page, so that nothing can be sent safely.'));
  });
}

/** The store of this browser. */
export function browserStore(): JournalStore {
  let database: Promise<IDBDatabase> | undefined;
  const ready = () => {
    database ??= open();
    return database;
  };
  const channel = new BroadcastChannel(TABLE);
  const local = new Set<() => void>();
  return {
    read: async (scope) => {
      const table = (await ready()).transaction(TABLE).objectStore(TABLE);
      return parseJournal(await settled<unknown>(table.get(scope)));
    },
    change: async (scope, change) => {
      const journal = await changeIn(await ready(), scope, change);
      channel.postMessage(scope);
      for (const tell of local) tell();
      return journal;
    },
    watch: (tell) => {
      local.add(tell);
      channel.addEventListener('message', tell);
      return () => {
        local.delete(tell);
        channel.removeEventListener('message', tell);
      };
    },
  };
}

function changeIn(
  database: IDBDatabase,
  scope: string,
  change: (journal: Journal) => Journal,
): Promise<Journal> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(TABLE, 'readwrite', { durability: 'strict' });
    const table = transaction.objectStore(TABLE);
    let after: Journal = EMPTY;
    let refused: Error | undefined;
    const held: IDBRequest<unknown> = table.get(scope);
    held.onsuccess = () => {
      try {
        after = change(parseJournal(held.result));
        table.put(after, scope);
      } catch (error) {
        refused = error instanceof Error ? error : new Error(String(error));
        transaction.abort();
      }
    };
    transaction.oncomplete = () => resolve(after);
    transaction.onabort = () =>
      reject(refused ?? new Error('This browser could not write down what is under way. Nothing was sent.'));
  });
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error('This browser cannot read what it kept.'));
  });
}
