/** Server-side apply. Upstream: apiserver pkg/endpoints/handlers/patch.go applyPatcher. */
import { type PatchOptions, StatusError } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import type { OutputType } from '../serialization/negotiation.ts';
import type { Scope } from './scope.ts';

export async function applyObject(
  _scope: Scope,
  _body: Uint8Array,
  _options: PatchOptions,
  _output: OutputType,
): Promise<ServerResponse> {
  throw new StatusError({ code: 415, reason: 'UnsupportedMediaType', message: 'server-side apply is not served yet' });
}
