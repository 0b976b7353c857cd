type Failure = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** What happened, where, and what to do. */
export function explain(failure: NodeJS.ErrnoException): string {
  const error = failure as Failure;
  const where = error.port === undefined ? (error.address ?? error.path ?? '') : `port ${error.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${where} is taken by another program; stop that one, or listen elsewhere (listen: …, or --from PORT)`;
    case 'EACCES':
      return error.syscall === 'open'
        ? `${error.path}: no permission to write this log file`
        : `no permission to listen on ${where}; ports below 1024 need root or CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${error.address ?? where} is not an address of this machine`;
    case 'ENOENT':
    case 'EISDIR':
    case 'ENOTDIR':
      return `${error.path ?? where}: ${error.code === 'EISDIR' ? 'is a folder, not a file' : 'its folder does not exist'}`;
    case 'ENOTFOUND':
      return `${error.hostname ?? where} is no known host name`;
    default:
      return error.message;
  }
}
