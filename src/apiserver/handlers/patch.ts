/**
 * PATCH: JSON patch, merge patch and strategic merge patch, tried again on the newest state when somebody else wrote.
 * Upstream: apiserver pkg/endpoints/handlers/patch.go.
 */
import { StatusError } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import type { Scope } from './scope.ts';

export async function patchObject(_scope: Scope): Promise<ServerResponse> {
  throw new StatusError({ code: 415, reason: 'UnsupportedMediaType', message: 'patches are not there yet' });
}
