/**
 * Controllers of pods: their templates, names and limits. Upstream: WarningsOnCreate and WarningsOnUpdate of
 * pkg/registry/{apps,batch,core}, pkg/api/job/warnings.go.
 */
import { FieldPath, type KubeObject } from '#apimachinery';
import type {
  CronJob,
  DaemonSet,
  Job,
  JobSpec,
  PodTemplate,
  PodTemplateSpec,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { hostnameWarnings, podTemplateWarnings } from './pods.ts';
import { claimSpecWarnings } from './volumes.ts';

type Warn<T> = (object: T, old: T | null) => string[];

const spec = FieldPath.of('spec');
const inNames = 'Pod names and hostnames';

/** Updates that change nothing but metadata and status are not told again what the object says. */
const changed = (object: KubeObject, old: KubeObject | null): boolean =>
  !old || object.metadata.generation !== old.metadata.generation;

const nameWarnings = (object: KubeObject, old: KubeObject | null): string[] =>
  old ? [] : hostnameWarnings(object.metadata.name, inNames);

interface WithTemplate extends KubeObject {
  readonly spec: { readonly template?: PodTemplateSpec };
}

/** Deployments and ReplicaSets. */
export const templateOwnerWarnings: Warn<WithTemplate> = (object, old) => [
  ...nameWarnings(object, old),
  ...(changed(object, old) ? podTemplateWarnings(spec.child('template'), object.spec.template) : []),
];

/** Of an update upstream looks at the old template. */
export const replicationControllerWarnings: Warn<ReplicationController> = (object, old) => [
  ...nameWarnings(object, old),
  ...(changed(object, old) ? podTemplateWarnings(spec.child('template'), (old ?? object).spec?.template) : []),
];

export const daemonSetWarnings: Warn<DaemonSet> = (object, old) => {
  const before = old?.metadata.annotations?.['deprecated.daemonset.template.generation'];
  const now = object.metadata.annotations?.['deprecated.daemonset.template.generation'];
  if (old && before === now) return [];
  return podTemplateWarnings(spec.child('template'), object.spec?.template);
};

export const statefulSetWarnings: Warn<StatefulSet> = (object, old) => {
  const claims = spec.child('volumeClaimTemplates');
  const limit = object.spec?.revisionHistoryLimit ?? 0;
  const text = 'a negative value retains all historical revisions; a value >= 0 is recommended';
  return [
    ...(changed(object, old) ? podTemplateWarnings(spec.child('template'), object.spec?.template) : []),
    ...(object.spec?.volumeClaimTemplates ?? []).flatMap((claim, i) =>
      claimSpecWarnings(old ? claims.index(i).child('Spec') : claims.index(i), claim.spec),
    ),
    ...(limit < 0 ? [`spec.revisionHistoryLimit: ${text}`] : []),
  ];
};

const manyCompletions = 100_000;
const muchParallelism = 10_000;

function jobSpecWarnings(path: FieldPath, job: JobSpec | undefined): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = job ?? {};
  const huge = completionMode === 'Indexed' && completions > manyCompletions && parallelism > muchParallelism;
  const text =
    'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
  return [...(huge ? [`${path}: ${text}`] : []), ...podTemplateWarnings(path.child('template'), job?.template)];
}

export const jobWarnings: Warn<Job> = (job, old) => [
  ...nameWarnings(job, old),
  ...(changed(job, old) ? jobSpecWarnings(spec, job.spec) : []),
];

export const cronJobWarnings: Warn<CronJob> = (job, old) => {
  const help = 'see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
  const zoned = old && job.spec?.schedule?.includes('TZ');
  return [
    ...nameWarnings(job, old),
    ...(changed(job, old) ? jobSpecWarnings(spec.child('jobTemplate', 'spec'), job.spec?.jobTemplate?.spec) : []),
    ...(zoned ? [`cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, ${help}`] : []),
  ];
};

export const podTemplateObjectWarnings: Warn<PodTemplate> = (object, old) =>
  changed(object, old) ? podTemplateWarnings(FieldPath.of('template'), object.template) : [];
