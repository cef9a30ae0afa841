/** Names of certificate signers, `<domain>/<path>`. Upstream: pkg/apis/core/validation/names.go. */
import {
  byteLength,
  type FieldPath,
  goQuote,
  invalidValue,
  isDNS1123Label,
  isDNS1123Subdomain,
  required,
  tooLong,
} from '#apimachinery';
import { type Errors, refuseEach } from './common.ts';

const maxDomain = 253;
const maxSignerName = maxDomain + 1 + 253 + 63 + 1;

export function isKubernetesSigner(name: string): boolean {
  const host = name.split('/')[0]!;
  return host === 'kubernetes.io' || host.endsWith('.kubernetes.io');
}

/** The refusals of the first label that is wrong. */
function checkLabels(errors: Errors, path: FieldPath, whole: string, check: (label: string) => string[]): void {
  for (const label of whole.split('.')) {
    const texts = check(label);
    if (texts.length === 0) continue;
    refuseEach(
      errors,
      path,
      whole,
      texts.map(text => `validating label ${goQuote(label)}: ${text}`),
    );
    return;
  }
}

export function checkSignerName(errors: Errors, path: FieldPath, name = ''): void {
  if (name === '') {
    errors.push(required(path));
    return;
  }
  const [domain = '', signer = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0) {
    const text = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    errors.push(invalidValue(path, name, text));
    return;
  }
  if (byteLength(domain) > maxDomain) errors.push(tooLong(path, maxDomain));
  checkLabels(errors, path, domain, isDNS1123Label);
  if (!domain.includes('.')) {
    errors.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'));
  }
  checkLabels(errors, path, signer, isDNS1123Subdomain);
  if (byteLength(name) > maxSignerName) errors.push(tooLong(path, maxSignerName));
}
