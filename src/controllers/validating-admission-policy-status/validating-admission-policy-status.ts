/**
 * Says in the status of ValidatingAdmissionPolicies what is wrong with their expressions by the types of what they match.
 * Upstream: pkg/controller/validatingadmissionpolicystatus/controller.go.
 */
import { builtinDecl, customDecl, type TypeSource, typeCheckingWarnings } from '#api/expressions';
import { findResource } from '#api/tables';
import type { CustomResourceDefinition, ValidatingAdmissionPolicy } from '#api/types';
import type { KubeObject } from '#apimachinery';
import { createController, type ResourceName } from '#client';
import type { ControllerDefinition } from '../context.ts';

const fieldManager = 'validatingadmissionpolicy-status';
/** Names of types are made unique by a number below this, as upstream by nanoseconds. */
const nanoseconds = 1e9;

const policies: ResourceName<ValidatingAdmissionPolicy & KubeObject> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  resource: 'validatingadmissionpolicies',
  kind: 'ValidatingAdmissionPolicy',
  namespaced: false,
};
const definitions: ResourceName<CustomResourceDefinition & KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** Built-in kinds, and custom ones by their definitions. */
export function typeSource(custom: readonly CustomResourceDefinition[]): TypeSource {
  const served = ({ spec }: CustomResourceDefinition, group: string, version: string) =>
    spec.group === group ? spec.versions.find(each => each.name === version && each.served) : undefined;
  return {
    kindOf(group, version, resource) {
      const builtin = findResource(group, version, resource);
      if (builtin) return { group, version, kind: builtin.kind };
      const found = custom.find(
        each => served(each, group, version) && [each.spec.names.plural, each.spec.names.singular].includes(resource),
      );
      return found && { group, version, kind: found.spec.names.kind };
    },
    declOf(gvk, name) {
      const { group, version, kind } = gvk;
      const found = custom.find(each => each.spec.names.kind === kind && served(each, group, version));
      if (!found) return builtinDecl(gvk, name);
      return customDecl(served(found, group, version)?.schema?.openAPIV3Schema as never, name);
    },
  };
}

export const validatingAdmissionPolicyStatus: ControllerDefinition = {
  name: 'validatingadmissionpolicy-status-controller',
  serviceAccount: 'validatingadmissionpolicy-status-controller',
  setUp(context) {
    const { client, informers, random } = context;
    const informer = informers.informer(policies);
    const customs = informers.informer(definitions);
    const controller = createController(context, {
      name: 'validatingadmissionpolicy_status',
      async reconcile(name) {
        const policy = informer.get(name);
        const generation = policy?.metadata.generation ?? 0;
        if (!policy || generation <= (policy.status?.observedGeneration ?? 0)) return;
        const unique = (): number => Math.floor(random.float() * nanoseconds);
        const warnings = typeCheckingWarnings(policy, typeSource([...customs.list()]), unique);
        const typeChecking = warnings.length > 0 ? { expressionWarnings: warnings } : {};
        const { group, version, kind } = policies;
        const status = { observedGeneration: generation, typeChecking };
        const body = { apiVersion: `${group}/${version}`, kind, metadata: { name }, status };
        const how = { type: 'apply', subresource: 'status', fieldManager, force: true } as const;
        await client.resource(policies).patch(name, body, how);
      },
    });
    const changed = ({ metadata }: KubeObject): void => controller.queue.add(metadata.name!);
    informer.addHandler({ added: changed, updated: changed });
    return controller;
  },
};
