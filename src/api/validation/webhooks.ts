/** Where webhooks are called. Upstream: apiserver pkg/util/webhook/validation.go. */
import { type FieldPath, goQuote, invalidValue, isDNS1123Subdomain, isValidPortNum, required } from '#apimachinery';
import { type Errors, requireText } from './common.ts';

const form = '; desired format: https://host[/path]';

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly user: string | undefined;
  readonly query: string;
  readonly fragment: string;
}

/** As Go's url.Parse takes a text apart; a string is its error. */
function parseUrl(text: string): UrlParts | string {
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
  const user = at < 0 ? undefined : authority.slice(0, at);
  return { scheme: (match?.[1] ?? '').toLowerCase(), host, user, query, fragment };
}

export function checkWebhookUrl(errors: Errors, path: FieldPath, text: string): void {
  const url = parseUrl(text);
  if (typeof url === 'string') {
    errors.push(required(path, `url must be a valid URL: ${url}${form}`));
    return;
  }
  if (url.scheme !== 'https') {
    errors.push(invalidValue(path, url.scheme, `'https' is the only allowed URL scheme${form}`));
  }
  if (!url.host) errors.push(invalidValue(path, url.host, `host must be specified${form}`));
  if (url.user !== undefined) {
    errors.push(invalidValue(path, url.user, 'user information is not permitted in the URL'));
  }
  if (url.fragment) errors.push(invalidValue(path, url.fragment, 'fragments are not permitted in the URL'));
  if (url.query) errors.push(invalidValue(path, url.query, 'query parameters are not permitted in the URL'));
}

interface ServiceReference {
  readonly name: string;
  readonly namespace: string;
  readonly path?: string;
  readonly port?: number;
}

export function checkWebhookService(errors: Errors, path: FieldPath, service: ServiceReference): void {
  // Upstream's callers hand over name and namespace in the other order: what lacks is told of the other field.
  requireText(errors, path.child('name'), service.namespace);
  requireText(errors, path.child('namespace'), service.name);
  const { port = 0, path: target = '' } = service;
  const texts = isValidPortNum(port);
  if (texts.length > 0) errors.push(invalidValue(path.child('port'), port, `port is not valid: ${texts.join(', ')}`));
  const at = path.child('path');
  if (target === '' || target === '/') return;
  if (target === '//') {
    errors.push(invalidValue(at, target, 'segment[0] may not be empty'));
    return;
  }
  if (!target.startsWith('/')) errors.push(invalidValue(at, target, "must start with a '/'"));
  const steps = target.slice(1).replace(/\/$/, '').split('/');
  steps.forEach((step, i) => {
    if (step === '') errors.push(invalidValue(at, target, `segment[${i}] may not be empty`));
    else for (const text of isDNS1123Subdomain(step)) errors.push(invalidValue(at, target, `segment[${i}]: ${text}`));
  });
}

interface ClientConfig {
  readonly url?: string;
  readonly service?: ServiceReference;
}

export function checkClientConfig(errors: Errors, path: FieldPath, config: ClientConfig, missing: string): void {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) errors.push(required(path, missing));
  else if (url !== undefined) checkWebhookUrl(errors, path.child('url'), url);
  else if (service) checkWebhookService(errors, path.child('service'), service);
}
