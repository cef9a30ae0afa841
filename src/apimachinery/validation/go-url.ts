/** URLs as Go's net/url takes them apart, for the fields that are checked by it. */
import { goQuote } from '../field.ts';

export interface GoUrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly user: string | undefined;
  readonly query: string;
  readonly fragment: string;
}

/** As Go's url.Parse takes a text apart; a string is its error. */
export function parseGoUrl(text: string): GoUrlParts | string {
  const failed = (what: string): string => `parse ${goQuote(text)}: ${what}`;
  if (/[\u0000-\u001f\u007f]/u.test(text)) return failed('net/url: invalid control character in URL');
  const [body = '', fragment = ''] = text.split(/#(.*)/s, 2);
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(body);
  if (!match && body.startsWith(':')) return failed('missing protocol scheme');
  const rest = match ? match[2]! : body;
  const [path = '', query = ''] = rest.split(/\?(.*)/s, 2);
  if (!match && !path.startsWith('/') && path.split('/')[0]!.includes(':')) {
    return failed('first path segment in URL cannot contain colon');
  }
  const authority = path.startsWith('//') ? path.slice(2).split('/')[0]! : '';
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  if (/[\s"<>^`{|}\\]/.test(host))
    return failed(`invalid character ${goQuote(/[\s"<>^`{|}\\]/.exec(host)![0])} in host name`);
  const port = /:([^:\]]*)$/.exec(host)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) return failed(`invalid port ${goQuote(`:${port}`)} after host`);
  const malformed = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(path)?.[0];
  if (malformed !== undefined) return failed(`invalid URL escape ${goQuote(malformed)}`);
  const user = at < 0 ? undefined : authority.slice(0, at);
  return { scheme: (match?.[1] ?? '').toLowerCase(), host, user, query, fragment };
}
