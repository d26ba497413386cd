// Test stand-in: gossip is never sent by the dev node, so nothing is ever compressed.
class Nop {
  compress() {
    throw Error("no gossip in dev node");
  }
  decompress() {
    throw Error("no gossip in dev node");
  }
  compress_into() {
    throw Error("no gossip");
  }
  decompress_into() {
    throw Error("no gossip");
  }
}
export class Encoder extends Nop {}
export class Decoder extends Nop {}
export default { Encoder, Decoder, encoder: new Encoder(), decoder: new Decoder() };
