/** Asks whether a request may be served. Upstream: apiserver pkg/endpoints/filters/authorization.go. */
import { goQuote } from '#apimachinery';
import {
  type AuthorizationAttributes,
  type Authorizer,
  forbiddenError,
  sanitized,
} from '../authorization/authorizer.ts';
import type { ServerRequest } from '../http/message.ts';

/** No decision could be had: 500 in plain text. */
export class AuthorizationFailure extends Error {
  override readonly name = 'AuthorizationFailure';
}

/** Throws 403, or an AuthorizationFailure where an authorizer failed and none allowed the request. */
export async function authorize(
  authorizer: Authorizer,
  attributes: AuthorizationAttributes,
  request: ServerRequest,
): Promise<string> {
  const { decision, reason, error } = await authorizer.authorize(attributes);
  if (decision === 'allow') return reason;
  if (error !== undefined) {
    throw new AuthorizationFailure(sanitized(`Internal Server Error: ${goQuote(request.url)}: ${error}`));
  }
  throw forbiddenError(attributes, reason);
}
