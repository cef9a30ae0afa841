/** Server-side apply. Upstream: apiserver pkg/endpoints/handlers/patch.go applyPatcher. */
import {
  badRequest,
  conflict,
  type Draft,
  InputError,
  type JsonObject,
  type KubeObject,
  type PatchOptions,
  parseYaml,
  StatusError,
  yamlStrictError,
} from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { managerOf } from '../registry/field-managers.ts';
import { wipeSystemFields } from '../registry/strategy.ts';
import { fromStorage, toStorage } from '../scheme/resource.ts';
import { fieldValidationOf } from '../serialization/decode-body.ts';
import type { OutputType } from '../serialization/negotiation.ts';
import { respondObject } from '../serialization/respond.ts';
import { settleNamespace } from './create.ts';
import { isDryRun } from './options.ts';
import type { Scope } from './scope.ts';
import { checkName, writeContext } from './update.ts';

interface Configuration {
  readonly config: JsonObject;
  readonly strictError: string | undefined;
}

function read(body: Uint8Array): Configuration {
  try {
    const { value, duplicates } = parseYaml(Buffer.from(body).toString());
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new InputError('yaml', `json: cannot unmarshal into Go value of type map[string]interface {}`);
    }
    return { config: value as JsonObject, strictError: yamlStrictError(duplicates) };
  } catch (error) {
    if (error instanceof InputError) throw badRequest(`error decoding YAML: ${error.message}`);
    throw error;
  }
}

export async function applyObject(
  scope: Scope,
  body: Uint8Array,
  options: PatchOptions,
  output: OutputType,
): Promise<ServerResponse> {
  const { request, resource, deps, name, namespace, about } = scope;
  const { config, strictError } = read(body);
  const validation = fieldValidationOf(options.fieldValidation);
  const manager = deps.fieldManagers.of(resource, scope.info.subresource);
  const { context, admitUpdate } = writeContext(scope, isDryRun(options), { ...options });
  const { object: stored, created } = await deps.registry.update(
    resource,
    async existing => {
      const old = existing?.decoded() ?? null;
      const live = old && fromStorage(resource, old);
      const applied = translated(() =>
        manager.apply(live, config, {
          manager: managerOf(request, options.fieldManager),
          nowMs: deps.clock.now(),
          force: options.force ?? false,
        }),
      );
      if (strictError !== undefined && validation === 'Strict') {
        throw badRequest(`error strict decoding YAML: ${strictError}`);
      }
      if (strictError !== undefined && validation === 'Warn') scope.warn(strictError);
      const draft = structuredClone(applied) as Draft<KubeObject>;
      if (!old && draft.metadata.uid) {
        const text = `uid mismatch: the provided object specified uid ${draft.metadata.uid}, and no existing object was found`;
        throw conflict(about, name, text);
      }
      settleNamespace(draft, resource, namespace);
      checkName(draft, name, namespace);
      if (!old) wipeSystemFields(draft);
      resource.rules.defaults?.(draft);
      const next = toStorage(resource, draft);
      await admitUpdate(next, old);
      return next;
    },
    context,
    { forceAllowCreate: scope.info.subresource === '' },
  );
  const status = created ? 201 : 200;
  return respondObject(stored, { request, resource, output, nowMs: deps.clock.now(), status });
}

/** What cannot be applied as the answers that upstream gives. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (error.code === 'patchFailed') throw new StatusError({ code: 500, message: error.message });
    throw badRequest(error.message);
  }
}
