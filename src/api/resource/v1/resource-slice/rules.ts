/**
 * ResourceSlices: the devices of a pool, as their driver publishes them. Upstream:
 * pkg/apis/resource/validation/validation.go, pkg/registry/resource/resourceslice/strategy.go.
 */
import { type Draft, FieldPath, formatTime, invalidValue, required, semanticEqual } from '#apimachinery';
import type { KindRules, RuleContext } from '../../../kind.ts';
import type { ResourceSlice, ResourceSliceSpec } from '../../../types.ts';
import { checkDNSLabel, checkImmutable, type Errors, refuseEach, requireText } from '../../../validation/common.ts';
import { checkPoolName, checkSet } from '../../../validation/devices.ts';
import { internalList } from '../../../validation/internal-value.ts';
import { checkNodeSelector } from '../../../validation/scheduling.ts';
import { checkCSIDriverName } from '../../../validation/volume-sources.ts';
import { checkCounters, checkSliceDevice, isNodeName } from './devices.ts';

const maxDevices = 128;
/** Where devices have taints or share counters. */
const maxElaborateDevices = 64;
const where = '`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`';

/** Takes away what belongs to features that are off by default, and says when taints were added. */
function prepare(draft: Draft<ResourceSlice>, { nowMs }: RuleContext): void {
  for (const device of draft.spec.devices ?? []) {
    for (const taint of device.taints ?? []) taint.timeAdded ??= formatTime(nowMs);
    delete device.nodeAllocatableResourceMappings;
    for (const attribute of Object.values(device.attributes ?? {})) {
      for (const name of ['bools', 'ints', 'strings', 'versions'] as const) delete attribute[name];
    }
  }
}

/** A taint without a time is one of now, so that it counts as changed a second later. */
function changed({ spec }: ResourceSlice, old: ResourceSlice, { nowMs }: RuleContext): boolean {
  const devices = spec.devices?.map(device => {
    const taints = device.taints?.map(taint => ({ ...taint, timeAdded: taint.timeAdded ?? formatTime(nowMs) }));
    return taints ? { ...device, taints } : device;
  });
  return !semanticEqual({ ...spec, ...(devices && { devices }) }, old.spec);
}

function checkPool(errors: Errors, path: FieldPath, pool: ResourceSliceSpec['pool']): void {
  checkPoolName(errors, path.child('name'), pool.name);
  const { resourceSliceCount: count = 0, generation = 0 } = pool;
  if (count <= 0) errors.push(invalidValue(path.child('resourceSliceCount'), count, 'must be greater than zero'));
  if (generation < 0) {
    errors.push(invalidValue(path.child('generation'), generation, 'must be greater than or equal to zero'));
  }
}

function checkReach(errors: Errors, path: FieldPath, spec: ResourceSliceSpec): void {
  const set: string[] = [];
  const { nodeName, nodeSelector } = spec;
  if (nodeName) {
    set.push('`nodeName`');
    refuseEach(errors, path.child('nodeName'), nodeName, isNodeName(nodeName));
  } else if (nodeName !== undefined) {
    const text = 'must be either unset or set to a non-empty string';
    errors.push(invalidValue(path.child('nodeName'), nodeName, text));
  }
  if (nodeSelector) {
    set.push('`nodeSelector`');
    checkNodeSelector(errors, path.child('nodeSelector'), nodeSelector);
    const terms = nodeSelector.nodeSelectorTerms;
    if (terms?.length !== 1) {
      const shown = internalList('core.NodeSelectorTerm', terms);
      const text = 'must have exactly one node selector term';
      errors.push(invalidValue(path.child('nodeSelector', 'nodeSelectorTerms'), shown, text));
    }
  }
  for (const name of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[name]) set.push(`\`${name}\``);
    else if (spec[name] === false) {
      errors.push(invalidValue(path.child(name), false, 'must be either unset or set to true'));
    }
  }
  const text = `exactly one of ${where} is required`;
  if (set.length === 0) errors.push(required(path, text));
  else if (set.length > 1) {
    errors.push(invalidValue(path, `{${set.join(', ')}}`, `${text}, but multiple fields are set`));
  }
}

function checkSpec(errors: Errors, path: FieldPath, spec: ResourceSliceSpec, old: ResourceSliceSpec | undefined): void {
  checkCSIDriverName(errors, path.child('driver'), spec.driver);
  checkPool(errors, path.child('pool'), spec.pool);
  if (old) {
    checkImmutable(errors, path.child('pool', 'name'), spec.pool.name ?? '', old.pool.name ?? '');
    checkImmutable(errors, path.child('driver'), spec.driver ?? '', old.driver ?? '');
    checkImmutable(errors, path.child('nodeName'), spec.nodeName, old.nodeName);
  }
  checkReach(errors, path, spec);
  if (spec.sharedCounters && spec.devices) {
    errors.push(invalidValue(path, '', 'only one of `sharedCounters` or `devices` is allowed'));
  }
  const elaborate = spec.devices?.some(device => device.taints?.length || device.consumesCounters?.length);
  checkSet(
    errors,
    path.child('devices'),
    spec.devices,
    elaborate ? maxElaborateDevices : maxDevices,
    (device, at) => {
      const before = old?.devices?.find(each => each.name === device.name);
      checkSliceDevice(errors, at, device, before, spec.perDeviceNodeSelection === true);
    },
    device => device.name ?? '',
  );
  checkSet(
    errors,
    path.child('sharedCounters'),
    spec.sharedCounters,
    8,
    ({ name, counters }, at) => {
      if (requireText(errors, at.child('name'), name)) checkDNSLabel(errors, at.child('name'), name);
      checkCounters(errors, at.child('counters'), counters);
    },
    set => set.name ?? '',
  );
}

export const resourceSliceRules: KindRules<ResourceSlice> = {
  // A slice that is sent with fields of features that are off counts as changed.
  generation: { changed, early: true },
  prepareCreate: prepare,
  prepareUpdate(draft, _old, context) {
    prepare(draft, context);
  },
  validate(now, before) {
    const errors: Errors = [];
    checkSpec(errors, FieldPath.of('spec'), now.spec, before?.spec);
    return errors;
  },
  selectableFields: {
    names: ['spec.nodeName', 'spec.driver'],
    read: ({ spec }) => ({ 'spec.nodeName': spec?.nodeName ?? '', 'spec.driver': spec?.driver ?? '' }),
  },
};
