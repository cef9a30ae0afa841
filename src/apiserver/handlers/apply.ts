/** Server-side apply. Upstream: apiserver pkg/endpoints/handlers/patch.go applyPatcher. */
import {
  badRequest,
  cloneJson,
  conflict,
  type Draft,
  InputError,
  type KubeObject,
  type PatchOptions,
  readAppliedConfiguration,
  StatusError,
} from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { managerOf } from '../registry/field-managers.ts';
import { wipeSystemFields } from '../registry/strategy.ts';
import { apiVersionText, type ServedResource } from '../scheme/resource.ts';
import { fieldValidationOf } from '../serialization/decode-body.ts';
import type { OutputType } from '../serialization/negotiation.ts';
import { respondObject } from '../serialization/respond.ts';
import { settleNamespace } from './create.ts';
import { isDryRun } from './options.ts';
import type { Scope } from './scope.ts';
import { checkName, writeContext } from './update.ts';

export async function applyObject(
  scope: Scope,
  body: Uint8Array,
  options: PatchOptions,
  output: OutputType,
): Promise<ServerResponse> {
  const { request, subject, deps, name, namespace, about } = scope;
  const { resource } = subject;
  const { config, strictError, duplicates } = translated(() => readAppliedConfiguration(body));
  const validation = fieldValidationOf(options.fieldValidation);
  const { context, admitUpdate } = writeContext(scope, isDryRun(options), { ...options });
  const { object: stored, created } = await deps.registry.update(
    scope.resource,
    async existing => {
      const old = existing?.decoded() ?? null;
      const live = old && subject.live(old);
      const nowMs = deps.clock.now();
      const applied = await deps.fieldManagers.run(scope.resource, scope.info.subresource, manager =>
        translated(() =>
          manager.apply(live, config, {
            manager: managerOf(request, options.fieldManager),
            nowMs,
            force: options.force ?? false,
          }),
        ),
      );
      if (scope.resource.custom && resource !== scope.resource) throw inconvertible(namespace, name);
      if (strictError !== undefined && validation === 'Strict') {
        throw badRequest(`error strict decoding YAML: ${strictError}`);
      }
      if (validation === 'Warn') for (const text of duplicates) scope.warn(text);
      const draft = resource.codec
        ? typed(() => resource.codec!.accept(applied, { nulls: true }).object, `${namespace}/${name}`, resource)
        : (cloneJson(applied) as Draft<KubeObject>);
      if (!old && draft.metadata.uid) {
        const text = `uid mismatch: the provided object specified uid ${draft.metadata.uid}, and no existing object was found`;
        throw conflict(about, name, text);
      }
      settleNamespace(draft, resource, namespace);
      checkName(draft, name, namespace);
      if (!old) wipeSystemFields(draft);
      resource.rules.defaults?.(draft);
      const next = subject.toAdmitted(draft);
      await admitUpdate(next, old);
      return subject.toStored(next, existing);
    },
    context,
    { forceAllowCreate: scope.info.subresource === '', keepsManagers: true },
  );
  const status = created ? 201 : 200;
  return respondObject(subject.source(stored), { request, resource, output, nowMs: deps.clock.now(), status });
}

/** Upstream's converter of custom kinds does not know the type of their scales. */
function inconvertible(namespace: string, name: string): StatusError {
  const why = 'request to convert CR to an invalid group/version: autoscaling/v1';
  const message = `failed to convert new object (${namespace}/${name}; autoscaling/v1, Kind=Scale) to proper version: ${why}`;
  return new StatusError({ code: 500, message });
}

/** An embedded object that is none: upstream's types of custom kinds know what metadata is. */
function typed<T>(work: () => T, shown: string, { group, version, kind }: ServedResource): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const of = `${shown}; ${apiVersionText({ group, version })}, Kind=${kind}`;
    throw new StatusError({ code: 500, message: `failed to create typed patch object (${of}): ${error.message}` });
  }
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
