/** Where webhooks are called. Upstream: apiserver pkg/util/webhook/validation.go. */
import { type FieldPath, invalidValue, isDNS1123Subdomain, isValidPortNum, parseGoUrl, required } from '#apimachinery';
import { type Errors, requireText } from './common.ts';

const form = '; desired format: https://host[/path]';

function checkWebhookUrl(errors: Errors, path: FieldPath, text: string): void {
  const url = parseGoUrl(text);
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
  // One byte is cut off, whatever it is: of a letter beyond ASCII a rest stays, which is a segment.
  const steps = Buffer.from(target).toString('utf8', 1).replace(/\/$/, '').split('/');
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
