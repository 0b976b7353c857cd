<?php
/* The application of the list in PHP: what it does is in the query, as in app.py, and `-d test.name=…` is its name. */
function answer(string $text, int $status = 200): void {
  http_response_code($status);
  header('Content-Type: text/plain');
  header('Content-Length: ' . strlen($text));
  echo $text;
}

switch ($_GET['do'] ?? '') {
  case 'sum':
    $in = fopen('php://input', 'rb');
    $hash = hash_init('sha256');
    $size = hash_update_stream($hash, $in);
    answer($size . ' ' . hash_final($hash));
    break;
  case 'big':
    if (isset($_GET['length'])) header('Content-Length: ' . $_GET['n'] * 65536);
    for ($i = 0; $i < (int) $_GET['n']; $i++) {
      echo str_repeat(chr($i % 256), 65536);
      flush();
    }
    break;
  case 'early':
    answer('early', 403);
    break;
  case 'error':
    throw new Exception('on purpose');
  case 'die':
    header('Content-Length: 5000');
    echo str_repeat('x', 1000);
    flush();
    usleep(200000);
    exec('kill -9 ' . getmypid());
    break;
  case 'fields':
    header('HTTP/1.1 299 Odd Enough');
    header('Set-Cookie: a=1');
    header('Set-Cookie: b=2', false);
    header("X-Odd: caf\xe9 \"x\"");
    header('Content-Length: 0');
    break;
  case 'slow':
    usleep(400000);
    answer($_GET['n']);
    break;
  case 'who':
    $of = fn(string $name): string => $_SERVER[$name] ?? '';
    answer(implode("\n", [
      $of('REQUEST_METHOD'), $of('SCRIPT_NAME'), $of('REMOTE_ADDR'), $of('HTTP_HOST'), $of('HTTP_X_TWICE'), $of('HTTP_COOKIE'), $of('REQUEST_SCHEME'),
    ]));
    break;
  default:
    answer(get_cfg_var('test.name'));
}
