/** Nodes. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/node/strategy.go. */
import {
  append,
  byteLength,
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  goQuote,
  internalFieldError,
  invalidValue,
  isConfigMapKey,
  isValidCIDRForLegacyField,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  parseCidr,
  semanticEqual,
} from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import { keepSpec, keepStatus } from '../../../strategies.ts';
import type { ConfigMapNodeConfigSource, Node } from '../../../types.ts';
import { checkPositive, type Errors, refuseEach, requireText, sortedKeys } from '../../../validation/common.ts';
import { internalValue, invalidInternal } from '../../../validation/internal-value.ts';
import { checkQuantityValue, type ResourceList } from '../../../validation/resources.ts';
import { checkTaints } from '../../../validation/scheduling.ts';

const spec = FieldPath.of('spec');
const metadata = FieldPath.of('metadata');

function checkAmounts(errors: Errors, node: Node): void {
  for (const list of ['capacity', 'allocatable'] as const) {
    const amounts = (node.status?.[list] ?? {}) as ResourceList;
    for (const name of sortedKeys(amounts)) {
      checkQuantityValue(errors, FieldPath.of('status', list, name), name, amounts[name]!);
    }
  }
}

function featureRefusal(name: string): string | undefined {
  if (byteLength(name) > 253) return `invalid feature name ${goQuote(name)}: must be no more than 253 characters`;
  if (/^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/.test(name)) return undefined;
  return `invalid feature name ${goQuote(name)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`;
}

function checkFeatures(errors: Errors, features: readonly string[] = []): void {
  const path = FieldPath.of('status', 'declaredFeatures');
  features.forEach((name, i) => {
    const refusal = featureRefusal(name);
    if (refusal) errors.push(invalidValue(path.index(i), name, refusal));
    const next = features[i + 1];
    if (next === name) errors.push(duplicate(path.index(i + 1), next));
    else if (next !== undefined && name > next) {
      errors.push(invalidValue(path.index(i + 1), next, 'list must be sorted alphabetically'));
    }
  });
}

/** What every write checks. */
function checkNode(errors: Errors, node: Node): void {
  checkTaints(errors, metadata.child('taints'), node.spec?.taints);
  checkAmounts(errors, node);
  const swap = node.status?.nodeInfo?.swap?.capacity;
  if (swap !== undefined) checkPositive(errors, metadata.child('nodeSwapStatus', 'capacity'), Number(swap));
  checkFeatures(errors, node.status?.declaredFeatures);
  const ranges = node.spec?.podCIDRs ?? [];
  const path = spec.child('podCIDRs');
  ranges.forEach((range, i) => {
    append(errors, isValidCIDRForLegacyField(path.index(i), range));
  });
  if (ranges.length < 2) return;
  const wrong = ranges.findIndex(range => parseCidr(range) === undefined);
  if (wrong >= 0) {
    const why = `invalid CIDR[${wrong}]: <nil> (invalid CIDR address: ${ranges[wrong]})`;
    errors.push(internalFieldError(path, `invalid PodCIDRs. failed to check with dual stack with error:${why}`));
  }
  const families = new Set(ranges.map(range => parseCidr(range)?.address.colons));
  if (wrong >= 0 || families.size < 2 || ranges.length > 2) {
    errors.push(invalidValue(path, ranges, 'may specify no more than one CIDR for each IP family'));
  }
}

function checkConfigMap(errors: Errors, path: FieldPath, source: ConfigMapNodeConfigSource): void {
  if (source.uid) errors.push(forbiddenField(path.child('uid'), 'uid must not be set in spec'));
  if (source.resourceVersion) {
    errors.push(forbiddenField(path.child('resourceVersion'), 'resourceVersion must not be set in spec'));
  }
  if (requireText(errors, path.child('namespace'), source.namespace)) {
    refuseEach(errors, path.child('namespace'), source.namespace, nameIsDNSLabel(source.namespace, false));
  }
  if (requireText(errors, path.child('name'), source.name)) {
    refuseEach(errors, path.child('name'), source.name, nameIsDNSSubdomain(source.name, false));
  }
  if (requireText(errors, path.child('kubeletConfigKey'), source.kubeletConfigKey)) {
    const key = source.kubeletConfigKey;
    refuseEach(errors, path.child('kubeletConfigKey'), key, isConfigMapKey(key));
  }
}

