/** Methods of a gRPC service whose messages are bytes, so that no schema stands between a test and what travels. */
import type * as grpc from '@grpc/grpc-js';

export const same = (bytes: Buffer): Buffer => bytes;

/** @param path the method's name: `Say` */
export function method(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Words/${path}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
