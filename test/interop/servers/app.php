<?php
/* What the FastCGI tests ask for, by ?do=. */
switch ($_GET['do'] ?? '') {
  case 'vars':
    header('Content-Type: application/json');
    echo json_encode($_SERVER);
    break;
  case 'echo':
    header('Content-Type: application/octet-stream');
    $in = fopen('php://input', 'rb');
    fpassthru($in);
    break;
  case 'headers':
    header('X-Rep: one');
    header('X-Rep: two', false);
    header('x-odd_~name!: ' . "caf\xe9");
    setcookie('a', '1');
    setcookie('b', '2');
    http_response_code(203);
    echo 'odd';
    break;
  case 'length':
    header('Content-Length: 5');
    echo 'hello';
    break;
  case 'big':
    for ($i = 0; $i < (int) $_GET['n']; $i++) {
      echo str_repeat(chr(97 + $i % 26), 65536);
      flush();
    }
    break;
  case 'early':
    http_response_code(413);
    echo 'no';
    break;
  case 'location':
    header('Location: /elsewhere');
    break;
  case 'exit':
    exit(3);
  case 'fatal':
    throw new Exception('deliberate');
  case 'warn':
    error_log('deliberate warning');
    echo 'warned';
    break;
  case 'pid':
    echo getmypid(), "\n";
    flush();
    usleep((int) ($_GET['us'] ?? 0));
    echo 'late';
    break;
  default:
    echo 'hello';
}