function checkAddresses(errors: Errors, node: Node): void {
  const addresses = node.status?.addresses ?? [];
  addresses.forEach((address, i) => {
    if (!addresses.slice(0, i).some(each => semanticEqual(each, address))) return;
    errors.push(duplicate(FieldPath.of('status', 'addresses').index(i), internalValue('core.NodeAddress', address)));
  });
}

/** What an update may not change, beside what {@link checkNode} says. */
function checkUpdate(errors: Errors, node: Node, old: Node): void {
  checkAmounts(errors, node);
  checkFeatures(errors, node.status?.declaredFeatures);
  checkAddresses(errors, node);
  const before = old.spec?.podCIDRs ?? [];
  const now = node.spec?.podCIDRs ?? [];
  if (before.length > 0) {
    const refuse = forbiddenField(
      spec.child('podCIDRs'),
      'node updates may not change podCIDR except from "" to valid',
    );
    if (before.length !== now.length) errors.push(refuse);
    else for (const [i, range] of before.entries()) if (range !== now[i]) errors.push(refuse);
  }
  const provider = old.spec?.providerID;
  if (provider && provider !== (node.spec?.providerID ?? '')) {
    const text = 'node updates may not change providerID except from "" to valid';
    errors.push(forbiddenField(spec.child('providerID'), text));
  }
  const source = node.spec?.configSource;
  if (source) {
    const at = spec.child('configSource');
    if (source.configMap) checkConfigMap(errors, at.child('configMap'), source.configMap);
    else {
      const text = 'exactly one reference subfield must be non-nil';
      errors.push(invalidInternal(at, 'core.NodeConfigSource', source, text));
    }
  }
  checkTaints(errors, metadata.child('taints'), node.spec?.taints);
  if ((node.spec?.externalID ?? '') !== (old.spec?.externalID ?? '')) {
    errors.push(forbiddenField(spec.child('externalID'), 'may not be updated'));
  }
}

function validate(node: Node, old: Node | null): FieldError[] {
  const errors: Errors = [];
  checkNode(errors, node);
  if (old) checkUpdate(errors, node, old);
  return errors;
}

export const nodeRules: KindRules<Node> = {
  defaults(draft) {
    const { spec: own, status } = draft;
    // podCIDR and the first of podCIDRs are one field; where they differ the single one counts.
    if (own?.podCIDR && own.podCIDR !== own.podCIDRs?.[0]) own.podCIDRs = [own.podCIDR];
    if (own && !own.podCIDR && own.podCIDRs?.[0]) own.podCIDR = own.podCIDRs[0];
    if (!status) return;
    roundResources(status.capacity);
    if (status.capacity && !status.allocatable) status.allocatable = structuredClone(status.capacity);
    roundResources(status.allocatable);
  },
  prepareCreate(draft) {
    // A node brings its status along when it registers; dynamic configuration is gone.
    delete draft.spec?.configSource;
  },
  prepareUpdate(draft, old) {
    keepStatus(draft, old);
    if (!old.spec?.configSource) delete draft.spec?.configSource;
  },
  prepareStatus(draft, old) {
    keepSpec(draft, old);
    if (!old.status?.config) delete draft.status?.config;
  },
  validate,
  validateStatus(node, old) {
    const errors: Errors = [];
    checkUpdate(errors, node, old);
    return errors;
  },
  selectableFields: {
    names: ['spec.unschedulable'],
    read: node => ({ 'spec.unschedulable': String(node.spec?.unschedulable ?? false) }),
  },
  allowUnconditionalUpdate: true,
};
