/**
 * URLs, and keys of JSON patches. Upstream: k8s.io/apiserver pkg/cel/library/{urls,jsonpatch}.go.
 */
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { listOf, mapOf, structType, type Type, types } from '../check/types.ts';
import { ArrayList, CelError, EntryMap, ObjectValue } from '../values/value.ts';
import { type GoUrl, hostAndPort, parseUrl, queryParameters, UrlError } from './go-url.ts';

const { bool, string } = types;

const urlType: Type = structType('kubernetes.URL');

class Url extends ObjectValue {
  readonly type: Type = urlType;
  readonly url: GoUrl;

  constructor(url: GoUrl) {
    super();
    this.url = url;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof Url && this.url.text === other.url.text;
  }
}

function parse(text: string): Url | CelError {
  try {
    return new Url(parseUrl(text));
  } catch (error) {
    if (!(error instanceof UrlError)) throw error;
    return new CelError(`URL parse error during conversion from string: ${error.message}`);
  }
}

const part = (name: string, id: string, read: (url: GoUrl) => string) =>
  fn(
    name,
    method(id, [urlType], string, ({ url }: Url) => read(url)),
  );

export const urlsLibrary: Library = [
  fn('url', overload('string_to_url', [string], urlType, parse)),
  part('getScheme', 'url_get_scheme', url => url.scheme),
  part('getHost', 'url_get_host', url => url.host),
  part('getHostname', 'url_get_hostname', url => hostAndPort(url.host).hostname),
  part('getPort', 'url_get_port', url => hostAndPort(url.host).port),
  part('getEscapedPath', 'url_get_escaped_path', url => url.escapedPath),
  fn(
    'getQuery',
    method('url_get_query', [urlType], mapOf(string, listOf(string)), ({ url }: Url) => {
      return new EntryMap([...queryParameters(url.rawQuery)].map(([key, values]) => [key, new ArrayList(values)]));
    }),
  ),
  fn(
    'isURL',
    overload('is_url_string', [string], bool, (text: string) => parse(text) instanceof Url),
  ),
];

/** For mutating admission policies alone. */
export const jsonPatchLibrary: Library = [
  fn(
    'jsonpatch.escapeKey',
    overload('string_jsonpatch_escapeKey_string', [string], string, (key: string) =>
      key.replace(/[~/]/g, character => (character === '/' ? '~1' : '~0')),
    ),
  ),
];
