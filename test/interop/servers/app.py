# The WSGI application of the tests: what it does is in the query, and NAME in the environment is its name.
import hashlib, os, time


def application(environ, start_response):
    query = dict(part.split('=', 1) for part in environ['QUERY_STRING'].split('&') if '=' in part)
    do = query.get('do', 'hello')
    body = environ['wsgi.input']
    if do == 'early':
        start_response('403 Forbidden', [('Content-Length', '5')])
        return [b'early']
    if do == 'error':
        raise RuntimeError('on purpose')
    if do == 'sum':
        digest, size = hashlib.sha256(), 0
        while True:
            piece = body.read(65536)
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
        text = f'{size} {digest.hexdigest()}'
    elif do == 'big':
        count = int(query['n'])
        start_response('200 OK', [('Content-Length', str(count * 65536))] if 'length' in query else [])
        return (bytes([i % 256]) * 65536 for i in range(count))
    elif do == 'die':
        def dying():
            yield b'x' * 1000
            time.sleep(0.2)
            os.kill(os.getpid(), 9)
        start_response('200 OK', [('Content-Length', '5000')])
        return dying()
    elif do == 'fields':
        start_response('299 Odd Enough', [('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('X-Odd', 'caf\xe9 "x"'), ('Content-Length', '0')])
        return []
    elif do == 'slow':
        time.sleep(0.4)
        text = query['n']
    elif do == 'who':
        text = '\n'.join([environ['REQUEST_METHOD'], environ['SCRIPT_NAME'] + environ['PATH_INFO'],
            environ.get('REMOTE_ADDR', ''), environ.get('HTTP_HOST', ''), environ.get('HTTP_X_TWICE', ''),
            environ.get('HTTP_COOKIE', ''), environ['wsgi.url_scheme']])
    else:
        text = os.environ.get('NAME', 'hello')
    data = text.encode('latin1')
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(data)))])
    return [data]
