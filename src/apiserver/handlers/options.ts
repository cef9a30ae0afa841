/** Options of a request from its query. Upstream: apimachinery runtime parameter codec with the types of meta/v1. */
import {
  badRequest,
  type DeleteOptions,
  goQuote,
  invalid,
  type PatchOptions,
  validateWriteOptions,
  type WriteOptions,
} from '#apimachinery';
import { booleanParameter } from '../filters/request-info.ts';
import type { Query } from '../http/message.ts';

export function writeOptions(query: Query): WriteOptions {
  const dryRun = query.all('dryRun');
  return {
    ...(dryRun.length > 0 && { dryRun }),
    ...(query.get('fieldManager') && { fieldManager: query.get('fieldManager')! }),
    ...(query.get('fieldValidation') && { fieldValidation: query.get('fieldValidation')! }),
  };
}

/** Those of a create, which are looked at before the body is. Throws a 422 StatusError. */
export function createOptions(query: Query): WriteOptions {
  const options = writeOptions(query);
  const errors = validateWriteOptions(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', errors);
  return options;
}

export function patchOptions(query: Query): PatchOptions {
  const force = query.get('force');
  return { ...writeOptions(query), ...(force !== undefined && { force: booleanParameter(force) }) };
}

/** Go's strconv.ParseInt with its error; undefined when absent. */
export function integerParameter(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const refuse = (why: string): never => {
    throw badRequest(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`);
  };
  if (!/^[+-]?\d+$/.test(text)) refuse('invalid syntax');
  const value = BigInt(text.replace('+', ''));
  if (value < -(2n ** 63n) || value >= 2n ** 63n) refuse('value out of range');
  return Number(text);
}

/** Those of a delete without a body. Upstream: meta/v1 conversion.go, which reads the preconditions too. */
export function deleteOptionsFromQuery(query: Query): DeleteOptions {
  const grace = integerParameter(query, 'gracePeriodSeconds');
  const dryRun = query.all('dryRun');
  const orphan = query.get('orphanDependents');
  const policy = query.get('propagationPolicy');
  const uid = query.get('uid');
  const resourceVersion = query.get('resourceVersion');
  const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(orphan !== undefined && { orphanDependents: booleanParameter(orphan) }),
    ...(policy !== undefined && { propagationPolicy: policy }),
    ...(Object.keys(preconditions).length > 0 && { preconditions }),
    ...(dryRun.length > 0 && { dryRun }),
  };
}

export function isDryRun(options: { readonly dryRun?: readonly string[] }): boolean {
  return (options.dryRun?.length ?? 0) > 0;
}
