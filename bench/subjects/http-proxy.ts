import { nodeProxy } from './node-proxy.ts';

export const httpProxy = nodeProxy('http-proxy', 'http-proxy.ts', 'keep-alive http.Agent; buffered Combined log');
