// A relay for wallets on phones: as much of WalletConnect's relay as two clients need to find each other, in the test's own process.
// It passes sealed messages on by their topics and keeps those that nobody has taken yet, as the real one does.
import { WebSocketServer } from 'ws';

/** Starts on a free port. `seen` holds every request and the project id of its client, so that a test can say what the relay gets to know. */
export async function startRelay() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const subscribers = new Map();
  const waiting = new Map();
  const seen = [];
  let ids = 1;

  const deliver = (socket, topic, data) =>
    socket.send(
      JSON.stringify({
        id: (ids += 1),
        jsonrpc: '2.0',
        method: 'irn_subscription',
        params: { id: topic, data: { topic, ...data } },
      }),
    );
  const subscribe = (socket, topic) => {
    if (!subscribers.has(topic)) subscribers.set(topic, new Set());
    subscribers.get(topic).add(socket);
    return topic;
  };
  /** What came before anybody listened goes out once the answer to the subscription did. */
  const flush = (socket, topic) => {
    for (const data of waiting.get(topic) ?? []) deliver(socket, topic, data);
    waiting.delete(topic);
  };
  const methods = {
    irn_subscribe: (socket, { topic }) => subscribe(socket, topic),
    irn_batchSubscribe: (socket, { topics }) => topics.map((topic) => subscribe(socket, topic)),
    irn_unsubscribe: (socket, { topic }) => {
      subscribers.get(topic)?.delete(socket);
      return true;
    },
    irn_publish: (socket, { topic, message, tag }) => {
      const data = { message, tag, publishedAt: Date.now() };
      const others = [...(subscribers.get(topic) ?? [])].filter((one) => one !== socket);
      for (const other of others) deliver(other, topic, data);
      if (others.length === 0) waiting.set(topic, [...(waiting.get(topic) ?? []), data]);
      return true;
    },
    irn_fetchMessages: () => ({ messages: [], hasMore: false }),
    irn_batchFetchMessages: () => ({ messages: [], hasMore: false }),
  };
  server.on('connection', (socket, request) => {
    const from = new URL(request.url, 'http://relay').searchParams.get('projectId');
    socket.on('message', (text) => {
      const { id, method, params } = JSON.parse(text);
      // An answer to a message that was delivered.
      if (method === undefined) return;
      seen.push({ from, method, params });
      const known = methods[method];
      const answer = known
        ? { result: known(socket, params) }
        : { error: { code: -32601, message: `unknown ${method}` } };
      socket.send(JSON.stringify({ id, jsonrpc: '2.0', ...answer }));
      for (const topic of method === 'irn_subscribe' ? [params.topic] : []) flush(socket, topic);
    });
    socket.on('close', () => subscribers.forEach((sockets) => sockets.delete(socket)));
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.clients.forEach((client) => client.terminate());
        server.close(resolve);
      }),
  };
}
