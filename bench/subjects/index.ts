import type { Subject } from '../subject.ts';
import { fastProxy } from './fast-proxy.ts';
import { fastifyHttpProxy } from './fastify-http-proxy.ts';
import { haproxy } from './haproxy.ts';
import { httpProxy } from './http-proxy.ts';
import { httpProxy3 } from './http-proxy-3.ts';
import { httpxy } from './httpxy.ts';
import { lighttpd } from './lighttpd.ts';
import { nginx } from './nginx.ts';
import { sluice } from './sluice.ts';

export const subjects: readonly Subject[] = [
  sluice,
  nginx,
  haproxy,
  lighttpd,
  httpProxy,
  httpProxy3,
  httpxy,
  fastProxy,
  fastifyHttpProxy,
];
