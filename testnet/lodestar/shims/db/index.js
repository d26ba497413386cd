// Test stand-in for @lodestar/db: an in-memory ordered key/value store with the repository API the beacon node calls.
export const BUCKET_LENGTH = 1;
const UINT_LEN = 8;
export function encodeNumberForDbKey(n, size) {
  const b = Buffer.alloc(size);
  b.writeUIntBE(n, Math.max(0, size - 6), Math.min(6, size));
  return b;
}
export function decodeNumberForDbKey(buf, size) {
  const b = Buffer.from(buf);
  return b.readUIntBE(Math.max(0, size - 6), Math.min(6, size));
}
function idBytes(id) {
  if (typeof id === "number") return encodeNumberForDbKey(id, UINT_LEN);
  if (typeof id === "bigint") {
    const b = Buffer.alloc(UINT_LEN);
    b.writeBigUInt64BE(id);
    return b;
  }
  return typeof id === "string" ? Buffer.from(id) : Buffer.from(id);
}
export function encodeKey(bucket, id) {
  return Buffer.concat([Buffer.from([bucket]), idBytes(id)]);
}
const hex = (k) => Buffer.from(k).toString("hex");

export class LevelDbController {
  map = new Map();
  static async create() {
    return new LevelDbController();
  }
  async start() {}
  async stop() {}
  async close() {}
  setMetrics() {}
  async clear() {
    this.map.clear();
  }
  async get(k) {
    return this.map.get(hex(k)) ?? null;
  }
  async getMany(ks) {
    return ks.map((k) => this.map.get(hex(k)));
  }
  async put(k, v) {
    this.map.set(hex(k), Buffer.from(v));
  }
  async delete(k) {
    this.map.delete(hex(k));
  }
  async batchPut(items) {
    for (const { key, value } of items) this.map.set(hex(key), Buffer.from(value));
  }
  async batchDelete(keys) {
    for (const k of keys) this.map.delete(hex(k));
  }
  async batch(ops) {
    for (const o of ops)
      o.type === "del" ? this.map.delete(hex(o.key)) : this.map.set(hex(o.key), Buffer.from(o.value));
  }
  #scan(o = {}) {
    const [gt, gte, lt, lte] = [o.gt, o.gte, o.lt, o.lte].map((x) => (x === undefined ? undefined : hex(x)));
    let ks = [...this.map.keys()]
      .filter(
        (k) =>
          (gt === undefined || k > gt) &&
          (gte === undefined || k >= gte) &&
          (lt === undefined || k < lt) &&
          (lte === undefined || k <= lte),
      )
      .sort();
    if (o.reverse) ks.reverse();
    if (o.limit !== undefined && o.limit >= 0) ks = ks.slice(0, o.limit);
    return ks.map((k) => ({ key: Buffer.from(k, "hex"), value: this.map.get(k) }));
  }
  async keys(o) {
    return this.#scan(o).map((e) => e.key);
  }
  async values(o) {
    return this.#scan(o).map((e) => e.value);
  }
  async entries(o) {
    return this.#scan(o);
  }
  async *keysStream(o) {
    for (const e of this.#scan(o)) yield e.key;
  }
  async *valuesStream(o) {
    for (const e of this.#scan(o)) yield e.value;
  }
  async *entriesStream(o) {
    for (const e of this.#scan(o)) yield e;
  }
  async approximateSize() {
    return 0;
  }
  async compactRange() {}
}

class Base {
  constructor(config, db, bucket, bucketId) {
    Object.assign(this, { config, db, bucket, bucketId });
    this.minKey = encodeKey(bucket, Buffer.alloc(0));
    this.maxKey = encodeKey(bucket + 1, Buffer.alloc(0));
  }
  encodeKey(id) {
    return encodeKey(this.bucket, id);
  }
  decodeKey(k) {
    return k.subarray(BUCKET_LENGTH);
  }
  dbFilterOptions(o) {
    const r = { gte: this.minKey, lt: this.maxKey, bucketId: this.bucketId };
    if (o) {
      if (o.lt !== undefined) {
        r.lt = this.encodeKey(o.lt);
      } else if (o.lte !== undefined) {
        delete r.lt;
        r.lte = this.encodeKey(o.lte);
      }
      if (o.gt !== undefined) {
        delete r.gte;
        r.gt = this.encodeKey(o.gt);
      } else if (o.gte !== undefined) {
        r.gte = this.encodeKey(o.gte);
      }
      if (o.reverse !== undefined) r.reverse = o.reverse;
      if (o.limit !== undefined) r.limit = o.limit;
    }
    return r;
  }
  async getBinary(id) {
    return this.db.get(this.encodeKey(id));
  }
  async getManyBinary(ids) {
    return this.db.getMany(ids.map((i) => this.encodeKey(i)));
  }
  async putBinary(id, v) {
    await this.db.put(this.encodeKey(id), v);
  }
  async has(id) {
    return (await this.getBinary(id)) !== null;
  }
  async delete(id) {
    await this.db.delete(this.encodeKey(id));
  }
  async batchDelete(ids) {
    await this.db.batchDelete(ids.map((i) => this.encodeKey(i)));
  }
  async batchPutBinary(items) {
    await this.db.batchPut(Array.from(items, ({ key, value }) => ({ key: this.encodeKey(key), value })));
  }
  async keys(o) {
    return (await this.db.keys(this.dbFilterOptions(o))).map((k) => this.decodeKey(k));
  }
  async *keysStream(o) {
    for (const k of await this.keys(o)) yield k;
  }
  async firstKey() {
    return (await this.keys({ limit: 1 }))[0] ?? null;
  }
  async lastKey() {
    return (await this.keys({ limit: 1, reverse: true }))[0] ?? null;
  }
  async *binaryEntriesStream(o) {
    for (const e of await this.db.entries(this.dbFilterOptions(o))) yield e;
  }
}
export class BinaryRepository extends Base {
  async binaries(o) {
    return this.db.values(this.dbFilterOptions(o));
  }
  async firstBinary() {
    return (await this.binaries({ limit: 1 }))[0] ?? null;
  }
  async lastBinary() {
    return (await this.binaries({ limit: 1, reverse: true }))[0] ?? null;
  }
}
export class Repository extends Base {
  constructor(config, db, bucket, type, bucketId) {
    super(config, db, bucket, bucketId);
    this.type = type;
  }
  encodeValue(v) {
    return this.type.serialize(v);
  }
  decodeValue(b) {
    return this.type.deserialize(b);
  }
  getId(v) {
    return this.type.hashTreeRoot(v);
  }
  async get(id) {
    const b = await this.getBinary(id);
    return b === null ? null : this.decodeValue(b);
  }
  async getMany(ids) {
    return (await this.getManyBinary(ids)).map((b) => (b === undefined ? undefined : this.decodeValue(b)));
  }
  async put(id, v) {
    await this.db.put(this.encodeKey(id), this.encodeValue(v));
  }
  async add(v) {
    await this.put(this.getId(v), v);
  }
  async remove(v) {
    await this.delete(this.getId(v));
  }
  async batchPut(items) {
    await this.db.batchPut(
      Array.from(items, ({ key, value }) => ({ key: this.encodeKey(key), value: this.encodeValue(value) })),
    );
  }
  async batchAdd(vs) {
    await this.batchPut(Array.from(vs, (value) => ({ key: this.getId(value), value })));
  }
  async batchRemove(vs) {
    await this.batchDelete(Array.from(vs, (v) => this.getId(v)));
  }
  async values(o) {
    return (await this.db.values(this.dbFilterOptions(o))).map((b) => this.decodeValue(b));
  }
  async *valuesStream(o) {
    for (const b of await this.db.values(this.dbFilterOptions(o))) yield this.decodeValue(b);
  }
  async entries(o) {
    return (await this.db.entries(this.dbFilterOptions(o))).map(({ key, value }) => ({
      key: this.decodeKey(key),
      value: this.decodeValue(value),
    }));
  }
  async *entriesStream(o) {
    yield* await this.entries(o);
  }
  async firstValue() {
    return (await this.values({ limit: 1 }))[0] ?? null;
  }
  async lastValue() {
    return (await this.values({ limit: 1, reverse: true }))[0] ?? null;
  }
  async firstEntry() {
    return (await this.entries({ limit: 1 }))[0] ?? null;
  }
  async lastEntry() {
    return (await this.entries({ limit: 1, reverse: true }))[0] ?? null;
  }
}
// keys: bucket | prefix | id
export class PrefixedRepository {
  constructor(config, db, bucket, type, bucketId) {
    Object.assign(this, { config, db, bucket, type, bucketId });
  }
  #wrap(raw) {
    return encodeKey(this.bucket, raw);
  }
  #unwrap(k) {
    return this.decodeKeyRaw(k.subarray(BUCKET_LENGTH));
  }
  #p(prefix) {
    return typeof prefix === "number" ? encodeNumberForDbKey(prefix, UINT_LEN) : prefix;
  }
  encodeValue(v) {
    return this.type.serialize(v);
  }
  decodeValue(b) {
    return this.type.deserialize(b);
  }
  wrapKey(raw) {
    return this.#wrap(raw);
  }
  async get(prefix, id) {
    const b = await this.getBinary(prefix, id);
    return b === null ? null : this.decodeValue(b);
  }
  async getBinary(prefix, id) {
    return this.db.get(this.#wrap(this.encodeKeyRaw(prefix, id)));
  }
  async getMany(prefix, ids) {
    return (await this.getManyBinary(prefix, ids)).map((b) => (b == null ? undefined : this.decodeValue(b)));
  }
  async getManyBinary(prefix, ids) {
    return this.db.getMany(ids.map((i) => this.#wrap(this.encodeKeyRaw(prefix, i))));
  }
  async put(prefix, v) {
    await this.db.put(this.#wrap(this.encodeKeyRaw(prefix, this.getId(v))), this.encodeValue(v));
  }
  async putMany(prefix, vs) {
    for (const v of vs) await this.put(prefix, v);
  }
  async putManyBinary(prefix, items) {
    await this.db.batchPut(items.map(({ key, value }) => ({ key: this.#wrap(this.encodeKeyRaw(prefix, key)), value })));
  }
  #range(prefix) {
    return { gte: this.#wrap(this.getMinKeyRaw(prefix)), lte: this.#wrap(this.getMaxKeyRaw(prefix)) };
  }
  async deleteMany(prefix) {
    for (const p of Array.isArray(prefix) ? prefix : [prefix])
      await this.db.batchDelete(await this.db.keys(this.#range(p)));
  }
  async values(prefix) {
    return (await this.db.values(this.#range(prefix))).map((b) => this.decodeValue(b));
  }
  async *valuesStream(prefix) {
    for (const p of Array.isArray(prefix) ? prefix : [prefix]) yield* await this.values(p);
  }
  async *valuesStreamBinary(prefix) {
    for (const p of Array.isArray(prefix) ? prefix : [prefix])
      for (const e of await this.db.entries(this.#range(p))) yield { ...this.#unwrap(e.key), value: e.value };
  }
  async keys() {
    return (
      await this.db.keys({
        gte: encodeKey(this.bucket, Buffer.alloc(0)),
        lt: encodeKey(this.bucket + 1, Buffer.alloc(0)),
      })
    ).map((k) => this.#unwrap(k));
  }
}
