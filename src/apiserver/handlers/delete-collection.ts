/** DELETE of a list. Upstream: apiserver pkg/endpoints/handlers/delete.go, registry/store.go DeleteCollection. */
import { isStatusError } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { deleteObject } from '../registry/delete.ts';
import { outputOf } from './common.ts';
import { deleteContext, readDeleteOptions, warnOfOpenPropagation } from './delete.ts';
import { readPage, respondList } from './list.ts';
import { listOptions } from './list-options.ts';
import type { Scope } from './scope.ts';

/** Deletes what the selectors match; objects that vanish meanwhile do not matter. Answers the list of what was there. */
export async function deleteCollection(scope: Scope): Promise<ServerResponse> {
  const { request, resource, deps } = scope;
  const output = outputOf(scope);
  const options = listOptions(request.query, resource);
  const deletion = await readDeleteOptions(scope);
  warnOfOpenPropagation(scope, deletion);
  const page = await readPage(scope, options);
  for (const item of page.items) {
    const { name = '', namespace = '' } = item.object.metadata;
    const at: Scope = { ...scope, name, namespace };
    try {
      await deleteObject(deps.registry, resource, deleteContext(at, name, deletion, ''));
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }
  return respondList(scope, page, output);
}
