/** Asks whether a request may be served. Upstream: apiserver pkg/endpoints/filters/authorization.go. */
import { goQuote } from '#apimachinery';
import {
  type AuthorizationAttributes,
  type Authorizer,
  forbiddenError,
  sanitized,
} from '../authorization/authorizer.ts';
import type { ServerRequest } from '../http/message.ts';
import type { AuthorizationResult } from './step-metrics.ts';

const decisionKey = 'authorization.k8s.io/decision';
const reasonKey = 'authorization.k8s.io/reason';

/** No decision could be had: 500 in plain text. */
export class AuthorizationFailure extends Error {
  override readonly name = 'AuthorizationFailure';
}

/** `measured` is told the outcome. Throws 403, or an AuthorizationFailure where an authorizer failed and none allowed the request. */
export async function authorize(
  authorizer: Authorizer,
  attributes: AuthorizationAttributes,
  request: ServerRequest,
  measured: (result: AuthorizationResult) => void = () => {},
): Promise<string> {
  const { audit } = request;
  const decided = audit?.timer('authorization');
  const { decision, reason, error } = await authorizer.authorize(attributes);
  decided?.();
  measured(decision !== 'allow' && error !== undefined ? 'error' : decision);
  if (decision === 'allow') {
    audit?.annotate(decisionKey, 'allow');
    audit?.annotate(reasonKey, reason);
    return reason;
  }
  if (error !== undefined) {
    audit?.annotate(reasonKey, 'internal error');
    throw new AuthorizationFailure(sanitized(`Internal Server Error: ${goQuote(request.url)}: ${error}`));
  }
  audit?.annotate(decisionKey, 'forbid');
  audit?.annotate(reasonKey, reason);
  throw forbiddenError(attributes, reason);
}
