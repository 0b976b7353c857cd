/** What is spoken to origins in a case. */
export type Protocol = 'http' | 'https' | 'h2c' | 'fastcgi' | 'scgi' | 'uwsgi' | 'cgi';

/** What every application behind FastCGI, SCGI, uwsgi and CGI is asked for. */
export const script = '/small.php';

/** The same 101 bytes from every small origin. */
export const smallBody = `${'x'.repeat(100)}\n`;
