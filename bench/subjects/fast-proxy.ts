import { nodeProxy } from './node-proxy.ts';

export const fastProxy = nodeProxy(
  'fast-proxy',
  'fast-proxy.ts',
  'undici pool of 64 connections, as its README advises; buffered Combined log',
);
