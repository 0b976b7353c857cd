import { nodeProxy } from './node-proxy.ts';

export const httpProxy3 = nodeProxy('http-proxy-3', 'http-proxy.ts', 'keep-alive http.Agent; buffered Combined log');
