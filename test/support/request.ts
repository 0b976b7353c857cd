import { identifyText } from '../../src/core/names.ts';
import { Request } from '../../src/core/request.ts';

/** A request as the listener's parser would hand it over, from its head: `GET /x HTTP/1.1`, then one line per field. */
export function requestOf(...head: string[]): Request {
  const [line = '', ...fields] = head;
  const [method = '', target = ''] = line.split(' ');
  const request = new Request();
  request.method = method;
  request.target = target;
  request.form = target === '*' ? 'asterisk' : /^[a-z]+:\/\//i.test(target) ? 'absolute' : 'origin';
  request.fields.text = `${line}\r\n`;
  request.fields.start = request.fields.text.length;
  for (const field of fields) {
    const start = request.fields.text.length;
    const colon = field.indexOf(':');
    const value = colon + 1 + (/\S/.exec(field.slice(colon + 1))?.index ?? 0);
    request.fields.text += `${field}\r\n`;
    request.fields.push(identifyText(field.slice(0, colon)), start, start + colon, start + value, start + field.length);
  }
  request.fields.end = request.fields.text.length;
  return request;
}
