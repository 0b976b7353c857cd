import { nodeProxy } from './node-proxy.ts';

export const httpxy = nodeProxy('httpxy', 'httpxy.ts', 'keep-alive http.Agent; buffered Combined log');
