/** POST serviceaccounts/NAME/token. Upstream: pkg/registry/core/serviceaccount/storage/token.go. */

import { builtinTypes } from '#api/tables';
import type { Node, Pod, Secret, ServiceAccount, TokenRequest } from '#api/types';
import {
  badRequest,
  conflict,
  type Draft,
  type FieldError,
  FieldManager,
  FieldPath,
  formatTime,
  goQuote,
  invalid,
  invalidValue,
  type KubeObject,
  notFound,
  parseApiVersion,
  StatusError,
  validatePathSegmentName,
} from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { Lookup } from '../admission/lookup.ts';
import type { ServiceAccountTokens, TokenBinding } from '../authentication/service-accounts/tokens.ts';
import { managerOf } from '../registry/field-managers.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput } from '../serialization/negotiation.ts';
import { respondValue } from '../serialization/respond.ts';
import { logRequestObject, outputOf } from './common.ts';
import { settleNamespace } from './create.ts';
import { createOptions, writeOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { type Handler, maxBodyBytes, type Scope } from './scope.ts';

const kind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };
const typeName = 'io.k8s.api.authentication.v1.TokenRequest';
const defaultSeconds = 3600;
const minSeconds = 600;
/** Pods' tokens of this length are made to hold a year, so that old clients that never read them again go on. */
const injectedSeconds = 3607;

export function tokenRequest(tokens: ServiceAccountTokens, lookup: Lookup): Handler {
  return async scope => {
    const { name, namespace } = scope;
    const output = outputOf(scope);
    const request = await read(scope);
    const { metadata, spec } = request;
    const object = request as unknown as Draft<KubeObject>;
    settleNamespace(object, scope.resource, namespace);
    dedupOwnerReferences(object, scope.warn, false);
    const manager = managerOf(scope.request, writeOptions(scope.request.query).fieldManager);
    const nowMs = scope.deps.clock.now();
    const managed = tokenRequestFields().update(null, request as unknown as KubeObject, { manager, nowMs });
    if (managed.metadata.managedFields) metadata.managedFields = managed.metadata.managedFields as never;
    const more = { operation: 'CREATE' as const, name, dryRun: false, options: {}, old: null, kind };
    const attributes = admissionAttributes(scope, more);
    await scope.deps.admission.admit(attributes, object);
    dedupOwnerReferences(object, scope.warn, true);
    if (metadata.name && metadata.name !== name) {
      const text = 'must match the service account name if specified';
      throw invalid(kind, name, [invalidValue(FieldPath.of('metadata', 'name'), metadata.name, text)]);
    }
    const account = (await lookup.get('', 'serviceaccounts', namespace, name)) as ServiceAccount | undefined;
    if (!account) throw notFound(scope.about, name);
    if (metadata.uid && metadata.uid !== account.metadata.uid) {
      const text = `the UID in the token request (${metadata.uid}) does not match the UID of the service account (${account.metadata.uid})`;
      throw conflict({ group: kind.group, resource: kind.kind }, name, text);
    }
    if (!spec.audiences?.length) spec.audiences = [...tokens.audiences];
    metadata.name = name;
    metadata.namespace = namespace;
    metadata.uid = account.metadata.uid!;
    metadata.creationTimestamp = formatTime(nowMs);
    delete request.status;
    const errors = validate(spec.expirationSeconds);
    if (errors.length > 0) throw invalid(kind, '', errors);
    (await scope.deps.admission.validate(attributes, request as unknown as KubeObject))?.release?.();
    const binding = await bindingOf(scope, spec.boundObjectRef, lookup);
    const forServer = spec.audiences.every(audience => tokens.audiences.includes(audience));
    const { maxExpirationSeconds: max } = tokens;
    if (max > 0 && spec.expirationSeconds > max) {
      scope.warn(`requested expiration of ${spec.expirationSeconds} seconds shortened to ${max} seconds`);
      spec.expirationSeconds = max;
    }
    const extended =
      tokens.extendsExpiration && binding.pod !== undefined && spec.expirationSeconds === injectedSeconds && forServer;
    const issued = tokens.issue({
      account,
      ...binding,
      audiences: spec.audiences,
      expirationSeconds: extended ? tokens.maxExtendedSeconds : spec.expirationSeconds,
      ...(extended && { warnAfterSeconds: injectedSeconds }),
    });
    const { token, id } = await issued.catch(cause => {
      throw new StatusError({ code: 500, message: `failed to generate token: ${(cause as Error).message}` });
    });
    scope.request.audit?.annotate('authentication.kubernetes.io/issued-credential-id', `JTI=${id}`);
    request.status = { token, expirationTimestamp: formatTime(nowMs + spec.expirationSeconds * 1000) };
    return respondValue(request, builtinTypes.struct(typeName), output, 201);
  };
}

