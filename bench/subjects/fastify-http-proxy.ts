import { nodeProxy } from './node-proxy.ts';

export const fastifyHttpProxy = nodeProxy(
  '@fastify/http-proxy',
  'fastify-http-proxy.ts',
  'fastify without its own logger; undici pool of 64 connections; buffered Combined log',
);
