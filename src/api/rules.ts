/**
 * The `#api/rules` face, for the API server alone: which rules each served kind has, in one list. A kind that is not
 * listed has upstream's generic rules and nothing of its own.
 */
import { deploymentRules } from './apps/v1/deployment/rules.ts';
import { replicaSetRules } from './apps/v1/replica-set/rules.ts';
import { endpointsRules } from './core/v1/endpoints/rules.ts';
import { eventRules } from './core/v1/event/rules.ts';
import { namespaceRules } from './core/v1/namespace/rules.ts';
import { nodeRules } from './core/v1/node/rules.ts';
import { persistentVolumeRules } from './core/v1/persistent-volume/rules.ts';
import { persistentVolumeClaimRules } from './core/v1/persistent-volume-claim/rules.ts';
import { podRules } from './core/v1/pod/rules.ts';
import { replicationControllerRules } from './core/v1/replication-controller/rules.ts';
import { secretRules } from './core/v1/secret/rules.ts';
import { serviceRules } from './core/v1/service/rules.ts';
import type { KindRecord, KindRules, ResourceFacts } from './kind.ts';
import { resources } from './resources.gen.ts';

/** By `group/version/Kind`, in the order of discovery. */
const rules: Readonly<Record<string, KindRules<any>>> = {
  '/v1/Endpoints': endpointsRules,
  '/v1/Event': eventRules,
  '/v1/Namespace': namespaceRules,
  '/v1/Node': nodeRules,
  '/v1/PersistentVolume': persistentVolumeRules,
  '/v1/PersistentVolumeClaim': persistentVolumeClaimRules,
  '/v1/Pod': podRules,
  '/v1/ReplicationController': replicationControllerRules,
  '/v1/Secret': secretRules,
  '/v1/Service': serviceRules,
  'apps/v1/Deployment': deploymentRules,
  'apps/v1/ReplicaSet': replicaSetRules,
};

const none: KindRules = {};

/** The rules of a served kind; empty where it has none of its own. */
export function rulesOf(facts: Pick<ResourceFacts, 'group' | 'version' | 'kind'>): KindRules {
  return rules[`${facts.group}/${facts.version}/${facts.kind}`] ?? none;
}

/** Facts and rules of every served resource, in the order of discovery. */
export function kindRecords(): readonly KindRecord[] {
  return resources.map(facts => ({ ...facts, rules: rulesOf(facts) }));
}

/** One of {@link kindRecords}; undefined when the kind is not served in that version. */
export function kindRecord(group: string, version: string, kind: string): KindRecord | undefined {
  const facts = resources.find(each => each.group === group && each.version === version && each.kind === kind);
  return facts && { ...facts, rules: rulesOf(facts) };
}
