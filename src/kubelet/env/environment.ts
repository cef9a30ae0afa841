/**
 * The environment of a container: Services, envFrom, env with references, in upstream's order of precedence.
 * Upstream: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables).
 */

import { isStatusError } from '#apimachinery';
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from '../api-objects.ts';
import { type DownwardContext, fieldValue, resourceValue } from './downward.ts';
import { expand } from './expansion.ts';
import { serviceEnvironment } from './service-env.ts';

export interface EnvironmentSources {
  /** Undefined while Services were never listed. */
  services(): Iterable<Service> | undefined;
  /** Reject with a StatusError NotFound for what is not there. */
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
}

export async function containerEnvironment(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
  downward: DownwardContext,
): Promise<Array<{ key: string; value: string }>> {
  const services = sources.services();
  if (!services) throw new Error('services have not yet been read at least once, cannot construct envvars');
  const namespace = pod.metadata.namespace ?? '';
  const serviceEnv = serviceEnvironment(services, namespace, pod.spec.enableServiceLinks ?? true);
  const env = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const data = await envFromData(source, namespace, sources);
    for (const [key, value] of data) env.set(`${source.prefix ?? ''}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = variable.value
      ? expand(variable.value, name => env.get(name) ?? serviceEnv.get(name))
      : await valueFrom(variable, pod, container, sources, downward);
    if (value !== undefined) env.set(variable.name, value);
  }
  for (const [name, value] of serviceEnv) if (!env.has(name)) env.set(name, value);
  return [...env].map(([key, value]) => ({ key, value }));
}

async function envFromData(
  source: NonNullable<Container['envFrom']>[number],
  namespace: string,
  sources: EnvironmentSources,
): Promise<Array<readonly [string, string]>> {
  const { configMapRef, secretRef } = source;
  if (configMapRef) {
    const map = await optional(configMapRef.optional, sources.configMap(namespace, configMapRef.name ?? ''));
    return Object.entries(map?.data ?? {});
  }
  if (!secretRef) return [];
  const secret = await optional(secretRef.optional, sources.secret(namespace, secretRef.name ?? ''));
  return Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]);
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

async function optional<T>(isOptional: boolean | undefined, found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isOptional && isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Undefined: the variable is left out. */
async function valueFrom(
  variable: EnvVar,
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
  downward: DownwardContext,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  const namespace = pod.metadata.namespace ?? '';
  if (from?.fieldRef) return fieldValue(from.fieldRef, pod, downward);
  if (from?.resourceFieldRef) return resourceValue(from.resourceFieldRef, pod, container, downward);
  if (from?.configMapKeyRef) {
    const ref = from.configMapKeyRef;
    const map = await optional(ref.optional, sources.configMap(namespace, ref.name ?? ''));
    const value = map?.data?.[ref.key];
    if (value !== undefined || ref.optional) return value;
    throw new Error(`couldn't find key ${ref.key} in ConfigMap ${namespace}/${ref.name ?? ''}`);
  }
  if (from?.secretKeyRef) {
    const ref = from.secretKeyRef;
    const secret = await optional(ref.optional, sources.secret(namespace, ref.name ?? ''));
    const value = secret?.data?.[ref.key];
    if (value !== undefined) return decode(value);
    if (ref.optional) return undefined;
    throw new Error(`couldn't find key ${ref.key} in Secret ${namespace}/${ref.name ?? ''}`);
  }
  return '';
}
