// Test stand-in: enough names for the beacon node to link. The dev node never opens a p2p socket.
export const Encoding = { SSZ_SNAPPY: "ssz_snappy" };
export const ContextBytesType = { Empty: 0, ForkDigest: 1 };
export const RespStatus = {
  SUCCESS: 0,
  INVALID_REQUEST: 1,
  SERVER_ERROR: 2,
  RESOURCE_UNAVAILABLE: 3,
  RATE_LIMITED: 139,
};
export const LightClientServerErrorCode = { RESOURCE_UNAVAILABLE: "RESOURCE_UNAVAILABLE" };
export const RequestErrorCode = new Proxy(
  {},
  { get: (_, k) => (typeof k === "string" ? `REQUEST_ERROR_${k}` : undefined) },
);
export const REQUEST_ERROR_CLASS_NAME = "RequestError";
export const RESPONSE_ERROR_CLASS_NAME = "ResponseError";
class TypedError extends Error {
  constructor(type, message) {
    super(message ?? type?.code);
    this.type = type;
  }
  static fromObject(o) {
    return new this(o.type, o.message);
  }
}
export class RequestError extends TypedError {}
export class ResponseError extends TypedError {}
export class ReqResp {
  async start() {}
  async stop() {}
  registerProtocol() {}
}