/** With the default of what it leaves open. */
type Settled = Draft<TokenRequest> & { spec: { expirationSeconds: number } };

/** Who sent which fields: upstream tells it of every object that is created, also of those that nobody stores. */
function tokenRequestFields(): FieldManager {
  const { group, version } = kind;
  const node = builtinTypes.struct(typeName);
  return new FieldManager({
    node,
    apiVersion: `${group}/${version}`,
    kind: kind.kind,
    subresource: 'token',
    builtin: true,
  });
}

async function read(scope: Scope): Promise<Settled> {
  const { request } = scope;
  const mediaType = negotiateInput(request);
  const body = await request.body(maxBodyBytes);
  const validation = fieldValidationOf(createOptions(request.query).fieldValidation);
  const target = { ...kind, struct: builtinTypes.struct(typeName) };
  const object = decodeBody(body, target, { mediaType, validation, warn: scope.warn });
  const draft = object as unknown as Draft<TokenRequest>;
  draft.spec ??= {} as Settled['spec'];
  draft.spec.expirationSeconds ??= defaultSeconds;
  logRequestObject(scope, object, target);
  return draft as Settled;
}

function validate(seconds: number): FieldError[] {
  const path = FieldPath.of('spec', 'expirationSeconds');
  if (seconds < minSeconds) return [invalidValue(path, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > 2 ** 32) return [invalidValue(path, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

/** As upstream's stores refuse names that no key can have. */
function checkName(name: string): void {
  if (name === '') throw badRequest('Name parameter required.');
  const [wrong] = validatePathSegmentName(name, false);
  if (wrong !== undefined) throw badRequest(`Name parameter invalid: ${goQuote(name)}: ${wrong}`);
}

/** What cannot be parsed counts as nothing. Upstream: schema.FromAPIVersionAndKind. */
function groupVersionOf(apiVersion: string): { group: string; version: string } {
  return apiVersion.split('/').length > 2 ? { group: '', version: '' } : parseApiVersion(apiVersion);
}

async function bindingOf(
  scope: Scope,
  ref: Draft<TokenRequest>['spec']['boundObjectRef'],
  lookup: Lookup,
): Promise<TokenBinding> {
  if (!ref) return {};
  const { namespace, name: account } = scope;
  const { group, version } = groupVersionOf(ref.apiVersion ?? '');
  const name = ref.name ?? '';
  const find = async (resource: string, inNamespace: string): Promise<KubeObject> => {
    checkName(name);
    const found = await lookup.get('', resource, inNamespace, name);
    if (!found) throw notFound({ group: '', resource }, name);
    return found;
  };
  const same = <T extends KubeObject>(found: T): T => {
    if (!ref.uid || ref.uid === found.metadata.uid) return found;
    const text = `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group, resource: ref.kind ?? '' }, name, text);
  };
  if (group === '' && ref.kind === 'Pod') {
    const pod = (await find('pods', namespace)) as unknown as Pod;
    if (pod.spec.serviceAccountName !== account) {
      throw badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
      );
    }
    same(pod);
    const { nodeName } = pod.spec;
    if (!nodeName) return { pod };
    const node = (await lookup.get('', 'nodes', '', nodeName)) as unknown as Node | undefined;
    return { pod, node: { name: nodeName, ...(node?.metadata.uid && { uid: node.metadata.uid }) } };
  }
  if (group === '' && ref.kind === 'Secret')
    return { secret: same((await find('secrets', namespace)) as unknown as Secret) };
  if (group === '' && ref.kind === 'Node') {
    const node = same(await find('nodes', ''));
    return { node: { name, uid: node.metadata.uid! } };
  }
  throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${ref.kind ?? ''}`);
}
